//! The keys with which a store's own site signs assertions of who its visitor is. Several are valid at once, so that they can be rotated.

use chrono::{DateTime, Utc};

use super::IdentityError;
use crate::{
    keyring::{Keyring, Purpose},
    tenancy::{Executor, Tx},
};

/// The algorithm of a key. It is fixed with the key: an assertion's own `alg` is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type, clap::ValueEnum)]
#[sqlx(type_name = "text")]
pub enum Algorithm {
    /// Ed25519: the site keeps the private key, this server holds the public one.
    #[sqlx(rename = "EdDSA")]
    #[value(name = "eddsa")]
    EdDsa,
    /// HMAC with a secret that both sides hold.
    #[sqlx(rename = "HS256")]
    #[value(name = "hs256")]
    Hs256,
}

/// A key as the operator sees it.
pub struct AssertionKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Whether the key is encrypted with the server's current secret, where it is encrypted.
    pub current: bool,
}

/// Registers the raw 32-byte public key of an Ed25519 pair.
pub async fn add_public_key(
    tx: &mut Tx<Executor>,
    kid: &str,
    public_key: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    insert(tx, kid, Algorithm::EdDsa, public_key, now).await
}

/// Creates a shared secret: 64 hexadecimal digits, shown only this once, whose text is the HMAC key.
pub async fn add_shared_secret(
    tx: &mut Tx<Executor>,
    keyring: &Keyring,
    kid: &str,
    now: DateTime<Utc>,
) -> Result<String, IdentityError> {
    let secret = hex::encode(rand::random::<[u8; 32]>());
    let sealed = keyring
        .seal(Purpose::Assertion, secret.as_bytes())
        .ok_or(IdentityError::Crypto)?;
    insert(tx, kid, Algorithm::Hs256, &sealed, now).await?;
    Ok(secret)
}

async fn insert(
    tx: &mut Tx<Executor>,
    kid: &str,
    algorithm: Algorithm,
    key: &[u8],
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    sqlx::query!(
        "INSERT INTO assertion_keys (tenant_id, kid, algorithm, key, created_at) VALUES ($1, $2, $3, $4, $5)",
        tx.tenant_id().as_uuid(),
        kid,
        algorithm as Algorithm as _,
        key,
        now
    )
    .execute(&mut **tx)
    .await
    .map_err(
        |error| match error.as_database_error().and_then(|error| error.constraint()) {
            Some("assertion_keys_pkey") => IdentityError::Field("kid", "is taken"),
            Some("assertion_keys_kid_check") => {
                IdentityError::Field("kid", "must be 1 to 64 letters, digits, hyphens or underscores")
            }
            _ => error.into(),
        },
    )?;
    Ok(())
}

/// All keys, newest first.
pub async fn list(tx: &mut Tx<Executor>, keyring: &Keyring) -> Result<Vec<AssertionKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kid, algorithm AS "algorithm: Algorithm", key, created_at, revoked_at FROM assertion_keys ORDER BY created_at DESC, kid"#
    )
    .fetch_all(&mut **tx)
    .await?;
    let keys = rows.into_iter().map(|row| AssertionKey {
        current: row.algorithm == Algorithm::EdDsa || keyring.is_current(&row.key),
        kid: row.kid,
        algorithm: row.algorithm,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
    });
    Ok(keys.collect())
}

/// Revokes a key. False when there is no such live key.
pub async fn revoke(tx: &mut Tx<Executor>, kid: &str, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let revoked = sqlx::query!(
        "UPDATE assertion_keys SET revoked_at = $2 WHERE kid = $1 AND revoked_at IS NULL",
        kid,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(revoked.rows_affected() == 1)
}

/// Encrypts with the current secret what was encrypted with the old one. Returns how many keys that were.
pub async fn reseal(tx: &mut Tx<Executor>, keyring: &Keyring) -> Result<usize, IdentityError> {
    let rows = sqlx::query!("SELECT kid, key FROM assertion_keys WHERE algorithm = 'HS256' FOR UPDATE")
        .fetch_all(&mut **tx)
        .await?;
    let mut resealed = 0;
    for row in rows.into_iter().filter(|row| !keyring.is_current(&row.key)) {
        let plain = keyring
            .open(Purpose::Assertion, &row.key)
            .ok_or(IdentityError::Crypto)?;
        let sealed = keyring.seal(Purpose::Assertion, &plain).ok_or(IdentityError::Crypto)?;
        sqlx::query!("UPDATE assertion_keys SET key = $2 WHERE kid = $1", row.kid, sealed)
            .execute(&mut **tx)
            .await?;
        resealed += 1;
    }
    Ok(resealed)
}
