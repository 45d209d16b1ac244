//! Proposals as shoppers and staff read them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;

use super::{Awaiting, Plan, State};
use crate::{
    ids::{ConversationId, OrderId, ProposalId, ShopperId},
    ledger::Payout,
    tenancy::{Role, Tx},
};

/// A proposal with its exact effect.
// No `Debug`: it holds private data.
#[derive(Clone, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct ProposalView {
    pub id: ProposalId,
    pub shopper_id: ShopperId,
    pub conversation_id: ConversationId,
    pub tool: String,
    pub state: State,
    pub awaiting: Awaiting,
    pub deciders_needed: i32,
    pub plan: Plan,
    /// SHA-256 of the plan, hexadecimal. A decision names it, so that it counts only for the plan that its decider was shown.
    pub digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The state of the money that is paid out for it; none where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout: Option<Payout>,
    /// The payment provider's page where the shopper pays before the change is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_link: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A named type, because sqlx's anonymous row type would require the personal data in it to be printable.
struct ProposalRow {
    id: ProposalId,
    shopper_id: ShopperId,
    conversation_id: ConversationId,
    tool: String,
    state: State,
    awaiting: Awaiting,
    deciders_needed: i32,
    plan: Json<Plan>,
    plan_digest: Vec<u8>,
    reason: Option<String>,
    payout: Option<Payout>,
    payment_link: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<ProposalRow> for ProposalView {
    fn from(row: ProposalRow) -> Self {
        Self {
            id: row.id,
            shopper_id: row.shopper_id,
            conversation_id: row.conversation_id,
            tool: row.tool,
            state: row.state,
            awaiting: row.awaiting,
            deciders_needed: row.deciders_needed,
            plan: row.plan.0,
            digest: hex::encode(row.plan_digest),
            reason: row.reason,
            payout: row.payout,
            payment_link: row.payment_link,
            created_at: row.created_at,
            updated_at: row.updated_at,
            expires_at: row.expires_at,
        }
    }
}

/// Selects proposals with all columns; the argument follows `FROM proposals`.
macro_rules! proposals {
    ($rest:literal, $($argument:tt)*) => {
        sqlx::query_as!(
            ProposalRow,
            r#"SELECT id AS "id: _", shopper_id AS "shopper_id: _", conversation_id AS "conversation_id: _", tool, state AS "state: _",
                awaiting AS "awaiting: _", deciders_needed, plan AS "plan: _", plan_digest, reason, payout AS "payout: _", created_at, updated_at, expires_at,
                (SELECT m.payment_link FROM money_movements m WHERE m.tenant_id = proposals.tenant_id AND m.proposal_id = proposals.id AND m.state = 'requested'
                    AND m.payment_link IS NOT NULL LIMIT 1) AS payment_link
            FROM proposals "# + $rest,
            $($argument)*
        )
    };
}

/// One proposal that the transaction may see.
pub async fn get<R: Role>(tx: &mut Tx<R>, id: ProposalId) -> Result<Option<ProposalView>, sqlx::Error> {
    let row = proposals!(r#"WHERE id = $1"#, id.as_uuid())
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map(Into::into))
}

/// The filter of a list.
#[derive(Default)]
pub struct Filter {
    pub state: Option<State>,
    pub tool: Option<String>,
    /// Only those made before this one.
    pub before: Option<ProposalId>,
    /// Only those made at this time or earlier.
    pub made_by: Option<DateTime<Utc>>,
    /// Only those that move at least this much, as decimal text in the store's currency.
    pub amount_from: Option<String>,
}

/// Proposals that the transaction may see, newest first.
pub async fn list<R: Role>(tx: &mut Tx<R>, limit: u32, filter: &Filter) -> Result<Vec<ProposalView>, sqlx::Error> {
    let rows = proposals!(
        r#"WHERE ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR tool = $3) AND ($4::uuid IS NULL OR id < $4)
            AND ($5::timestamptz IS NULL OR created_at <= $5) AND ($6::text IS NULL OR (plan->'amount'->>'amount')::numeric >= $6::numeric)
        ORDER BY id DESC LIMIT $1"#,
        i64::from(limit),
        filter.state as Option<State> as _,
        filter.tool,
        filter.before.map(ProposalId::as_uuid),
        filter.made_by,
        filter.amount_from
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Proposals made or changed after a time, in the order of their change, at most 100.
pub async fn changed_since<R: Role>(
    tx: &mut Tx<R>,
    (at, id): (DateTime<Utc>, ProposalId),
) -> Result<Vec<ProposalView>, sqlx::Error> {
    let rows = proposals!(
        r#"WHERE (updated_at, id) > ($1, $2) ORDER BY updated_at, id LIMIT 100"#,
        at,
        id.as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Whether a proposal of this tool was executed for an order, whatever became of the order since.
pub async fn executed_for<R: Role>(tx: &mut Tx<R>, tool: &str, order: OrderId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM proposals WHERE tenant_id = $1 AND tool = $2 AND order_id = $3 AND state = 'executed') AS "executed!""#,
        tx.tenant_id().as_uuid(),
        tool,
        order.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await
}
