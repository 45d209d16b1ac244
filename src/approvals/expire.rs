//! Expires proposals that nobody decided in time.

use chrono::{DateTime, Utc};

use super::{
    State,
    outcome::{self, Settled},
};
use crate::{
    ids::{ProposalId, ShopperId, TenantId},
    language::TextKey,
    ledger,
    tenancy::{self, Executor, Pool, Scope, audit::Actor},
};

/// What the shopper reads when a proposal expires.
pub(super) const EXPIRED: TextKey = TextKey("request-expired");

const NOT_PAID_IN_TIME: TextKey = TextKey("request-not-paid-in-time");
/// How long a shopper has to pay: Stripe's Checkout Sessions last 24 hours.
const PAYMENT_DEADLINE: chrono::Duration = chrono::Duration::hours(24);
/// How long a provider or staff has to collect: bank debits take up to 14 days (Stripe's guide to ACH and BACS).
const COLLECTION_DEADLINE: chrono::Duration = chrono::Duration::days(30);

/// Expires the overdue proposals of every tenant, each with its message, audit entry and outbox row. Returns how many.
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
        r#"SELECT id AS "id: ProposalId", shopper_id AS "shopper: ShopperId", conversation_id, plan_digest AS digest, state AS "state: State" FROM proposals
        WHERE state = 'pending' AND expires_at <= $1 OR state = 'needs_payment' AND updated_at <= $2 OR state = 'awaiting_payment' AND updated_at <= $3
        ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED"#,
        now,
        now - PAYMENT_DEADLINE,
        now - COLLECTION_DEADLINE
    )
    .fetch_all(&mut *tx)
    .await?;
    for proposal in &overdue {
        let settled = Settled {
            id: proposal.id,
            shopper: proposal.shopper,
            conversation: proposal.conversation_id,
            digest: &proposal.digest,
        };
        let text = match proposal.state {
            State::NeedsPayment | State::AwaitingPayment => NOT_PAID_IN_TIME.everywhere(),
            _ => EXPIRED.everywhere(),
        };
        let step = (proposal.state, State::Expired);
        outcome::settle(&mut tx, &settled, step, (text, None), &Actor::system(), now).await?;
        ledger::give_up(&mut tx, proposal.id, "not paid in time", now).await?;
    }
    tx.commit().await?;
    Ok(overdue.len())
}
