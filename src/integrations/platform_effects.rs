//! What an executed proposal changes at the shop's platform: queued in the outbox with the change here, and carried out from there.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json;

use super::{
    platform::{self, Ability, Api, Operation, REFUND_KEY, Request, Throttle},
    vendors,
};
use crate::{
    ids::{MovementId, OrderId, ProposalId},
    jobs::outbox::{self, Channel, ClaimedDelivery, Sent},
    keyring::Keyring,
    ledger::{self, Direction, LedgerError, MovementState},
    money::{Currency, Money},
    store::{
        Address,
        changes::{Discount, Swap},
    },
    tenancy::{Executor, Role, Tx},
};

/// A change to make at the platform. What it needs is read when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Cancel,
    /// Sets the delivery address that the order has at the time of the call.
    Address,
    /// Creates the proposal's return or exchange.
    Return,
    /// Refunds a movement of the ledger, which the platform's answer confirms.
    Refund {
        movement: MovementId,
    },
    /// Creates the proposal's coupon.
    Coupon,
    /// Other items: no platform takes them yet, so a person makes the change there.
    Items,
}

#[derive(Serialize, Deserialize)]
struct Queued {
    order: Option<OrderId>,
    proposal: Option<ProposalId>,
    effect: Effect,
}

/// Whether the order is one of the platform that the store is connected with. One of a platform that the store has left is not.
pub async fn knows<R: Role>(tx: &mut Tx<R>, order: OrderId) -> Result<bool, sqlx::Error> {
    let Some(platform) = platform::kind(tx).await?.and_then(vendors::platform) else {
        return Ok(false);
    };
    let reference = sqlx::query_scalar!(
        r#"SELECT reference AS "reference!" FROM orders WHERE tenant_id = $1 AND id = $2 AND reference IS NOT NULL"#,
        tx.tenant_id().as_uuid(),
        order.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(reference.is_some_and(|reference| platform.knows(&reference)))
}

/// Queues a change of an order, if the store has a platform that knows the order.
pub async fn queue(
    tx: &mut Tx<Executor>,
    (proposal, position): (ProposalId, usize),
    order: OrderId,
    effect: Effect,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if !knows(tx, order).await? {
        return Ok(());
    }
    let queued = Queued {
        order: Some(order),
        proposal: Some(proposal),
        effect,
    };
    let key = format!("shop:{proposal}:{position}");
    outbox::queue(tx, Channel::Shop, "order", &key, json!(queued), now).await
}

/// Queues a refund at the platform, for a movement of the ledger.
pub(super) async fn queue_refund(
    tx: &mut Tx<Executor>,
    order: OrderId,
    movement: MovementId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let queued = Queued {
        order: Some(order),
        proposal: None,
        effect: Effect::Refund { movement },
    };
    let key = format!("{REFUND_KEY}{movement}");
    outbox::queue(tx, Channel::Shop, "order", &key, json!(queued), now).await
}

/// Queues the creation of a proposal's coupon, if the store has a platform. Without one the coupon is the store's own to honour.
pub async fn queue_coupon(tx: &mut Tx<Executor>, proposal: ProposalId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if platform::kind(tx).await?.is_none() {
        return Ok(());
    }
    let queued = Queued {
        order: None,
        proposal: Some(proposal),
        effect: Effect::Coupon,
    };
    let key = format!("coupon:{proposal}");
    outbox::queue(tx, Channel::Shop, "coupon", &key, json!(queued), now).await
}

/// Makes a change at the platform.
pub(super) async fn send(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let queued: Queued = match claimed.read() {
        Ok(queued) => queued,
        Err(unreadable) => return Ok(unreadable),
    };
    match queued.effect {
        Effect::Refund { movement } => refund(client, keyring, claimed, (queued.order, movement), now).await,
        Effect::Items => Ok(Sent::Never(BY_HAND.into())),
        Effect::Coupon => coupon(client, keyring, claimed, queued.proposal, now).await,
        _ => {
            let key = claimed.key.clone();
            let Some(order) = order(&mut claimed.tx, queued.order).await? else {
                return Ok(TAKEN_AWAY);
            };
            let operation = match queued.effect {
                Effect::Cancel => Operation::Cancel,
                Effect::Address => Operation::Address(order.address.0),
                _ => match goods_back(&mut claimed.tx, queued.proposal).await? {
                    Some(operation) => operation,
                    None => return Ok(Sent::Dropped("the return is there no more")),
                },
            };
            perform(client, keyring, claimed, (&order.reference, operation, &key)).await
        }
    }
}

/// The failed delivery is the task: staff see it, make the change at the shop and drop it.
const BY_HAND: &str = "the shop's platform cannot do this: make the change there by hand, then drop this delivery";

const TAKEN_AWAY: Sent = Sent::Dropped("the shop was taken away");

/// What of an order the platform needs. A named type, because it holds an address.
struct Known {
    reference: String,
    address: Json<Address>,
}

/// The order, if the platform knows it.
async fn order(tx: &mut Tx<Executor>, order: Option<OrderId>) -> Result<Option<Known>, sqlx::Error> {
    let Some(order) = order else { return Ok(None) };
    sqlx::query_as!(
        Known,
        r#"SELECT reference AS "reference!", address AS "address: Json<Address>" FROM orders WHERE tenant_id = $1 AND id = $2 AND reference IS NOT NULL"#,
        tx.tenant_id().as_uuid(),
        order.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The return or exchange of a proposal.
async fn goods_back(tx: &mut Tx<Executor>, proposal: Option<ProposalId>) -> Result<Option<Operation>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT kind, items FROM returns WHERE tenant_id = $1 AND proposal_id = $2",
        tx.tenant_id().as_uuid(),
        proposal.map(ProposalId::as_uuid)
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let unreadable = |error| sqlx::Error::Decode(Box::new(error));
    let (items, instead) = match found.kind.as_str() {
        "return" => (serde_json::from_value(found.items).map_err(unreadable)?, Vec::new()),
        _ => {
            let swaps: Vec<Swap> = serde_json::from_value(found.items).map_err(unreadable)?;
            swaps.into_iter().map(|swap| (swap.item_id, swap.new_item_id)).unzip()
        }
    };
    Ok(Some(Operation::Return { items, instead }))
}

async fn perform(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    (order, operation, key): (&str, Operation, &str),
) -> Result<Sent, sqlx::Error> {
    let Some(connection) = platform::connection(&mut claimed.tx, keyring).await? else {
        return Ok(TAKEN_AWAY);
    };
    let Some(platform) = vendors::platform(connection.kind) else {
        return Ok(TAKEN_AWAY);
    };
    let throttle = Throttle::default();
    let api = Api {
        client,
        connection: &connection,
        throttle: &throttle,
    };
    // Connected with another platform since the change was queued.
    if !order.is_empty() && !platform.knows(order) {
        return Ok(Sent::Never(
            "the order is not of the platform that the store is connected with".into(),
        ));
    }
    Ok(match platform.perform(&api, Request { operation, order, key }).await {
        Ok(reference) => Sent::Done(reference),
        Err(error) => Sent::from(error),
    })
}

/// Refunds a movement of the ledger.
async fn refund(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    (of, movement): (Option<OrderId>, MovementId),
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Some(found) = ledger::get(&mut claimed.tx, movement).await? else {
        return Ok(Sent::Never("there is no such movement".into()));
    };
    match (found.direction, found.state) {
        // The store's own records reported the refund meanwhile.
        (Direction::Out, MovementState::Confirmed) => return Ok(Sent::Done(found.reference)),
        (Direction::Out, _) => {}
        (Direction::In, _) => {
            return Ok(Sent::Never(
                "the row asks for another movement than the ledger has".into(),
            ));
        }
    }
    // A failed refund that is tried again must reserve its share of the order's money again.
    let attempt = match ledger::retry_out(&mut claimed.tx, movement, now).await {
        Ok(again) => found.retries + i32::from(again),
        Err(LedgerError::Database(error)) => return Err(error),
        Err(_) => return Ok(Sent::Never("the money has gone out otherwise".into())),
    };
    // One that failed has its key in its note, and another attempt needs another.
    let key = match attempt {
        0 => claimed.key.clone(),
        attempt => format!("{}:{attempt}", claimed.key),
    };
    let sent = match order(&mut claimed.tx, of).await? {
        Some(order) => {
            // The amount comes from the ledger, whatever the row says.
            let operation = Operation::Refund {
                amount: found.amount.amount(),
            };
            perform(client, keyring, claimed, (&order.reference, operation, &key)).await?
        }
        None => TAKEN_AWAY,
    };
    // A payment is never dropped silently: staff see the delivery.
    let sent = match sent {
        Sent::Dropped(reason) => Sent::Never(reason.into()),
        sent => sent,
    };
    match &sent {
        Sent::Done(_) => {
            ledger::confirm(&mut claimed.tx, movement, None, now).await?;
        }
        Sent::Never(_) => {
            ledger::fail(&mut claimed.tx, movement, "the shop refused the refund", now).await?;
        }
        Sent::Dropped(_) | Sent::Retry { .. } | Sent::Postponed => {}
    }
    Ok(sent)
}

/// Creates a coupon, and has the shopper told of its code when it is there.
async fn coupon(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    proposal: Option<ProposalId>,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Some(proposal) = proposal else {
        return Ok(Sent::Dropped("there is no such coupon"));
    };
    let found = sqlx::query!(
        "SELECT c.code, c.kind, c.value, c.at_most_minor, c.expires_at, t.currency, nullif(s.external_id, s.shopper_id::text) AS customer
        FROM coupons c JOIN shoppers s USING (tenant_id, shopper_id) JOIN tenants t USING (tenant_id) WHERE c.tenant_id = $1 AND c.proposal_id = $2",
        claimed.tx.tenant_id().as_uuid(),
        proposal.as_uuid()
    )
    .fetch_optional(&mut *claimed.tx)
    .await?;
    let Some(found) = found else {
        return Ok(Sent::Dropped("there is no such coupon"));
    };
    let currency: Currency = found
        .currency
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let discount = match found.kind.as_str() {
        "percent" => Discount::Percent {
            percent: u32::try_from(found.value).unwrap_or(0),
            at_most: Money::new(found.at_most_minor, currency),
        },
        _ => Discount::Amount {
            amount: Money::new(found.value, currency),
        },
    };
    let operation = Operation::Coupon {
        code: found.code,
        discount,
        customer: found.customer,
        expires_at: found.expires_at,
    };
    let key = claimed.key.clone();
    let sent = perform(client, keyring, claimed, ("", operation, &key)).await?;
    if matches!(sent, Sent::Done(_)) {
        // A job then tells the shopper.
        sqlx::query!("SELECT coupon_is_ready($1, $2)", proposal.as_uuid(), now)
            .fetch_one(&mut *claimed.tx)
            .await?;
    }
    Ok(sent)
}

/// Whether a change of an order that the platform knows needs an ability that it lacks: then staff make it there.
pub async fn is_left_to_staff<R: Role>(tx: &mut Tx<R>, order: OrderId, ability: Ability) -> Result<bool, sqlx::Error> {
    Ok(knows(tx, order).await? && !can(tx, ability).await?)
}

/// Whether the store's platform has an ability; true where there is no platform, whose limits would matter.
pub async fn can<R: Role>(tx: &mut Tx<R>, ability: Ability) -> Result<bool, sqlx::Error> {
    let kind = platform::kind(tx).await?;
    Ok(kind
        .and_then(vendors::platform)
        .is_none_or(|platform| platform.can(ability)))
}
