//! Shopper accounts: register, log in, set a password.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{IdentityError, Session, SessionToken, password, sessions};
use crate::{
    ids::ShopperId,
    tenancy::{self, Executor, Pool, Scope, StoreKey, Tenant, Tx, Web},
};

/// Who wants an account. `email` is compared without case.
pub struct Registration {
    pub email: String,
    pub password: SecretString,
    pub first_name: String,
    pub last_name: String,
}

/// A log-in that succeeded.
pub struct LoggedIn {
    pub token: SessionToken,
    pub session: Session,
    pub shopper: ShopperId,
}

/// The store that a publishable key names.
pub async fn store(web: &Pool<Web>, key: Option<&str>) -> Result<Tenant, IdentityError> {
    let key: StoreKey = key
        .and_then(|key| key.parse().ok())
        .ok_or(IdentityError::UnknownStore)?;
    tenancy::find_by_store_key(web, &key)
        .await?
        .ok_or(IdentityError::UnknownStore)
}

/// Makes an account and opens its first session, or neither.
pub async fn register(
    web: &Pool<Web>,
    store: &Tenant,
    new: Registration,
    now: DateTime<Utc>,
    lifetimes: sessions::Lifetimes,
) -> Result<LoggedIn, IdentityError> {
    let hash = password::hash(new.password).await?;
    let shopper = ShopperId::new();
    let mut tx = web.begin(Scope::tenant(store.id)).await?;
    let inserted = sqlx::query!(
        "INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, email) DO NOTHING",
        store.id.as_uuid(),
        shopper.as_uuid(),
        shopper.to_string(),
        normalise(&new.email),
        new.first_name,
        new.last_name,
        now
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(IdentityError::EmailTaken);
    }
    store_hash(&mut tx, shopper, &hash, now).await?;
    let (token, session) = sessions::open(&mut tx, shopper, now, lifetimes).await?;
    tx.commit().await?;
    Ok(LoggedIn {
        token,
        session,
        shopper,
    })
}

/// Checks a password and opens a session. An unknown account takes as long as a known one and gets the same answer.
pub async fn log_in(
    web: &Pool<Web>,
    store: &Tenant,
    email: &str,
    password: SecretString,
    now: DateTime<Utc>,
    lifetimes: sessions::Lifetimes,
) -> Result<LoggedIn, IdentityError> {
    let mut tx = web.begin(Scope::tenant(store.id)).await?;
    let account = sqlx::query!(
        r#"SELECT s.shopper_id AS "id: ShopperId", p.hash FROM shoppers s JOIN passwords p USING (tenant_id, shopper_id) WHERE s.email = $1"#,
        normalise(email)
    )
    .fetch_optional(&mut *tx)
    .await?;
    // Hashing takes tens of milliseconds: no connection is held through it.
    drop(tx);
    let (shopper, hash) = account.map(|account| (account.id, account.hash)).unzip();
    let matches = password::verify(password, hash).await?;
    let shopper = shopper.filter(|_| matches).ok_or(IdentityError::WrongCredentials)?;
    let mut tx = web.begin(Scope::tenant(store.id)).await?;
    let (token, session) = sessions::open(&mut tx, shopper, now, lifetimes).await?;
    tx.commit().await?;
    Ok(LoggedIn {
        token,
        session,
        shopper,
    })
}

/// Sets an imported shopper's password from the command line. False when the store has no such shopper.
pub async fn set_password(
    executor: &Pool<Executor>,
    store: &Tenant,
    email_or_external_id: &str,
    password: SecretString,
    now: DateTime<Utc>,
) -> Result<bool, IdentityError> {
    let hash = password::hash(password).await?;
    let mut tx = executor.begin(Scope::tenant(store.id)).await?;
    let found = sqlx::query!(
        r#"SELECT shopper_id AS "id: ShopperId" FROM shoppers WHERE external_id = $1 OR email = $2"#,
        email_or_external_id,
        normalise(email_or_external_id)
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(false) };
    store_hash(&mut tx, found.id, &hash, now).await?;
    tx.commit().await?;
    Ok(true)
}

async fn store_hash<R: tenancy::Role>(
    tx: &mut Tx<R>,
    shopper: ShopperId,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    sqlx::query!(
        "INSERT INTO passwords (tenant_id, shopper_id, hash, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, shopper_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        hash,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn normalise(email: &str) -> String {
    email.trim().to_lowercase()
}
