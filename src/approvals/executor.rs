//! The executor: makes the changes of an approved proposal, once.
//!
//! The changes, the proposal's last state, the audit and the outbox rows are one transaction. After a crash before its commit nothing was
//! changed and the job runs again; after the commit, the state shows that nothing is left to do.
//!
//! A change that needs money in is a saga: the money is requested, and the change is made when the provider has confirmed it. If the change
//! can no longer be made by then, the money is given back.

use std::{pin::Pin, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;

use super::{
    Plan, PlanError, State,
    authority::{self, EligibleAt},
    coupons, effects,
    outcome::{self, Settled},
    payouts,
    policy::Policy,
    returns,
};
use crate::{
    ids::{OrderId, ProposalId, ShopperId, TenantId},
    integrations::payments,
    keyring::Keyring,
    language::{LocalizedText, TextKey},
    ledger::{self, Collection, LedgerError, Provider},
    store::changes::{self, ChangeError, Target},
    tenancy::{self, Pool, Scope, Tx, audit::Actor},
};

const NO_LONGER_FITS: TextKey = TextKey("request-stale");
const TOO_MANY_WAIT: TextKey = TextKey("request-too-many-wait");
const NOT_POSSIBLE: TextKey = TextKey("request-failed");

const STAFF_COLLECTS: TextKey = TextKey("request-staff-collects");
const CHARGING: TextKey = TextKey("request-charging");
const PLEASE_PAY: TextKey = TextKey("request-please-pay");
const NOT_PAID: TextKey = TextKey("request-not-paid");

/// Makes a tool's plan again, by the tool's name. Implemented by the tool registry.
pub trait Planner: Send + Sync + 'static {
    fn plan<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Value,
        shopper: ShopperId,
        tx: &'a mut Tx<tenancy::Executor>,
    ) -> Pin<Box<dyn Future<Output = Result<Plan, PlanError>> + Send + 'a>>;

    /// The tool's policy where a store has set none.
    fn default_policy(&self, tool: &str) -> Option<Policy>;
}

#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The money that a return pays out is missing: the job fails, and the operator is told.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The result of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// There was nothing to do: it was done already, or never approved.
    Nothing,
    Ended(State),
}

#[derive(Clone)]
pub struct ProposalExecutor {
    pool: Pool<tenancy::Executor>,
    planner: Arc<dyn Planner>,
    keyring: Arc<Keyring>,
}

/// What is to be done with a proposal.
enum Claim {
    Run(Box<ClaimedProposal>),
    /// It changed its state without an execution.
    Moved(State),
    Nothing,
}

struct ClaimedProposal {
    state: State,
    shopper: ShopperId,
    conversation: uuid::Uuid,
    tool: String,
    arguments: Value,
    plan: Json<Plan>,
    order: Option<OrderId>,
    order_version: Option<i64>,
}

impl ClaimedProposal {
    fn settled<'a>(&self, id: ProposalId, digest: &'a [u8]) -> Settled<'a> {
        Settled {
            id,
            shopper: self.shopper,
            conversation: self.conversation,
            digest,
        }
    }
}

impl ProposalExecutor {
    pub fn new(pool: Pool<tenancy::Executor>, planner: Arc<dyn Planner>, keyring: Arc<Keyring>) -> Self {
        Self { pool, planner, keyring }
    }

    /// Executes an approved proposal. Safe to call again after any failure, and concurrently.
    pub async fn execute(&self, tenant: TenantId, id: ProposalId, now: DateTime<Utc>) -> Result<Done, ExecuteError> {
        let claimed = match self.claim(tenant, id, now).await? {
            Claim::Run(claimed) => claimed,
            Claim::Moved(state) => return Ok(Done::Ended(state)),
            Claim::Nothing => return Ok(Done::Nothing),
        };
        let Some(mut tx) = self.lock_executing(tenant, id, claimed.shopper).await? else {
            return Ok(Done::Nothing);
        };
        if is_erased(&mut tx, claimed.shopper).await? {
            let step = (State::Executing, State::Stale);
            finish(&mut tx, id, &claimed, step, NO_LONGER_FITS.everywhere(), now).await?;
            tx.commit().await?;
            return Ok(Done::Ended(State::Stale));
        }
        if let Some(order) = claimed.order {
            sqlx::query!("SELECT id FROM orders WHERE id = $1 FOR UPDATE", order.as_uuid())
                .fetch_optional(&mut *tx)
                .await?;
        }
        let target = Target {
            shopper: claimed.shopper,
            proposal: id,
            order: claimed.order.zip(claimed.order_version),
            coupon_code: changes::coupon_code(&self.keyring, id),
        };
        let default = self.planner.default_policy(&claimed.tool);
        let eligible_at = match claimed.state {
            State::AwaitingPayment | State::NeedsPayment => EligibleAt::Request,
            _ => EligibleAt::Now,
        };
        let decided = match default {
            Some(default) => authority::is_authorized(&mut tx, id, &claimed.plan, default, eligible_at).await?,
            None => false,
        };
        if !decided {
            tracing::error!(proposal = %id, "a proposal came to execution without the decisions it needs");
            finish(
                &mut tx,
                id,
                &claimed,
                (State::Executing, State::Failed),
                NOT_POSSIBLE.everywhere(),
                now,
            )
            .await?;
            tx.commit().await?;
            return Ok(Done::Ended(State::Failed));
        }
        let planned = self
            .planner
            .plan(&claimed.tool, &claimed.arguments, claimed.shopper, &mut tx)
            .await;
        let (end, text) = match planned {
            Err(PlanError::Database(error)) => return Err(error.into()),
            Err(_) => (State::Stale, NO_LONGER_FITS.everywhere()),
            Ok(plan) if !plan.has_same_effect_as(&claimed.plan) => (State::Stale, NO_LONGER_FITS.everywhere()),
            Ok(plan) => match self.carry_out(&mut tx, &target, &plan, now).await {
                Ok(None) => {
                    let text = match coupons::done(&mut tx, id, &claimed.plan, now).await? {
                        Some(text) => text,
                        None => payouts::done(&mut tx, id, &claimed.plan).await?,
                    };
                    (State::Executed, text)
                }
                Ok(Some(Provider::Staff)) => (State::AwaitingPayment, claimed.plan.localized_message(STAFF_COLLECTS)),
                Ok(Some(_)) => (State::AwaitingPayment, claimed.plan.localized_message(CHARGING)),
                Err(ChangeError::Database(error)) if is_transient(&error) => return Err(error.into()),
                Err(error) => {
                    // None of the changes may stay: a clean transaction records only the end.
                    drop(tx);
                    tracing::error!(proposal = %id, error = %describe(&error), "an approved effect could not be made");
                    let end = match error {
                        ChangeError::Stale => (State::Stale, NO_LONGER_FITS.everywhere()),
                        ChangeError::Full => (State::Stale, TOO_MANY_WAIT.everywhere()),
                        _ => (State::Failed, NOT_POSSIBLE.everywhere()),
                    };
                    return self.record_end(tenant, id, &claimed, end, now).await;
                }
            },
        };
        finish(&mut tx, id, &claimed, (State::Executing, end), text, now).await?;
        tx.commit().await?;
        Ok(Done::Ended(end))
    }

    /// Collects the money that the plan needs, and makes its changes when all of it is there. Returns who was asked for money when some is
    /// still to come.
    async fn carry_out(
        &self,
        tx: &mut Tx<tenancy::Executor>,
        target: &Target,
        plan: &Plan,
        now: DateTime<Utc>,
    ) -> Result<Option<Provider>, ChangeError> {
        let needed = plan.money_in();
        if let (false, Some(purpose)) = (needed.is_empty(), effects::purpose(target)) {
            let mut asked = None;
            let needed = match ledger::collection(tx, target.proposal).await? {
                Collection::NotAsked => needed,
                Collection::Held => Vec::new(),
                // It was asked for once, and some of it is gone: the rest goes back, and nobody is charged a second time.
                Collection::Waiting | Collection::LinkOpen | Collection::Failed => return Err(ChangeError::Stale),
            };
            for money in needed {
                match payments::collect(tx, purpose, money, now).await? {
                    Provider::Demo => {}
                    provider => asked = Some(provider),
                }
            }
            if asked.is_some() {
                return Ok(asked);
            }
        }
        changes::apply(tx, target, &plan.changes, now).await?;
        if !plan.holds_money() {
            ledger::settle(tx, target.proposal, now).await?;
        }
        effects::queue_follow_ups(tx, target, plan, now).await?;
        Ok(None)
    }

    /// Looks at the state of the proposal and its money, and moves it on. The answer tells what to do when it is claimed for execution.
    async fn claim(&self, tenant: TenantId, id: ProposalId, now: DateTime<Utc>) -> Result<Claim, ExecuteError> {
        let mut tx = self.pool.begin(Scope::tenant(tenant)).await?;
        let found = sqlx::query_as!(
            ClaimedProposal,
            r#"SELECT state AS "state: State", shopper_id AS "shopper: ShopperId", conversation_id AS conversation, tool, arguments, plan AS "plan: Json<Plan>",
                order_id AS "order: OrderId", order_version FROM proposals WHERE id = $1 FOR UPDATE"#,
            id.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(claimed) = found else {
            return Ok(Claim::Nothing);
        };
        let claim = match (claimed.state, ledger::collection(&mut tx, id).await?) {
            (State::Approved | State::Executing, _)
            | (State::AwaitingPayment | State::NeedsPayment, Collection::Held) => {
                sqlx::query!(
                    "UPDATE proposals SET state = 'executing', attempts = attempts + 1, updated_at = $2 WHERE id = $1",
                    id.as_uuid(),
                    now
                )
                .execute(&mut *tx)
                .await?;
                Claim::Run(Box::new(claimed))
            }
            (State::AwaitingPayment, Collection::LinkOpen) => {
                let link = ledger::payment_link(&mut tx, id).await?.unwrap_or_default();
                let text = PLEASE_PAY.everywhere_with(&[("link", link.into())]);
                let step = (State::AwaitingPayment, State::NeedsPayment);
                finish(&mut tx, id, &claimed, step, text, now).await?;
                Claim::Moved(State::NeedsPayment)
            }
            (from @ (State::AwaitingPayment | State::NeedsPayment), Collection::Failed) => {
                finish(&mut tx, id, &claimed, (from, State::Failed), NOT_PAID.everywhere(), now).await?;
                Claim::Moved(State::Failed)
            }
            // The money came in after all, and is no longer needed; some of it may have gone back in another way.
            (State::Expired | State::Stale | State::Failed | State::Rejected, _) => {
                payments::give_back(&mut tx, id, now).await?;
                Claim::Nothing
            }
            (State::Executed, _) => {
                let digest = claimed.plan.digest();
                let settled = claimed.settled(id, &digest);
                returns::undo(&mut tx, &settled, &claimed.plan, now).await?;
                returns::settle(&mut tx, id, now).await?;
                payouts::post_news(&mut tx, &settled, &claimed.plan, now).await?;
                coupons::tell(&mut tx, &settled, &claimed.plan, now).await?;
                Claim::Nothing
            }
            _ => Claim::Nothing,
        };
        tx.commit().await?;
        Ok(claim)
    }

    /// Begins a transaction that locks the proposal while it is executing. A concurrent caller waits here, then finds the state moved on
    /// and gets None.
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
        claimed: &ClaimedProposal,
        (end, text): (State, LocalizedText),
        now: DateTime<Utc>,
    ) -> Result<Done, ExecuteError> {
        let Some(mut tx) = self.lock_executing(tenant, id, claimed.shopper).await? else {
            return Ok(Done::Nothing);
        };
        finish(&mut tx, id, claimed, (State::Executing, end), text, now).await?;
        tx.commit().await?;
        Ok(Done::Ended(end))
    }
}

/// Whether the shopper was erased. Call it after the proposal is locked; an erasure takes the same lock first.
async fn is_erased(tx: &mut Tx<tenancy::Executor>, shopper: ShopperId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT erased_at IS NOT NULL AS "erased!" FROM shoppers WHERE tenant_id = $1 AND shopper_id = $2"#,
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await
}

/// Whether the error is transient: serialisation failures, deadlocks and lost connections.
fn is_transient(error: &sqlx::Error) -> bool {
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

/// Ends a claimed proposal. Money that was collected for a change that is not made is given back in the same transaction.
async fn finish(
    tx: &mut Tx<tenancy::Executor>,
    id: ProposalId,
    claimed: &ClaimedProposal,
    step: (State, State),
    text: LocalizedText,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let digest = claimed.plan.digest();
    outcome::settle(
        tx,
        &claimed.settled(id, &digest),
        step,
        (text, None),
        &Actor::system(),
        now,
    )
    .await?;
    match step.1 {
        State::Stale | State::Failed => payments::give_back(tx, id, now).await,
        _ => Ok(()),
    }
}
