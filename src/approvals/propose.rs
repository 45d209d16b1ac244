//! Turns a plan into a proposal, the only thing that a write tool writes.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;

use super::{
    Awaiting, Plan, ProposalView, State, effects, list,
    policy::{self, Policy, Route},
};
use crate::{
    identity::Shopper,
    ids::{ConversationId, OrderId, ProposalId, TurnId},
    integrations::{platform_effects, webhook_delivery},
    language::TextKey,
    mail::{self, Mail},
    tenancy::{
        Tx, Web,
        audit::{self, Actor, Entry},
    },
};

/// How long a proposal waits for its decision.
const DECISION_DEADLINE: Duration = Duration::days(3);

/// A request of the model in a turn.
pub struct ProposalRequest<'a> {
    pub shopper: &'a Shopper,
    pub conversation: ConversationId,
    pub turn: TurnId,
    pub tool: &'static str,
    /// The validated arguments.
    pub arguments: Value,
    pub plan: Plan,
    /// The tool's policy where the store has set none.
    pub default_policy: Policy,
    pub now: DateTime<Utc>,
}

/// Why a plan did not become a proposal.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    #[error("this store has switched `{0}` off")]
    Off(&'static str),
    #[error("there are too many open requests; they must be decided first")]
    TooManyOpen,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Stores the proposal, or finds the open one that asks for the same. The caller commits.
pub async fn propose(tx: &mut Tx<Web>, mut asked: ProposalRequest<'_>) -> Result<ProposalView, ProposeError> {
    let policy = policy::load(tx, asked.tool, asked.default_policy).await?;
    let route = policy::route(&policy, &asked.plan, account_days(tx, &asked).await?);
    let (awaiting, deciders) = match route {
        Route::Refuse => return Err(ProposeError::Off(asked.tool)),
        // If the policy's limits are used up, staff decides.
        Route::Automatic => (Awaiting::Staff, 1),
        Route::Ask { whom, deciders } => (whom, deciders),
    };
    if let Some(open) = open_twin(tx, &asked).await? {
        return Ok(open);
    }
    if is_left_to_staff(tx, &asked.plan).await? {
        asked.plan = asked
            .plan
            .with_row(TextKey("detail-at-the-shop"), TextKey("detail-by-hand"));
    }
    let id = ProposalId::new();
    let order = asked.plan.order.as_ref();
    let stored = sqlx::query!(
        "INSERT INTO proposals (tenant_id, shopper_id, id, conversation_id, turn_id, tool, arguments, plan, plan_digest, order_id, order_version,
            amount_minor, currency, fingerprint, awaiting, deciders_needed, created_at, updated_at, expires_at, goods_minor)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $18, $19)
        ON CONFLICT (tenant_id, shopper_id, fingerprint) WHERE state IN ('pending', 'approved', 'executing', 'awaiting_payment', 'needs_payment') DO NOTHING",
        tx.tenant_id().as_uuid(),
        asked.shopper.id().as_uuid(),
        id.as_uuid(),
        asked.conversation.as_uuid(),
        asked.turn.as_uuid(),
        asked.tool,
        asked.arguments,
        Json(&asked.plan) as _,
        &asked.plan.digest()[..],
        order.map(|order| OrderId::as_uuid(order.id)),
        order.map(|order| order.version),
        asked.plan.amount.map(|amount| amount.minor),
        asked.plan.amount.map(|amount| amount.currency.to_string()),
        &fingerprint(&asked)[..],
        awaiting as Awaiting as _,
        deciders,
        asked.now,
        asked.now + DECISION_DEADLINE,
        asked.plan.goods.map(|goods| goods.minor)
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("at_most_ten_open") => ProposeError::TooManyOpen,
        _ => error.into(),
    })?;
    if stored.rows_affected() == 0 {
        // Another turn made the same request at the same time.
        return open_twin(tx, &asked).await?.ok_or(ProposeError::TooManyOpen);
    }
    let (state, awaiting) = match route == Route::Automatic && approve_by_policy(tx, &asked, id).await? {
        true => (State::Approved, Awaiting::Nobody),
        false => (State::Pending, awaiting),
    };
    let key = format!("proposal:{id}:received");
    mail::queue(
        tx,
        &Mail::ProposalReceived { proposal: id },
        "proposal_received",
        &key,
        asked.now,
    )
    .await?;
    let data = serde_json::json!({ "proposal_id": id, "tool": asked.tool, "state": state, "awaiting": awaiting });
    webhook_delivery::announce(tx, "proposal.created", &key, data, asked.now).await?;
    let after = serde_json::json!({ "tool": asked.tool, "state": state, "awaiting": awaiting, "plan": hex::encode(asked.plan.digest()) });
    let (actor, target_id) = (Actor::model(asked.turn), id.to_string());
    audit::append(
        tx,
        Entry {
            at: asked.now,
            actor: &actor,
            action: "proposal.create",
            target_kind: "proposal",
            target_id,
            before: None,
            after: Some(after),
        },
    )
    .await?;
    list::get(tx, id).await?.ok_or(ProposeError::TooManyOpen)
}

/// Whether the plan has a change that the shop's platform cannot make: whoever decides must know that people make it there.
async fn is_left_to_staff(tx: &mut Tx<Web>, plan: &Plan) -> Result<bool, sqlx::Error> {
    let Some(order) = &plan.order else { return Ok(false) };
    for ability in plan.changes.iter().filter_map(effects::ability_for) {
        if platform_effects::is_left_to_staff(tx, order.id, ability).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Approves the proposal by policy. False when the policy's limits are used up: a database function checks them and decides in one step.
async fn approve_by_policy(tx: &mut Tx<Web>, asked: &ProposalRequest<'_>, id: ProposalId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT approve_by_policy($1, $2) AS "approved!""#,
        id.as_uuid(),
        asked.now
    )
    .fetch_one(&mut **tx)
    .await
}

async fn account_days(tx: &mut Tx<Web>, asked: &ProposalRequest<'_>) -> Result<i64, sqlx::Error> {
    let created_at = sqlx::query_scalar!(
        "SELECT created_at FROM shoppers WHERE shopper_id = $1",
        asked.shopper.id().as_uuid()
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((asked.now - created_at).num_days())
}

async fn open_twin(tx: &mut Tx<Web>, asked: &ProposalRequest<'_>) -> Result<Option<ProposalView>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        r#"SELECT id AS "id: ProposalId" FROM proposals WHERE fingerprint = $1 AND state IN ('pending', 'approved', 'executing', 'awaiting_payment', 'needs_payment')"#,
        &fingerprint(asked)[..]
    )
    .fetch_optional(&mut **tx)
    .await?;
    match id {
        Some(id) => list::get(tx, id).await,
        None => Ok(None),
    }
}

/// The fingerprint of a request: equal for the same tool and arguments, however the model wrote the JSON.
fn fingerprint(asked: &ProposalRequest<'_>) -> [u8; 32] {
    Sha256::new_with_prefix(asked.tool)
        .chain_update([0])
        .chain_update(asked.arguments.to_string())
        .finalize()
        .into()
}
