//! Proposals that nobody decided in time.

use chrono::{DateTime, Utc};

use super::{State, list};
use crate::{
    ids::{ProposalId, ShopperId, TenantId},
    jobs,
    tenancy::{
        self, Executor, Pool, Scope,
        audit::{self, Actor, Entry},
    },
};

/// Ends every tenant's overdue proposals, each with its message, audit and outbox row. Returns how many.
pub async fn expire_overdue(pool: &Pool<Executor>, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut expired = 0;
    for tenant in tenancy::all(pool).await? {
        expired += expire_of(pool, tenant, now).await?;
    }
    Ok(expired)
}

async fn expire_of(pool: &Pool<Executor>, tenant: TenantId, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut tx = pool.begin(Scope::tenant(tenant)).await?;
    let overdue = sqlx::query!(
        r#"UPDATE proposals SET state = 'expired', updated_at = $1 WHERE id IN (
            SELECT id FROM proposals WHERE state = 'pending' AND expires_at <= $1 ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
        RETURNING id AS "id: ProposalId", shopper_id AS "shopper: ShopperId", conversation_id"#,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    for proposal in &overdue {
        let text = "Your request was not decided in time and has expired.";
        list::tell(&mut tx, proposal.shopper, proposal.conversation_id, text, now).await?;
        let payload = serde_json::json!({ "proposal_id": proposal.id });
        jobs::outbox(
            &mut tx,
            "proposal_expired",
            &format!("proposal_expired:{}", proposal.id),
            payload,
            now,
        )
        .await?;
        let entry = Entry {
            at: now,
            actor: &Actor::system(),
            action: "proposal.expired",
            target_kind: "proposal",
            target_id: proposal.id.to_string(),
            before: Some(serde_json::json!({ "state": State::Pending })),
            after: Some(serde_json::json!({ "state": State::Expired })),
        };
        audit::append(&mut tx, entry).await?;
    }
    tx.commit().await?;
    Ok(overdue.len())
}
