//! The executor: does what was approved, once.
//!
//! The effect, the proposal's last state, the audit and the outbox are one transaction. A crash before its commit leaves
//! nothing and the job comes again; after it, the state says that there is nothing left to do.

use std::{pin::Pin, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;

use super::{
    Plan, PlanError, State,
    outcome::{self, Settled},
};
use crate::{
    ids::{OrderId, ProposalId, ShopperId, TenantId},
    integrations::{
        crm, payments,
        shop::{self, Operation},
        webhooks_out,
    },
    language::Worded,
    store::{
        changes::{self, Change, ChangeError, Target},
        orders::{OrderStatus, PaymentKind},
    },
    tenancy::{self, Pool, Scope, Tx, audit::Actor},
};

const DONE: Worded = Worded {
    en: "Done:",
    de: "Erledigt:",
};
const NO_LONGER_FITS: Worded = Worded {
    en: "Your request no longer fits, because something changed meanwhile. Nothing was done. Please ask again.",
    de: "Ihre Anfrage passt nicht mehr, weil sich inzwischen etwas geändert hat. Es ist nichts geschehen. Bitte fragen Sie noch einmal.",
};
const NOT_POSSIBLE: Worded = Worded {
    en: "Your request could not be carried out. Nothing was done. Our staff has been told.",
    de: "Ihre Anfrage konnte nicht ausgeführt werden. Es ist nichts geschehen. Unser Team weiß davon.",
};

/// Plans a tool's effect again, by its name. The tools' registry is one.
pub trait Planner: Send + Sync + 'static {
    fn plan<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Value,
        shopper: ShopperId,
        tx: &'a mut Tx<tenancy::Executor>,
    ) -> Pin<Box<dyn Future<Output = Result<Plan, PlanError>> + Send + 'a>>;
}

#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What became of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// There was nothing to do: done already, or never approved.
    Nothing,
    Ended(State),
}

#[derive(Clone)]
pub struct Executor {
    pool: Pool<tenancy::Executor>,
    planner: Arc<dyn Planner>,
}

struct Claimed {
    shopper: ShopperId,
    conversation: uuid::Uuid,
    tool: String,
    arguments: Value,
    plan: Json<Plan>,
    order: Option<OrderId>,
    order_version: Option<i64>,
}

impl Executor {
    pub fn new(pool: Pool<tenancy::Executor>, planner: Arc<dyn Planner>) -> Self {
        Self { pool, planner }
    }

    /// Does an approved proposal. May be called again after any failure, and at the same time by others.
    pub async fn execute(&self, tenant: TenantId, id: ProposalId, now: DateTime<Utc>) -> Result<Done, ExecuteError> {
        let Some(claimed) = self.claim(tenant, id, now).await? else {
            return Ok(Done::Nothing);
        };
        let Some(mut tx) = self.lock_executing(tenant, id, claimed.shopper).await? else {
            return Ok(Done::Nothing);
        };
        if let Some(order) = claimed.order {
            sqlx::query!("SELECT id FROM orders WHERE id = $1 FOR UPDATE", order.as_uuid())
                .fetch_optional(&mut *tx)
                .await?;
        }
        let target = Target {
            shopper: claimed.shopper,
            proposal: id,
            order: claimed.order.zip(claimed.order_version),
        };
        let end = match self
            .planner
            .plan(&claimed.tool, &claimed.arguments, claimed.shopper, &mut tx)
            .await
        {
            Err(PlanError::Database(error)) => return Err(error.into()),
            Err(_) => State::Stale,
            Ok(plan) if !plan.does_as(&claimed.plan) => State::Stale,
            Ok(plan) => match changes::apply(&mut tx, &target, &plan.changes, now).await {
                Ok(()) => {
                    self.tell_other_systems(&mut tx, &target, &plan, now).await?;
                    State::Executed
                }
                Err(ChangeError::Database(error)) if may_pass(&error) => return Err(error.into()),
                Err(error) => {
                    // Nothing of the effect may stay: start over in a clean transaction that only records the end.
                    drop(tx);
                    tracing::error!(proposal = %id, error = %describe(&error), "an approved effect could not be made");
                    let end = if matches!(error, ChangeError::Stale) {
                        State::Stale
                    } else {
                        State::Failed
                    };
                    return self.record_end(tenant, id, &claimed, end, now).await;
                }
            },
        };
        finish(&mut tx, id, &claimed, end, now).await?;
        tx.commit().await?;
        Ok(Done::Ended(end))
    }

    /// Marks the proposal as being executed. None when it is not approved, or ended.
    async fn claim(
        &self,
        tenant: TenantId,
        id: ProposalId,
        now: DateTime<Utc>,
    ) -> Result<Option<Claimed>, sqlx::Error> {
        let mut tx = self.pool.begin(Scope::tenant(tenant)).await?;
        let claimed = sqlx::query_as!(
            Claimed,
            r#"UPDATE proposals SET state = 'executing', attempts = attempts + 1, updated_at = $2
            WHERE id = $1 AND state IN ('approved', 'executing')
            RETURNING shopper_id AS "shopper: ShopperId", conversation_id AS conversation, tool, arguments, plan AS "plan: Json<Plan>",
                order_id AS "order: OrderId", order_version"#,
            id.as_uuid(),
            now
        )
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Queues what an effect means elsewhere: money back at the payment provider, a note in the CRM, a person called.
    async fn tell_other_systems(
        &self,
        tx: &mut Tx<tenancy::Executor>,
        target: &Target,
        plan: &Plan,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        for (position, change) in plan.changes.iter().enumerate() {
            match (change, target.order) {
                (
                    Change::Payment {
                        kind: PaymentKind::Refund,
                        amount,
                        payment_method_id,
                    },
                    Some((order, _)),
                ) => {
                    let refund = (target.proposal, position);
                    let at_provider =
                        payments::queue_refund(tx, refund, (order, payment_method_id), *amount, now).await?;
                    if !at_provider && !is_gift_card(tx, payment_method_id).await? {
                        let operation = Operation::Refund {
                            amount: amount.amount(),
                        };
                        shop::queue(tx, refund, order, operation, now).await?;
                    }
                }
                (Change::Status { to, .. }, Some((order, _))) => {
                    if let Some(operation) = at_the_shop(*to) {
                        shop::queue(tx, (target.proposal, position), order, operation, now).await?;
                    }
                }
                (Change::OrderAddress { .. }, Some((order, _))) => {
                    shop::queue(tx, (target.proposal, position), order, Operation::Address, now).await?;
                }
                (Change::CrmNote { .. }, _) => crm::queue_note(tx, target.proposal, now).await?,
                (Change::HandOff { .. }, _) => {
                    let data = serde_json::json!({ "proposal_id": target.proposal });
                    let key = format!("handed_off:{}", target.proposal);
                    webhooks_out::announce(tx, "conversation.handed_off", &key, data, now).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A transaction that holds the proposal while it is executing. Whoever comes second waits here, and then finds the
    /// state moved on: None.
    async fn lock_executing(
        &self,
        tenant: TenantId,
        id: ProposalId,
        shopper: ShopperId,
    ) -> Result<Option<Tx<tenancy::Executor>>, sqlx::Error> {
        let mut tx = self.pool.begin(Scope::shopper(tenant, shopper)).await?;
        let state = sqlx::query_scalar!(
            r#"SELECT state AS "state: State" FROM proposals WHERE id = $1 FOR UPDATE"#,
            id.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok((state == State::Executing).then_some(tx))
    }

    async fn record_end(
        &self,
        tenant: TenantId,
        id: ProposalId,
        claimed: &Claimed,
        end: State,
        now: DateTime<Utc>,
    ) -> Result<Done, ExecuteError> {
        let Some(mut tx) = self.lock_executing(tenant, id, claimed.shopper).await? else {
            return Ok(Done::Nothing);
        };
        finish(&mut tx, id, claimed, end, now).await?;
        tx.commit().await?;
        Ok(Done::Ended(end))
    }
}

/// A gift card's balance is the store's own, and is back already.
async fn is_gift_card(tx: &mut Tx<tenancy::Executor>, payment_method: &str) -> Result<bool, sqlx::Error> {
    let kind = sqlx::query_scalar!(
        "SELECT kind FROM payment_methods WHERE external_id = $1",
        payment_method
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(kind.as_deref() == Some("gift_card"))
}

/// What an order's new status means at the shop's platform.
fn at_the_shop(status: OrderStatus) -> Option<Operation> {
    match status {
        OrderStatus::Cancelled => Some(Operation::Cancel),
        OrderStatus::ReturnRequested | OrderStatus::ExchangeRequested => Some(Operation::TagReturn),
        _ => None,
    }
}

/// Serialisation failures, deadlocks and lost connections go away by themselves.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("40") || code.starts_with("57") || code.starts_with("08") || code.starts_with("53")
        }),
        _ => true,
    }
}

fn describe(error: &ChangeError) -> String {
    match error {
        ChangeError::Database(error) => crate::telemetry::cause(error),
        other => other.to_string(),
    }
}

async fn finish(
    tx: &mut Tx<tenancy::Executor>,
    id: ProposalId,
    claimed: &Claimed,
    end: State,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let text = match end {
        State::Executed => DONE.each(|language, done| format!("{done} {}", claimed.plan.summary_in(language))),
        State::Stale => NO_LONGER_FITS.owned(),
        _ => NOT_POSSIBLE.owned(),
    };
    let settled = Settled {
        id,
        shopper: claimed.shopper,
        conversation: claimed.conversation,
        digest: &claimed.plan.digest(),
    };
    let step = (State::Executing, end);
    outcome::settle(tx, &settled, step, (text, None), &Actor::system(), now).await
}
