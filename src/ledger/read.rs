//! Reads the ledger: movements, an order's money, tasks for staff, and who can move money.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Direction, MovementState, Provider};
use crate::{
    ids::{MovementId, OrderId, PaymentMethodId, ProposalId, ShopperId},
    money::{Currency, Money},
    tenancy::{Executor, Role, Tx},
};

/// One movement of money.
pub struct Movement {
    pub id: MovementId,
    pub shopper: ShopperId,
    pub order: OrderId,
    pub direction: Direction,
    pub provider: Provider,
    pub state: MovementState,
    pub amount: Money,
    /// The provider's reference of the movement.
    pub reference: Option<String>,
    /// For money out: the provider's reference of the payment that it is taken from.
    pub source_reference: Option<String>,
    pub proposal: Option<ProposalId>,
    /// For money out: how often it was requested again after a failure.
    pub retries: i32,
    pub created_at: DateTime<Utc>,
    /// The earliest time at which the provider can have been asked for it. A database that was restored asks again under the same id, so this
    /// is when its proposal was made.
    pub requested_since: DateTime<Utc>,
    /// The provider's references of the payment method and its customer.
    pub method_reference: Option<String>,
    pub customer: Option<String>,
}

struct MovementRow {
    id: MovementId,
    shopper: ShopperId,
    order: OrderId,
    direction: Direction,
    provider: Provider,
    state: MovementState,
    amount_minor: i64,
    currency: String,
    reference: Option<String>,
    source_reference: Option<String>,
    proposal: Option<ProposalId>,
    retries: i32,
    created_at: DateTime<Utc>,
    requested_since: DateTime<Utc>,
    method_reference: Option<String>,
    customer: Option<String>,
}

/// The state of the money that a proposal needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    NotAsked,
    /// Requested, and no provider has answered yet.
    Waiting,
    /// The shopper can pay at the provider's page.
    LinkOpen,
    Failed,
    /// Confirmed, and held for the change.
    Held,
}

/// The state of the money that is paid out for a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Payout {
    /// Requested, and nothing of it is confirmed as paid yet.
    Requested,
    Paid,
    /// Some of it could not be paid, and no other attempt is under way.
    Failed,
}

/// The state of the money that is paid out for a proposal, and how much of it has been paid. None where nothing is paid out; money that
/// goes back because a change was not made does not count.
pub async fn payout<R: Role>(tx: &mut Tx<R>, proposal: ProposalId) -> Result<Option<(Payout, Money)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT currency, count(*) FILTER (WHERE state = 'requested') AS "requested!", count(*) FILTER (WHERE state = 'failed') AS "failed!",
            coalesce(sum(amount_minor) FILTER (WHERE state = 'confirmed'), 0)::bigint AS "paid!"
        FROM money_movements WHERE tenant_id = $2 AND proposal_id = $1 AND direction = 'out' AND settled GROUP BY currency"#,
        proposal.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let state = match (found.requested, found.failed) {
        (0, 0) => Payout::Paid,
        (0, _) => Payout::Failed,
        _ => Payout::Requested,
    };
    Ok(Some((state, Money::new(found.paid, currency(&found.currency)?))))
}

/// The balance of a shopper's gift card in minor units, less what is set aside for changes of other orders. None for other methods.
pub async fn gift_card_left<R: Role>(
    tx: &mut Tx<R>,
    shopper: ShopperId,
    external_id: &str,
    but_order: OrderId,
) -> Result<Option<i64>, sqlx::Error> {
    let left = sqlx::query_scalar!(
        "SELECT gift_card_left(id, $3) FROM payment_methods WHERE tenant_id = $4 AND shopper_id = $1 AND external_id = $2",
        shopper.as_uuid(),
        external_id,
        but_order.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(left.flatten())
}

/// The state of the money that a proposal needs.
pub async fn collection<R: Role>(tx: &mut Tx<R>, proposal: ProposalId) -> Result<Collection, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT count(*) AS "asked!", count(*) FILTER (WHERE state = 'confirmed' AND NOT settled AND returned_minor = 0) AS "held!",
            count(*) FILTER (WHERE state = 'requested') AS "waiting!", count(*) FILTER (WHERE state = 'requested' AND payment_link IS NOT NULL) AS "links!"
        FROM money_movements WHERE tenant_id = $2 AND proposal_id = $1 AND direction = 'in'"#,
        proposal.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(match found {
        found if found.asked == 0 => Collection::NotAsked,
        found if found.held > 0 => Collection::Held,
        found if found.links > 0 => Collection::LinkOpen,
        found if found.waiting > 0 => Collection::Waiting,
        _ => Collection::Failed,
    })
}

/// The provider's page where the shopper can pay for a proposal.
pub async fn payment_link<R: Role>(tx: &mut Tx<R>, proposal: ProposalId) -> Result<Option<String>, sqlx::Error> {
    let link = sqlx::query_scalar!(
        "SELECT payment_link FROM money_movements WHERE tenant_id = $2 AND proposal_id = $1 AND state = 'requested' AND payment_link IS NOT NULL LIMIT 1",
        proposal.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(link.flatten())
}

/// One movement that the transaction may see.
pub async fn get<R: Role>(tx: &mut Tx<R>, id: MovementId) -> Result<Option<Movement>, sqlx::Error> {
    let row = sqlx::query_as!(
        MovementRow,
        r#"SELECT m.id AS "id: MovementId", m.shopper_id AS "shopper: ShopperId", m.order_id AS "order: OrderId", m.direction AS "direction: Direction",
            m.provider AS "provider: Provider", m.state AS "state: MovementState", m.amount_minor, m.currency, m.reference,
            s.reference AS "source_reference?", m.proposal_id AS "proposal: ProposalId", m.retries, m.created_at,
            least(m.created_at, (SELECT q.created_at FROM proposals q WHERE (q.tenant_id, q.id) = (m.tenant_id, m.proposal_id))) AS "requested_since!",
            p.reference AS method_reference, p.customer
        FROM money_movements m JOIN payment_methods p ON (p.tenant_id, p.id) = (m.tenant_id, m.payment_method_id)
            LEFT JOIN money_movements s ON (s.tenant_id, s.id) = (m.tenant_id, m.source_id)
        WHERE m.tenant_id = $2 AND m.id = $1"#,
        id.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Movement {
            id: row.id,
            shopper: row.shopper,
            order: row.order,
            direction: row.direction,
            provider: row.provider,
            state: row.state,
            amount: Money::new(row.amount_minor, currency(&row.currency)?),
            reference: row.reference,
            source_reference: row.source_reference,
            proposal: row.proposal,
            retries: row.retries,
            created_at: row.created_at,
            requested_since: row.requested_since,
            method_reference: row.method_reference,
            customer: row.customer,
        })
    })
    .transpose()
}

/// The movement with a provider's reference.
pub async fn by_reference<R: Role>(
    tx: &mut Tx<R>,
    direction: Direction,
    reference: &str,
) -> Result<Option<MovementId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: MovementId" FROM money_movements WHERE tenant_id = $3 AND reference = $1 AND direction = $2 ORDER BY position LIMIT 1"#,
        reference,
        direction as Direction as _,
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A payment or refund of an order, as the ledger knows it.
pub struct Known {
    pub request: Uuid,
    /// The movements that the request consists of.
    pub movements: Vec<Uuid>,
    pub direction: Direction,
    pub amount_minor: i64,
    /// The store's reference of the payment method.
    pub payment_method: String,
    pub provider: Provider,
    pub confirmed: bool,
}

/// All payments and refunds of an order, in the order of the movements. Those that are held for a change or only requested come last: the
/// store may report that money too.
pub async fn known<R: Role>(tx: &mut Tx<R>, order: OrderId) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        r#"SELECT p.request_id AS "request!",
            ARRAY(SELECT x.id FROM money_movements x WHERE x.tenant_id = p.tenant_id AND x.order_id = p.order_id AND x.request_id = p.request_id) AS "movements!",
            CASE p.kind WHEN 'payment' THEN 'in' ELSE 'out' END AS "direction!: Direction", p.amount_minor AS "amount_minor!",
            m.external_id AS payment_method, p.provider AS "provider!: Provider", p.confirmed AS "confirmed!"
        FROM (
            SELECT tenant_id, order_id, payment_method_id, request_id, kind, amount_minor, provider, confirmed, true AS settled, position FROM order_payments
            UNION ALL
            SELECT tenant_id, order_id, payment_method_id, request_id, CASE direction WHEN 'in' THEN 'payment' ELSE 'refund' END, amount_minor, provider,
                state = 'confirmed', false, position
            FROM money_movements WHERE NOT settled AND state <> 'failed'
        ) p JOIN payment_methods m ON (m.tenant_id, m.id) = (p.tenant_id, p.payment_method_id)
        WHERE p.tenant_id = $2 AND p.order_id = $1 ORDER BY p.settled DESC, p.position"#,
        order.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await
}

/// Money that a member of staff must move.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct ManualPayment {
    pub id: MovementId,
    pub direction: Direction,
    pub amount: Money,
    #[schema(example = "#1002")]
    pub order_number: String,
    /// The store's reference of the payment method.
    pub payment_method_id: String,
    pub proposal_id: Option<ProposalId>,
    pub created_at: DateTime<Utc>,
}

/// The movements that wait for staff, oldest first, at most `limit`, after the one named.
pub async fn staff_tasks<R: Role>(
    tx: &mut Tx<R>,
    limit: u32,
    after: Option<MovementId>,
) -> Result<Vec<ManualPayment>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT m.id AS "id: MovementId", m.direction AS "direction: Direction", m.amount_minor, m.currency, o.number, p.external_id,
            m.proposal_id AS "proposal: ProposalId", m.created_at
        FROM money_movements m JOIN orders o ON (o.tenant_id, o.id) = (m.tenant_id, m.order_id)
            JOIN payment_methods p ON (p.tenant_id, p.id) = (m.tenant_id, m.payment_method_id)
        WHERE m.tenant_id = $3 AND m.provider = 'staff' AND m.state = 'requested' AND ($2::uuid IS NULL
            OR (m.created_at, m.id) > (SELECT a.created_at, a.id FROM money_movements a WHERE a.tenant_id = $3 AND a.id = $2))
        ORDER BY m.created_at, m.id LIMIT $1"#,
        i64::from(limit),
        after.map(MovementId::as_uuid),
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .map(|row| {
        Ok(ManualPayment {
            id: row.id,
            direction: row.direction,
            amount: Money::new(row.amount_minor, currency(&row.currency)?),
            order_number: row.number,
            payment_method_id: row.external_id,
            proposal_id: row.proposal,
            created_at: row.created_at,
        })
    })
    .collect()
}

/// Who can move money to or from a method for an order.
///
/// Stripe, where it knows the payment or can charge the method; the platform, for refunds of its orders (`at_platform`); the demo's provider,
/// in a demo store; otherwise the store's staff.
pub async fn provider_for(
    tx: &mut Tx<Executor>,
    shopper: ShopperId,
    (order, external_id): (OrderId, &str),
    (direction, amount): (Direction, Money),
    at_platform: bool,
) -> Result<Option<(PaymentMethodId, Provider)>, sqlx::Error> {
    let known = sqlx::query!(
        r#"SELECT m.id AS "id: PaymentMethodId", m.kind = 'gift_card' AS "gift_card!", t.demo_payments,
            EXISTS (SELECT FROM integrations i WHERE i.tenant_id = m.tenant_id AND i.kind = 'stripe' AND i.revoked_at IS NULL) AS "stripe!",
            (SELECT coalesce(sum(p.left_minor), 0)::bigint FROM order_payments p WHERE p.tenant_id = m.tenant_id AND p.order_id = $2
                AND p.payment_method_id = m.id AND p.kind = 'payment' AND p.reference IS NOT NULL) AS "refundable!"
        FROM payment_methods m JOIN tenants t USING (tenant_id) WHERE m.tenant_id = $3 AND m.external_id = $1 AND m.shopper_id = $4"#,
        external_id,
        order.as_uuid(),
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(known) = known else { return Ok(None) };
    let provider = match direction {
        Direction::Out if known.stripe && known.refundable >= amount.minor => Provider::Stripe,
        Direction::Out if at_platform && !known.gift_card => Provider::Platform,
        Direction::In if known.stripe && !known.gift_card => Provider::Stripe,
        _ if known.demo_payments => Provider::Demo,
        _ => Provider::Staff,
    };
    Ok(Some((known.id, provider)))
}

/// Parses a stored currency code. The table's check makes an invalid one a bug.
fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
