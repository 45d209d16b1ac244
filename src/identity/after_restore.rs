//! What happens to proofs when a backup is restored. A session or key that was revoked after the dump is live again in it, so all of them end.

use chrono::{DateTime, Utc};

use crate::tenancy::{
    Executor, Tx,
    audit::{self, Actor, Entry},
};

/// Ends every session, API key, invitation, link and code of the bound store, with an audit entry. Passwords and second factors stay.
pub async fn end_proofs(tx: &mut Tx<Executor>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL",
        tenant,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE staff_sessions SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL",
        tenant,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL",
        tenant,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("DELETE FROM codes WHERE tenant_id = $1", tenant)
        .execute(&mut **tx)
        .await?;
    let system = Actor::system();
    let entry = Entry::new(&system, "proofs.end", ("backup", "restored"), now);
    audit::append(tx, entry).await
}
