//! The end of a return or exchange: its money is settled when the parcel is back, or given back when it is called off.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Plan,
    outcome::{self, Settled},
};
use crate::{
    ids::{OrderId, ProposalId, ShopperId},
    integrations::{
        payments::{self, Purpose},
        webhook_delivery,
    },
    language::TextKey,
    ledger::{self, LedgerError, Statement},
    money::Money,
    store::{
        changes::Change,
        orders::{self, OrderStatus},
    },
    tenancy::{
        Executor, Role, Tx, Web,
        audit::{self, Actor, Entry},
    },
};

/// Records that staff has the parcel of an executed return or exchange, or that it will not come; the database notes it in the audit. A job
/// then settles its money, or gives back what is held for it. False when no such return waits.
pub async fn end(
    tx: &mut Tx<Web>,
    proposal: ProposalId,
    has_come: bool,
    said: Statement<'_>,
) -> Result<bool, LedgerError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT end_return($1, $2, $3, $4, $5) AS "done!""#,
        proposal.as_uuid(),
        has_come,
        said.session,
        said.request,
        said.at
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// What the open returns and exchanges of an order will pay out when their parcels come: to which method, and how much in minor units.
pub async fn promised<R: Role>(tx: &mut Tx<R>, order: OrderId) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT m.external_id, CASE r.kind WHEN 'return' THEN coalesce(p.amount_minor, 0) ELSE -r.difference_minor END AS "amount!"
        FROM returns r JOIN proposals p ON (p.tenant_id, p.id) = (r.tenant_id, r.proposal_id)
            JOIN payment_methods m ON (m.tenant_id, m.id) = (r.tenant_id, r.payment_method_id)
        WHERE r.tenant_id = $2 AND r.order_id = $1 AND r.settled_at IS NULL AND r.called_off_at IS NULL ORDER BY r.created_at, r.id"#,
        order.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    let owed = found.into_iter().map(|row| (row.external_id, row.amount));
    Ok(owed.filter(|(_, amount)| *amount > 0).collect())
}

const CALLED_OFF: TextKey = TextKey("request-called-off");

/// Restores the order of a return that was called off and gives back what is held for it, once. Does nothing when no such return waits.
pub(super) async fn undo(
    tx: &mut Tx<Executor>,
    settled: &Settled<'_>,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let proposal = settled.id;
    let found = sqlx::query!(
        r#"UPDATE returns SET settled_at = $3 WHERE tenant_id = $2 AND proposal_id = $1 AND called_off_at IS NOT NULL AND settled_at IS NULL
        RETURNING order_id AS "order: OrderId""#,
        proposal.as_uuid(),
        tx.tenant_id().as_uuid(),
        now
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(found) = found else { return Ok(()) };
    for change in &plan.changes {
        if let Change::Status { from, to } = change {
            // The platform may have changed the order's status meanwhile; that status is kept.
            sqlx::query!(
                "UPDATE orders SET status = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND status = $3",
                tx.tenant_id().as_uuid(),
                found.order.as_uuid(),
                *to as OrderStatus as _,
                *from as OrderStatus as _
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    payments::give_back(tx, proposal, now).await?;
    outcome::post_message(tx, settled, &plan.localized_message(CALLED_OFF), now).await?;
    let system = Actor::system();
    audit::append(tx, Entry::new(&system, "return.undone", ("proposal", proposal), now)).await?;
    let data = json!({ "proposal_id": proposal });
    webhook_delivery::announce(
        tx,
        "return.called_off",
        &format!("return:{proposal}:called_off"),
        data,
        now,
    )
    .await
}

/// Settles the money of a return that was received, once. Does nothing when no such return waits.
pub(super) async fn settle(tx: &mut Tx<Executor>, proposal: ProposalId, now: DateTime<Utc>) -> Result<(), LedgerError> {
    let found = sqlx::query!(
        r#"UPDATE returns r SET settled_at = $3 FROM payment_methods m, orders o, proposals p
        WHERE r.tenant_id = $2 AND r.proposal_id = $1 AND r.received_at IS NOT NULL AND r.settled_at IS NULL
            AND (m.tenant_id, m.id) = (r.tenant_id, r.payment_method_id) AND (o.tenant_id, o.id) = (r.tenant_id, r.order_id)
            AND (p.tenant_id, p.id) = (r.tenant_id, r.proposal_id)
        RETURNING r.shopper_id AS "shopper: ShopperId", r.order_id AS "order: OrderId", r.kind, r.difference_minor, m.external_id, o.currency,
            coalesce(p.amount_minor, 0) AS "worth!",
            (SELECT coalesce(sum(v.left_minor), 0)::bigint FROM order_payments v WHERE v.tenant_id = r.tenant_id AND v.order_id = r.order_id) AS "left!""#,
        proposal.as_uuid(),
        tx.tenant_id().as_uuid(),
        now
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(found) = found else { return Ok(()) };
    let owed = match found.kind.as_str() {
        "return" => found.worth,
        _ => -found.difference_minor,
    };
    // What was refunded meanwhile is not refunded again.
    let owed = owed.min(found.left);
    let currency = orders::currency(&found.currency)?;
    if owed > 0 {
        let purpose = Purpose {
            shopper: found.shopper,
            order: found.order,
            proposal,
        };
        payments::pay_out(tx, purpose, (&found.external_id, Money::new(owed, currency)), now).await?;
    }
    ledger::settle(tx, proposal, now).await?;
    let system = Actor::system();
    audit::append(tx, Entry::new(&system, "return.settled", ("proposal", proposal), now)).await?;
    Ok(())
}
