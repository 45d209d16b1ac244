//! What is written when a proposal changes its state: the state, a message to the shopper, an outbox row, an audit entry.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::types::Json;

use super::State;
use crate::{
    ids::{ProposalId, ShopperId},
    integrations::webhook_delivery,
    language::LocalizedText,
    mail::{self, Mail},
    tenancy::{
        Role, Tx,
        audit::{self, Actor, Entry},
    },
};

/// The proposal that changes its state.
pub(super) struct Settled<'a> {
    pub id: ProposalId,
    pub shopper: ShopperId,
    pub conversation: uuid::Uuid,
    /// SHA-256 of the plan.
    pub digest: &'a [u8],
}

/// Moves a proposal from one state to the next, all within the caller's transaction. `text` is what the shopper reads, in the language of
/// the conversation.
pub(super) async fn settle<R: Role>(
    tx: &mut Tx<R>,
    proposal: &Settled<'_>,
    (from, to): (State, State),
    (text, reason): (LocalizedText, Option<&str>),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let id = proposal.id;
    sqlx::query!(
        "UPDATE proposals SET state = $2, reason = coalesce($3, reason), updated_at = $4 WHERE id = $1",
        id.as_uuid(),
        to as State as _,
        reason,
        now
    )
    .execute(&mut **tx)
    .await?;
    post_message(tx, proposal, &text, now).await?;
    let name = to.name();
    let mail = match to {
        State::Executed => Some(Mail::ProposalExecuted { proposal: id }),
        State::Rejected => Some(Mail::ProposalRejected { proposal: id }),
        State::Expired | State::Stale | State::Failed => Some(Mail::ProposalUndone { proposal: id }),
        State::NeedsPayment => Some(Mail::PaymentNeeded { proposal: id }),
        State::Pending | State::Approved | State::Executing | State::AwaitingPayment => None,
    };
    if let Some(mail) = mail {
        mail::queue(
            tx,
            &mail,
            &format!("proposal_{name}"),
            &format!("proposal:{id}:{name}"),
            now,
        )
        .await?;
    }
    let event = match (from, to) {
        (State::Pending, _) | (_, State::Rejected) => "proposal.decided",
        (_, State::AwaitingPayment) => "proposal.awaiting_payment",
        (_, State::NeedsPayment) => "proposal.needs_payment",
        _ => "proposal.executed",
    };
    let data = json!({ "proposal_id": id, "state": to });
    webhook_delivery::announce(tx, event, &format!("proposal:{id}:{name}"), data, now).await?;
    let entry = Entry {
        at: now,
        actor,
        action: &format!("proposal.{name}"),
        target_kind: "proposal",
        target_id: id.to_string(),
        before: Some(json!({ "state": from })),
        after: Some(json!({ "state": to, "plan": hex::encode(proposal.digest) })),
    };
    audit::append(tx, entry).await
}

/// Adds a message about a proposal to its conversation, unless the shopper was erased.
pub(super) async fn post_message<R: Role>(
    tx: &mut Tx<R>,
    proposal: &Settled<'_>,
    text: &LocalizedText,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO messages (tenant_id, shopper_id, id, conversation_id, author, source, body, created_at)
        SELECT $1, $2, $3, c.id, 'system', 'system', $5::jsonb->>c.language, $6 FROM conversations c JOIN shoppers s USING (tenant_id, shopper_id)
        WHERE c.tenant_id = $1 AND c.id = $4 AND s.shopper_id = $2 AND s.erased_at IS NULL",
        tx.tenant_id().as_uuid(),
        proposal.shopper.as_uuid(),
        uuid::Uuid::now_v7(),
        proposal.conversation,
        Json(text) as _,
        now
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
