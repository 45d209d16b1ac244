//! The executor: does what was approved, once.
//!
//! The effect, the proposal's last state, the audit and the outbox are one transaction. A crash before its commit leaves
//! nothing and the job comes again; after it, the state says that there is nothing left to do.

use std::{pin::Pin, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;

use super::{Plan, PlanError, State, list};
use crate::{
    ids::{OrderId, ProposalId, ShopperId, TenantId},
    jobs,
    store::changes::{self, ChangeError, Target},
    tenancy::{
        self, Pool, Scope, Tx,
        audit::{self, Actor, Entry},
    },
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
        let mut tx = self.pool.begin(Scope::shopper(tenant, claimed.shopper)).await?;
        // Whoever comes second waits here, and then finds the state moved on.
        let state = sqlx::query_scalar!(
            r#"SELECT state AS "state: State" FROM proposals WHERE id = $1 FOR UPDATE"#,
            id.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        if state != State::Executing {
            return Ok(Done::Nothing);
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
        };
        let end = match self
            .planner
            .plan(&claimed.tool, &claimed.arguments, claimed.shopper, &mut tx)
            .await
        {
            Err(PlanError::Database(error)) => return Err(error.into()),
            Err(_) => State::Stale,
            Ok(plan) if plan != claimed.plan.0 => State::Stale,
            Ok(plan) => match changes::apply(&mut tx, &target, &plan.changes, now).await {
                Ok(()) => State::Executed,
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

    async fn record_end(
        &self,
        tenant: TenantId,
        id: ProposalId,
        claimed: &Claimed,
        end: State,
        now: DateTime<Utc>,
    ) -> Result<Done, ExecuteError> {
        let mut tx = self.pool.begin(Scope::shopper(tenant, claimed.shopper)).await?;
        let state = sqlx::query_scalar!(
            r#"SELECT state AS "state: State" FROM proposals WHERE id = $1 FOR UPDATE"#,
            id.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        if state != State::Executing {
            return Ok(Done::Nothing);
        }
        finish(&mut tx, id, claimed, end, now).await?;
        tx.commit().await?;
        Ok(Done::Ended(end))
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
    sqlx::query!(
        "UPDATE proposals SET state = $2, updated_at = $3 WHERE id = $1",
        id.as_uuid(),
        end as State as _,
        now
    )
    .execute(&mut **tx)
    .await?;
    let (text, name) = match end {
        State::Executed => (format!("Done: {}", claimed.plan.summary), "executed"),
        State::Stale => (
            "Your request no longer fits, because something changed meanwhile. Nothing was done. Please ask again."
                .to_owned(),
            "stale",
        ),
        _ => (
            "Your request could not be carried out. Nothing was done. Our staff has been told.".to_owned(),
            "failed",
        ),
    };
    list::tell(tx, claimed.shopper, claimed.conversation, &text, now).await?;
    let kind = format!("proposal_{name}");
    jobs::outbox(
        tx,
        &kind,
        &format!("{kind}:{id}"),
        serde_json::json!({ "proposal_id": id }),
        now,
    )
    .await?;
    let before = serde_json::json!({ "state": State::Executing, "order_version": claimed.order_version });
    let after = serde_json::json!({ "state": end, "plan": hex::encode(claimed.plan.digest()) });
    let (actor, action) = (Actor::system(), format!("proposal.{name}"));
    audit::append(
        tx,
        Entry {
            at: now,
            actor: &actor,
            action: &action,
            target_kind: "proposal",
            target_id: id.to_string(),
            before: Some(before),
            after: Some(after),
        },
    )
    .await
}
