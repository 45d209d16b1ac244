//! Decisions on proposals: by staff with the role, or by the shopper whose proposal it is.

use chrono::{DateTime, Utc};

use super::{
    Awaiting, ProposalView, State,
    expire::EXPIRED,
    list,
    outcome::{self, Settled},
};

use crate::{
    identity::{Shopper, StaffMember, mailbox},
    ids::{OrderId, ProposalId, ShopperId},
    jobs,
    language::{LocalizedText, TextKey},
    ledger,
    tenancy::{
        Pool, Scope, Tx, Web,
        audit::{self, Actor, Entry},
    },
};

/// The reason of a proposal that was withdrawn.
const WITHDRAWN: &str = "withdrawn";

const APPROVED: TextKey = TextKey("request-approved");
const TAKEN_BACK: TextKey = TextKey("request-withdrawn");
/// The reason that staff wrote follows.
const NOT_APPROVED: TextKey = TextKey("request-rejected");
const ORDER_CHANGED: TextKey = TextKey("request-order-changed");

/// Who decides. Both are proofs of a live session.
pub enum Decider<'a> {
    Shopper(&'a Shopper),
    /// An approver or admin; the route's extractor has checked the role.
    Staff(&'a StaffMember),
}

/// The decision.
pub enum Verdict {
    /// Approves. Names the digest of the plan that the decider was shown.
    Approve {
        digest: String,
    },
    Reject {
        reason: String,
    },
    /// Withdraws: by the shopper, or by staff for a shopper who asked for it elsewhere.
    Withdraw,
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("no such proposal")]
    NotFound,
    #[error("this is not yours to decide")]
    Forbidden,
    /// It was decided already, has expired, or its order has changed.
    #[error("the proposal is {0:?}")]
    Conflict(State),
    /// The decider was shown another plan.
    #[error("the plan is not the one you were shown")]
    NotAsShown,
    #[error("you have decided on this proposal; a second person must")]
    SecondPersonNeeded,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

struct Locked {
    shopper: ShopperId,
    conversation: uuid::Uuid,
    state: State,
    awaiting: Awaiting,
    deciders_needed: i32,
    digest: Vec<u8>,
    order: Option<OrderId>,
    order_version: Option<i64>,
    expires_at: DateTime<Utc>,
    email: Option<String>,
}

/// Decides. The decision's row, the conversation's message, the audit entry and the job are written in one transaction.
pub async fn decide(
    web: &Pool<Web>,
    decider: Decider<'_>,
    id: ProposalId,
    verdict: Verdict,
    request_id: Option<String>,
    now: DateTime<Utc>,
) -> Result<ProposalView, DecideError> {
    let scope = match &decider {
        Decider::Shopper(shopper) => shopper.scope(),
        Decider::Staff(staff) => Scope::tenant(staff.tenant()),
    };
    let mut tx = web.begin(scope).await?;
    let proposal = lock(&mut tx, id).await?.ok_or(DecideError::NotFound)?;
    let unpaid = matches!(proposal.state, State::AwaitingPayment | State::NeedsPayment);
    let can_end = proposal.state == State::Pending || unpaid && matches!(verdict, Verdict::Withdraw);
    // Whether the caller may decide matters only while the proposal can be decided: later, its state explains more.
    if !can_end {
        return Err(DecideError::Conflict(proposal.state));
    }
    may_decide(&decider, &proposal, &verdict)?;
    if let (false, Some(end)) = (unpaid, ended_by_itself(&mut tx, &proposal, now).await?) {
        settle(&mut tx, id, &proposal, end, None, &Actor::system(), now).await?;
        tx.commit().await?;
        return Err(DecideError::Conflict(end));
    }
    let actor = match &decider {
        Decider::Shopper(shopper) => Actor::shopper(shopper.id()),
        Decider::Staff(staff) => staff.actor(),
    }
    .in_request(request_id);
    if let Verdict::Approve { digest: shown } = &verdict
        && *shown != hex::encode(&proposal.digest)
    {
        return Err(DecideError::NotAsShown);
    }
    record(&mut tx, id, &proposal, &decider, &verdict, now).await?;
    match verdict {
        Verdict::Reject { reason } => {
            settle(&mut tx, id, &proposal, State::Rejected, Some(&reason), &actor, now).await?;
        }
        Verdict::Withdraw => {
            settle(&mut tx, id, &proposal, State::Rejected, Some(WITHDRAWN), &actor, now).await?;
            ledger::give_up(&mut tx, id, WITHDRAWN, now).await?;
        }
        Verdict::Approve { .. } if approvals(&mut tx, id).await? < i64::from(proposal.deciders_needed) => {
            let entry = Entry {
                at: now,
                actor: &actor,
                action: "proposal.approve_first",
                target_kind: "proposal",
                target_id: id.to_string(),
                before: None,
                after: None,
            };
            audit::append(&mut tx, entry).await?;
        }
        Verdict::Approve { .. } => {
            settle(&mut tx, id, &proposal, State::Approved, None, &actor, now).await?;
            jobs::enqueue_execution(&mut tx, id).await?;
        }
    }
    let view = list::get(&mut tx, id).await?.ok_or(DecideError::NotFound)?;
    tx.commit().await?;
    Ok(view)
}

async fn lock(tx: &mut Tx<Web>, id: ProposalId) -> Result<Option<Locked>, sqlx::Error> {
    sqlx::query_as!(
        Locked,
        r#"SELECT p.shopper_id AS "shopper: ShopperId", p.conversation_id AS conversation, p.state AS "state: State", p.awaiting AS "awaiting: Awaiting",
            p.deciders_needed, p.plan_digest AS digest, p.order_id AS "order: OrderId", p.order_version, p.expires_at, s.email
        FROM proposals p JOIN shoppers s USING (tenant_id, shopper_id) WHERE p.id = $1 FOR UPDATE OF p"#,
        id.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A shopper decides on what awaits the shopper; staff on what awaits staff, but never on their own requests. A shopper may always
/// withdraw; staff may reject or withdraw what is not their own.
fn may_decide(decider: &Decider<'_>, proposal: &Locked, verdict: &Verdict) -> Result<(), DecideError> {
    let allowed = match (decider, verdict) {
        (Decider::Shopper(_), Verdict::Approve { .. }) => proposal.awaiting == Awaiting::Shopper,
        (Decider::Shopper(_), Verdict::Withdraw) => true,
        (Decider::Shopper(_), Verdict::Reject { .. }) => false,
        (Decider::Staff(staff), Verdict::Approve { .. }) => {
            proposal.awaiting == Awaiting::Staff && !is_own_request(staff, proposal)
        }
        (Decider::Staff(staff), Verdict::Reject { .. } | Verdict::Withdraw) => !is_own_request(staff, proposal),
    };
    if allowed { Ok(()) } else { Err(DecideError::Forbidden) }
}

/// Whether the member of staff, or the maker of the key, is the shopper: their addresses are one mailbox.
fn is_own_request(staff: &StaffMember, proposal: &Locked) -> bool {
    proposal.email.as_deref().map(mailbox) == Some(mailbox(staff.email()))
}

/// The state in which a pending proposal has ended by itself: it expired, or its order changed.
async fn ended_by_itself(
    tx: &mut Tx<Web>,
    proposal: &Locked,
    now: DateTime<Utc>,
) -> Result<Option<State>, sqlx::Error> {
    if proposal.expires_at <= now {
        return Ok(Some(State::Expired));
    }
    let Some(order) = proposal.order else { return Ok(None) };
    let version = sqlx::query_scalar!("SELECT version FROM orders WHERE id = $1", order.as_uuid())
        .fetch_optional(&mut **tx)
        .await?;
    Ok((version != proposal.order_version).then_some(State::Stale))
}

async fn record(
    tx: &mut Tx<Web>,
    id: ProposalId,
    proposal: &Locked,
    decider: &Decider<'_>,
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<(), DecideError> {
    let (kind, decider_id) = match decider {
        Decider::Shopper(shopper) => ("shopper", shopper.id().as_uuid()),
        Decider::Staff(staff) if staff.is_machine() => ("machine", staff.id()),
        Decider::Staff(staff) => ("staff", staff.id()),
    };
    let (verdict, reason) = match verdict {
        Verdict::Approve { .. } => ("approve", None),
        Verdict::Reject { reason } => ("reject", Some(reason.as_str())),
        Verdict::Withdraw => ("withdraw", None),
    };
    let stored = sqlx::query!(
        "INSERT INTO decisions (tenant_id, shopper_id, id, proposal_id, decider_kind, decider_id, verdict, reason, plan_digest, order_version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        tx.tenant_id().as_uuid(),
        proposal.shopper.as_uuid(),
        uuid::Uuid::now_v7(),
        id.as_uuid(),
        kind,
        decider_id,
        verdict,
        reason,
        proposal.digest,
        proposal.order_version,
        now
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        // The role or the account was taken away a moment ago, or the store takes no decisions of keys.
        Some("decider_may_decide") => DecideError::Forbidden,
        _ => error.into(),
    })?;
    if stored.rows_affected() == 1 {
        Ok(())
    } else {
        Err(DecideError::SecondPersonNeeded)
    }
}

/// How many approvals count now.
async fn approvals(tx: &mut Tx<Web>, id: ProposalId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "approvals!" FROM standing_approvals WHERE tenant_id = $2 AND proposal_id = $1"#,
        id.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_one(&mut **tx)
    .await
}

/// Moves a proposal on from the state in which it was locked.
async fn settle(
    tx: &mut Tx<Web>,
    id: ProposalId,
    proposal: &Locked,
    to: State,
    reason: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let text = match (to, reason) {
        (State::Approved, _) => APPROVED.everywhere(),
        (State::Rejected, Some(WITHDRAWN)) => TAKEN_BACK.everywhere(),
        (State::Rejected, reason) => LocalizedText::from_fn(|language| {
            format!("{} {}", NOT_APPROVED.in_language(language), reason.unwrap_or_default())
        }),
        (State::Expired, _) => EXPIRED.everywhere(),
        _ => ORDER_CHANGED.everywhere(),
    };
    let settled = Settled {
        id,
        shopper: proposal.shopper,
        conversation: proposal.conversation,
        digest: &proposal.digest,
    };
    outcome::settle(tx, &settled, (proposal.state, to), (text, reason), actor, now).await
}
