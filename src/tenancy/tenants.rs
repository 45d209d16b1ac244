//! Tenants and their publishable store keys.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::{
    Executor, Pool, Role, Scope, Tx, Web,
    audit::{self, Actor, Entry},
    store_keys,
};
use crate::{ids::TenantId, money::Currency};

/// A store.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub currency: Currency,
}

/// A store key: `pk_` + the tenant's id + 128 random bits, base64url. Publishable: it only says which store a login is for.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey {
    tenant: TenantId,
    text: String,
}

impl StoreKey {
    pub fn generate(tenant: TenantId) -> Self {
        let mut bytes = tenant.as_uuid().into_bytes().to_vec();
        bytes.extend(rand::random::<[u8; 16]>());
        Self {
            tenant,
            text: format!("pk_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The store that the key names, which is not proved yet.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl FromStr for StoreKey {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let encoded = text.strip_prefix("pk_").filter(|rest| rest.len() == 43).ok_or(())?;
        let bytes: [u8; 32] = BASE64_URL_SAFE_NO_PAD
            .decode(encoded)
            .map_err(|_| ())?
            .try_into()
            .map_err(|_| ())?;
        let tenant = Uuid::from_slice(&bytes[..16]).map_err(|_| ())?;
        Ok(Self {
            tenant: tenant.into(),
            text: text.to_owned(),
        })
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({})", self.tenant)
    }
}

/// The tenant that a live store key belongs to.
pub async fn find_by_store_key(web: &Pool<Web>, key: &StoreKey) -> Result<Option<Tenant>, sqlx::Error> {
    let mut tx = web.begin(Scope::tenant(key.tenant)).await?;
    let row = sqlx::query!(
        r#"SELECT t.tenant_id AS "id: TenantId", t.slug, t.name, t.currency FROM tenants t JOIN store_keys k USING (tenant_id)
           WHERE k.key = $1 AND k.revoked_at IS NULL"#,
        key.text
    )
    .fetch_optional(&mut *tx)
    .await?;
    row.map(|row| tenant(row.id, row.slug, row.name, &row.currency))
        .transpose()
}

/// The tenant with this slug, for the command line. Only the executor's policy on `tenants` allows a lookup without a scope.
pub async fn find_by_slug(executor: &Pool<Executor>, slug: &str) -> Result<Option<Tenant>, sqlx::Error> {
    let query = |pool| async move {
        sqlx::query!(
            r#"SELECT tenant_id AS "id: TenantId", slug, name, currency FROM tenants WHERE slug = $1"#,
            slug
        )
        .fetch_optional(&pool)
        .await
    };
    let row = executor.unscoped(query).await?;
    row.map(|row| tenant(row.id, row.slug, row.name, &row.currency))
        .transpose()
}

/// Every store, by its slug, for the command line.
pub async fn list(executor: &Pool<Executor>) -> Result<Vec<Tenant>, sqlx::Error> {
    let query = |pool| async move {
        sqlx::query!(r#"SELECT tenant_id AS "id: TenantId", slug, name, currency FROM tenants ORDER BY slug"#)
            .fetch_all(&pool)
            .await
    };
    let rows = executor.unscoped(query).await?;
    rows.into_iter()
        .map(|row| tenant(row.id, row.slug, row.name, &row.currency))
        .collect()
}

/// All tenants, for the worker's periodic jobs.
pub async fn all(executor: &Pool<Executor>) -> Result<Vec<TenantId>, sqlx::Error> {
    let query = |pool| async move {
        sqlx::query_scalar!(r#"SELECT tenant_id AS "id: TenantId" FROM tenants ORDER BY tenant_id"#)
            .fetch_all(&pool)
            .await
    };
    executor.unscoped(query).await
}

/// Creates a store and its first key.
pub async fn create(
    executor: &Pool<Executor>,
    slug: &str,
    name: &str,
    currency: Currency,
) -> Result<(Tenant, StoreKey), sqlx::Error> {
    let id = TenantId::new();
    create_as(executor, StoreKey::generate(id), slug, name, currency).await
}

/// The same with a given key, for stores in tests; the key contains the store's id.
pub async fn create_as(
    executor: &Pool<Executor>,
    key: StoreKey,
    slug: &str,
    name: &str,
    currency: Currency,
) -> Result<(Tenant, StoreKey), sqlx::Error> {
    let id = key.tenant;
    let mut tx = executor.begin(Scope::tenant(id)).await?;
    sqlx::query!(
        "INSERT INTO tenants (tenant_id, slug, name, currency) VALUES ($1, $2, $3, $4)",
        id.as_uuid(),
        slug,
        name,
        currency.to_string()
    )
    .execute(&mut *tx)
    .await?;
    store_keys::insert(&mut tx, &key).await?;
    tx.commit().await?;
    Ok((
        Tenant {
            id,
            slug: slug.to_owned(),
            name: name.to_owned(),
            currency,
        },
        key,
    ))
}

/// Switches a store to the demo's payment provider, for demos and replays. It confirms payments and moves no real money.
pub async fn use_demo_payments(executor: &Pool<Executor>, tenant: TenantId) -> Result<(), sqlx::Error> {
    let mut tx = executor.begin(Scope::tenant(tenant)).await?;
    sqlx::query!(
        "UPDATE tenants SET demo_payments = true WHERE tenant_id = $1",
        tenant.as_uuid()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Sets whether a store accepts decisions by API keys, with its audit entry.
pub async fn allow_machine_decisions(tx: &mut Tx<Executor>, allow: bool) -> Result<(), sqlx::Error> {
    let id = tx.tenant_id();
    sqlx::query!(
        "UPDATE tenants SET machine_decisions = $2 WHERE tenant_id = $1",
        id.as_uuid(),
        allow
    )
    .execute(&mut **tx)
    .await?;
    let (actor, now) = (Actor::system(), crate::clock::now());
    let entry = Entry::new(&actor, "store.machine_decisions", ("store", id), now);
    audit::append(tx, entry.after(serde_json::json!({ "allowed": allow }))).await
}

/// The IANA name of the bound store's time zone, which its business hours set; `UTC` if it has set none.
pub async fn time_zone<R: Role>(tx: &mut Tx<R>) -> Result<String, sqlx::Error> {
    let set = sqlx::query_scalar!("SELECT time_zone FROM staff_hours")
        .fetch_optional(&mut **tx)
        .await?;
    Ok(set.unwrap_or_else(|| "UTC".to_owned()))
}

/// The tenant that this transaction is bound to.
pub async fn current<R: Role>(tx: &mut Tx<R>) -> Result<Tenant, sqlx::Error> {
    let id = tx.tenant_id();
    let row = sqlx::query!(
        "SELECT slug, name, currency FROM tenants WHERE tenant_id = $1",
        id.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await?;
    tenant(id, row.slug, row.name, &row.currency)
}

fn tenant(id: TenantId, slug: String, name: String, currency: &str) -> Result<Tenant, sqlx::Error> {
    let currency = currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Tenant {
        id,
        slug,
        name,
        currency,
    })
}
