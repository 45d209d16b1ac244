//! API keys for machines that use the staff API: each has scopes, an expiry and a time of last use.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    ApiKeyToken, Identity, IdentityError, StaffMember, StaffRole,
    scopes::{ApiScope, MachineKey},
    staff::StaffPrincipal,
};
use crate::tenancy::audit::{self, Actor, Entry};

/// The time of last use is written at most once in this interval.
const LAST_USE_INTERVAL: Duration = Duration::minutes(1);

/// A key as staff see it.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    /// The beginning of the key.
    pub prefix: String,
    pub scopes: Vec<ApiScope>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Identity {
    /// The machine whose live key `token` is. One round trip, and one more at most once a minute to record the use.
    pub async fn machine(&self, token: &ApiKeyToken) -> Result<StaffMember, IdentityError> {
        let (tenant, hashes, now) = (token.tenant(), token.hashes(&self.keyring), self.now());
        let find = |pool| {
            let hashes = hashes.clone();
            async move {
                sqlx::query!(
                    r#"SELECT id AS "id!", scopes AS "scopes!", last_used_at, maker_email AS "maker_email!", maker_role AS "maker_role!: StaffRole" FROM find_api_key($1, $2::bytea[], $3)"#,
                    tenant.as_uuid(),
                    &hashes,
                    now
                )
                .fetch_optional(&pool)
                .await
            }
        };
        let found = self.web.unscoped(find).await?.ok_or(IdentityError::NoSession)?;
        let machine = StaffMember {
            tenant,
            principal: StaffPrincipal::Machine(MachineKey {
                id: found.id,
                maker_email: found.maker_email,
                maker_role: found.maker_role,
                scopes: found.scopes.iter().filter_map(|name| ApiScope::read(name)).collect(),
            }),
        };
        if found.last_used_at.is_none_or(|at| now - at >= LAST_USE_INTERVAL) {
            let mut tx = self.web.begin(machine.scope()).await?;
            sqlx::query!("UPDATE api_keys SET last_used_at = $2 WHERE id = $1", found.id, now)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
        Ok(machine)
    }

    /// Creates a key that is valid for `days`. The token is shown only this once.
    pub async fn add_api_key(
        &self,
        admin: &StaffMember,
        name: &str,
        scopes: &[ApiScope],
        days: u32,
        actor: &Actor,
    ) -> Result<(ApiKeyToken, ApiKey), IdentityError> {
        let (now, token) = (self.now(), ApiKeyToken::generate(admin.tenant()));
        let key = ApiKey {
            id: Uuid::now_v7(),
            name: name.to_owned(),
            // The first characters name the store, the same in all of its keys; then a few of this key's own.
            prefix: token.expose().chars().take(30).collect(),
            scopes: scopes.to_vec(),
            created_at: now,
            expires_at: now + Duration::days(days.into()),
            last_used_at: None,
            revoked_at: None,
        };
        let names: Vec<String> = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        let mut tx = self.web.begin(admin.scope()).await?;
        sqlx::query!(
            "INSERT INTO api_keys (tenant_id, id, name, token_hash, prefix, scopes, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            tx.tenant_id().as_uuid(),
            key.id,
            key.name,
            &token.hash(&self.keyring)[..],
            key.prefix,
            &names,
            admin.id(),
            now,
            key.expires_at
        )
        .execute(&mut *tx)
        .await?;
        let entry = Entry::new(actor, "api_key.create", ("api_key", key.id), now)
            .after(json!({ "scopes": scopes, "expires_at": key.expires_at }));
        audit::append(&mut tx, entry).await?;
        tx.commit().await?;
        Ok((token, key))
    }

    /// All keys, newest first, at most `limit`; with `before`, only those before it.
    pub async fn api_keys(
        &self,
        staff: &StaffMember,
        (limit, before): (u32, Option<Uuid>),
    ) -> Result<Vec<ApiKey>, IdentityError> {
        let mut tx = self.web.begin(staff.scope()).await?;
        let rows = sqlx::query!(
            "SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_keys
            WHERE $2::uuid IS NULL OR id < $2 ORDER BY id DESC LIMIT $1",
            i64::from(limit),
            before
        )
        .fetch_all(&mut *tx)
        .await?;
        let keys = rows.into_iter().map(|row| ApiKey {
            scopes: row.scopes.iter().filter_map(|name| ApiScope::read(name)).collect(),
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        });
        Ok(keys.collect())
    }

    /// Revokes a key.
    pub async fn revoke_api_key(&self, admin: &StaffMember, key: Uuid, actor: &Actor) -> Result<(), IdentityError> {
        let now = self.now();
        let mut tx = self.web.begin(admin.scope()).await?;
        let revoked = sqlx::query!(
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            key,
            now
        )
        .execute(&mut *tx)
        .await?;
        if revoked.rows_affected() == 0 {
            return Err(IdentityError::NotFound);
        }
        let entry = Entry::new(actor, "api_key.revoke", ("api_key", key), now);
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }
}
