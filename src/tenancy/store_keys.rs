//! The publishable keys of a store: added, listed, revoked. One always remains, or nobody could sign in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Role, StoreKey, Tx, Web};

/// A key as staff see it. It opens nothing by itself, so it is shown in full.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListedKey {
    pub id: Uuid,
    #[schema(example = "pk_AZq…")]
    pub key: String,
    pub created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Adds a key to the bound store.
pub async fn add<R: Role>(tx: &mut Tx<R>) -> Result<StoreKey, sqlx::Error> {
    let key = StoreKey::generate(tx.tenant_id());
    insert(tx, &key).await?;
    Ok(key)
}

pub(super) async fn insert<R: Role>(tx: &mut Tx<R>, key: &StoreKey) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO store_keys (tenant_id, id, key) VALUES ($1, $2, $3)",
        key.tenant().as_uuid(),
        Uuid::now_v7(),
        key.as_str()
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The bound store's keys, newest first.
pub async fn list(tx: &mut Tx<Web>) -> Result<Vec<ListedKey>, sqlx::Error> {
    sqlx::query_as!(
        ListedKey,
        "SELECT id, key, created_at, revoked_at FROM store_keys ORDER BY revoked_at IS NOT NULL, id DESC"
    )
    .fetch_all(&mut **tx)
    .await
}

/// The result of revoking a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    Done,
    /// It is the only key: without it, shoppers and staff could not sign in any more.
    Last,
    NotFound,
}

/// Revokes a key, at once.
pub async fn revoke(tx: &mut Tx<Web>, id: Uuid, now: DateTime<Utc>) -> Result<Revoked, sqlx::Error> {
    // All live keys are locked, so that two callers who revoke one each do not leave none.
    let live = sqlx::query_scalar!("SELECT id FROM store_keys WHERE revoked_at IS NULL ORDER BY id FOR UPDATE")
        .fetch_all(&mut **tx)
        .await?;
    match (live.contains(&id), live.len()) {
        (false, _) => return Ok(Revoked::NotFound),
        (true, 1) => return Ok(Revoked::Last),
        _ => {}
    }
    sqlx::query!("UPDATE store_keys SET revoked_at = $2 WHERE id = $1", id, now)
        .execute(&mut **tx)
        .await?;
    Ok(Revoked::Done)
}
