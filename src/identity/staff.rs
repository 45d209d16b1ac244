//! The store's own people: who they are and what they may.

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;

use super::{IdentityError, StaffToken, password};
use crate::{
    ids::{StaffId, TenantId},
    tenancy::{Executor, Pool, Scope, Tenant, Web},
};

/// Staff work a shift: after it they log in again.
const SHIFT: Duration = Duration::hours(12);

/// What a member of staff may do. Each role may do what the ones before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    sqlx::Type,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum StaffRole {
    /// Sees.
    Viewer,
    /// Decides on proposals.
    Approver,
    /// Changes policies.
    Admin,
}

/// Proof of a live staff session. Built by [`resolve`] alone.
#[derive(Clone)]
pub struct StaffMember {
    tenant: TenantId,
    id: StaffId,
    role: StaffRole,
    email: String,
}

impl StaffMember {
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
    pub fn id(&self) -> StaffId {
        self.id
    }
    pub fn role(&self) -> StaffRole {
        self.role
    }
    /// To keep people from deciding for themselves.
    pub(crate) fn email(&self) -> &str {
        &self.email
    }
    /// What staff transactions may see: the tenant.
    pub fn scope(&self) -> Scope {
        Scope::tenant(self.tenant)
    }
}

/// The member of staff whose live session `token` is. One round trip.
pub async fn resolve(web: &Pool<Web>, token: &StaffToken, now: DateTime<Utc>) -> Result<StaffMember, IdentityError> {
    let (tenant, hash) = (token.tenant(), token.hash());
    let find = |pool| async move {
        sqlx::query!(
            r#"SELECT staff_id AS "id!: StaffId", role AS "role!: StaffRole", email AS "email!" FROM find_staff_session($1, $2, $3)"#,
            tenant.as_uuid(),
            &hash[..],
            now
        )
        .fetch_optional(&pool)
        .await
    };
    let found = web.unscoped(find).await?.ok_or(IdentityError::NoSession)?;
    Ok(StaffMember {
        tenant,
        id: found.id,
        role: found.role,
        email: found.email,
    })
}

/// Checks a password and opens a staff session. An unknown account takes as long as a known one.
pub async fn log_in(
    web: &Pool<Web>,
    store: &Tenant,
    email: &str,
    password: SecretString,
    now: DateTime<Utc>,
) -> Result<(StaffToken, StaffRole, DateTime<Utc>), IdentityError> {
    let mut tx = web.begin(Scope::tenant(store.id)).await?;
    let account = sqlx::query!(
        r#"SELECT id AS "id: StaffId", role AS "role: StaffRole", password_hash FROM staff WHERE email = $1 AND disabled_at IS NULL"#,
        email.trim().to_lowercase()
    )
    .fetch_optional(&mut *tx)
    .await?;
    drop(tx);
    let (who, hash) = account
        .map(|account| ((account.id, account.role), account.password_hash))
        .unzip();
    let matches = password::verify(password, hash).await?;
    let (id, role) = who.filter(|_| matches).ok_or(IdentityError::WrongCredentials)?;
    let (token, expires_at) = (StaffToken::generate(store.id), now + SHIFT);
    let mut tx = web.begin(Scope::tenant(store.id)).await?;
    sqlx::query!(
        "INSERT INTO staff_sessions (tenant_id, staff_id, id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        store.id.as_uuid(),
        id.as_uuid(),
        uuid::Uuid::now_v7(),
        &token.hash()[..],
        now,
        expires_at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok((token, role, expires_at))
}

/// Adds a member of staff, or gives one a new password and role, from the command line.
pub async fn add(
    executor: &Pool<Executor>,
    store: &Tenant,
    email: &str,
    role: StaffRole,
    password: SecretString,
) -> Result<(), IdentityError> {
    let hash = password::hash(password).await?;
    let mut tx = executor.begin(Scope::tenant(store.id)).await?;
    sqlx::query!(
        "INSERT INTO staff (tenant_id, id, email, role, password_hash) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, email) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash, disabled_at = NULL",
        store.id.as_uuid(),
        uuid::Uuid::now_v7(),
        email.trim().to_lowercase(),
        role as StaffRole as _,
        hash
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
