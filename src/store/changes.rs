//! Changes to a store, as data: what a proposal shows its decider is exactly what is done later.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    Address, agreed_lines,
    orders::{Line, OrderStatus, PaymentKind},
    profile,
};
use crate::{
    ids::{ConversationId, OrderId, PaymentMethodId, ProposalId, ShopperId},
    keyring::{Keyring, Purpose},
    ledger::LedgerError,
    mail,
    money::Money,
    tenancy::{Executor, Tx},
};

/// One change. Where something is replaced, the old value is kept beside the new one.
// No `Debug`: it holds private data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    Status {
        from: OrderStatus,
        to: OrderStatus,
    },
    OrderAddress {
        from: Address,
        to: Address,
    },
    ProfileAddress {
        from: Option<Address>,
        to: Address,
    },
    Lines {
        from: Vec<Line>,
        to: Vec<Line>,
    },
    /// Money taken from or given back to a payment method, for the order.
    Payment {
        kind: PaymentKind,
        amount: Money,
        payment_method_id: String,
    },
    /// The balance that is left on a gift card once the payment is confirmed.
    Balance {
        payment_method_id: String,
        from: Money,
        to: Money,
    },
    /// `amount` is paid out when the items are back.
    Return {
        item_ids: Vec<String>,
        amount: Money,
        payment_method_id: String,
    },
    /// `difference` is how much more the new items cost. It is collected beforehand and held until the old items are back; a negative one
    /// is paid out then.
    Exchange {
        swaps: Vec<Swap>,
        difference: Money,
        payment_method_id: String,
    },
    Coupon {
        discount: Discount,
        days: u32,
    },
    CrmNote {
        text: String,
    },
    HandOff {
        summary: String,
    },
}

/// One unit of an item that is replaced by one of another.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Swap {
    pub item_id: String,
    pub new_item_id: String,
}

/// What a coupon takes off.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Discount {
    /// `at_most` is the largest amount that the coupon takes off.
    Percent {
        percent: u32,
        at_most: Money,
    },
    Amount {
        amount: Money,
    },
}

/// What the changes apply to.
pub struct Target {
    pub shopper: ShopperId,
    pub proposal: ProposalId,
    /// The order, and the version of it that the changes were planned on.
    pub order: Option<(OrderId, i64)>,
    /// The code of a coupon, if the changes make one.
    pub coupon_code: String,
}

/// The code of a proposal's coupon: 60 bits, in the letters and digits of Crockford's base 32. A database that was restored executes the
/// proposal again and gives the same code, so that the shopper has one coupon.
pub fn coupon_code(keyring: &Keyring, proposal: ProposalId) -> String {
    let mac = keyring.mac(Purpose::Coupon, proposal.as_uuid().as_bytes());
    let letters = mac.iter().take(12);
    letters
        .map(|byte| char::from(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[usize::from(byte & 31)]))
        .collect()
}

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The data is no longer what the change starts from.
    #[error("the store has changed meanwhile")]
    Stale,
    /// The guests' share of the queue for a person is used up.
    #[error("too many guests wait for a person")]
    Full,
    /// A change needs an order and there is none: a bug.
    #[error("the change needs an order")]
    NoOrder,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<LedgerError> for ChangeError {
    fn from(error: LedgerError) -> Self {
        match error {
            // The money that was to be paid out was paid out in another way meanwhile.
            LedgerError::NotCovered | LedgerError::OwnOrder | LedgerError::NoSession => Self::Stale,
            LedgerError::Database(error) => Self::Database(error),
        }
    }
}

/// Makes all changes, in the caller's transaction. After an error the caller rolls back.
pub async fn apply(
    tx: &mut Tx<Executor>,
    target: &Target,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<(), ChangeError> {
    if let Some((order, version)) = target.order {
        let raised = sqlx::query!(
            "UPDATE orders SET version = version + 1 WHERE id = $1 AND version = $2",
            order.as_uuid(),
            version
        )
        .execute(&mut **tx)
        .await?;
        exactly_one(raised)?;
    }
    for change in changes {
        make(tx, target, change, now).await?;
    }
    Ok(())
}

fn exactly_one(result: sqlx::postgres::PgQueryResult) -> Result<(), ChangeError> {
    if result.rows_affected() == 1 {
        Ok(())
    } else {
        Err(ChangeError::Stale)
    }
}

async fn make(tx: &mut Tx<Executor>, target: &Target, change: &Change, now: DateTime<Utc>) -> Result<(), ChangeError> {
    let order = || target.order.map(|(order, _)| order).ok_or(ChangeError::NoOrder);
    match change {
        Change::Status { from, to } => exactly_one(
            sqlx::query!(
                "UPDATE orders SET status = $2 WHERE id = $1 AND status = $3",
                order()?.as_uuid(),
                *to as OrderStatus as _,
                *from as OrderStatus as _
            )
            .execute(&mut **tx)
            .await?,
        ),
        Change::OrderAddress { to, .. } => exactly_one(
            sqlx::query!(
                "UPDATE orders SET address = $2 WHERE id = $1",
                order()?.as_uuid(),
                Json(to) as _
            )
            .execute(&mut **tx)
            .await?,
        ),
        Change::ProfileAddress { to, .. } => exactly_one(
            sqlx::query!(
                "UPDATE shoppers SET address = $2 WHERE shopper_id = $1",
                target.shopper.as_uuid(),
                Json(to) as _
            )
            .execute(&mut **tx)
            .await?,
        ),
        Change::Lines { from, to } => Ok(agreed_lines::agree(tx, (target.shopper, order()?), from, to).await?),
        // The ledger moves money, and a gift card's balance with it: nothing may say that it moved before its provider does.
        Change::Payment { .. } | Change::Balance { .. } => Ok(()),
        Change::Return {
            item_ids,
            payment_method_id,
            ..
        } => {
            give_back(
                tx,
                target,
                order()?,
                "return",
                Json(item_ids),
                payment_method_id,
                0,
                now,
            )
            .await
        }
        Change::Exchange {
            swaps,
            difference,
            payment_method_id,
        } => {
            give_back(
                tx,
                target,
                order()?,
                "exchange",
                Json(swaps),
                payment_method_id,
                difference.minor,
                now,
            )
            .await
        }
        Change::Coupon { discount, days } => coupon(tx, target, discount, *days, now).await,
        Change::CrmNote { text } => note(tx, target, "crm", text, now).await,
        Change::HandOff { summary } => {
            note(tx, target, "hand_off", summary, now).await?;
            call_a_person(tx, target, now).await
        }
    }
}

async fn method(tx: &mut Tx<Executor>, target: &Target, external_id: &str) -> Result<PaymentMethodId, ChangeError> {
    profile::payment_method(tx, target.shopper, external_id)
        .await?
        .ok_or(ChangeError::Stale)
}

#[allow(clippy::too_many_arguments)]
async fn give_back<T: Serialize + Sync>(
    tx: &mut Tx<Executor>,
    target: &Target,
    order: OrderId,
    kind: &str,
    items: Json<T>,
    payment_method_id: &str,
    difference: i64,
    now: DateTime<Utc>,
) -> Result<(), ChangeError> {
    let method = method(tx, target, payment_method_id).await?;
    let items = serde_json::to_value(&items.0).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query!(
        "INSERT INTO returns (tenant_id, shopper_id, id, proposal_id, order_id, kind, items, payment_method_id, difference_minor, created_at, ordered)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce(jsonb_object_agg(l.item_id, l.quantity), '{}')
        FROM (SELECT item_id, sum(quantity) AS quantity FROM order_lines WHERE tenant_id = $1 AND order_id = $5 GROUP BY item_id) l",
        tx.tenant_id().as_uuid(),
        target.shopper.as_uuid(),
        Uuid::now_v7(),
        target.proposal.as_uuid(),
        order.as_uuid(),
        kind,
        items,
        method.as_uuid(),
        difference,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Stores a coupon. Its code can be used at once, but where the shop's platform has to create it first.
async fn coupon(
    tx: &mut Tx<Executor>,
    target: &Target,
    discount: &Discount,
    days: u32,
    now: DateTime<Utc>,
) -> Result<(), ChangeError> {
    let (kind, value, at_most) = match discount {
        Discount::Percent { percent, at_most } => ("percent", i64::from(*percent), at_most.minor),
        Discount::Amount { amount } => ("amount", amount.minor, amount.minor),
    };
    sqlx::query!(
        "INSERT INTO coupons (tenant_id, shopper_id, id, proposal_id, code, kind, value, at_most_minor, expires_at, ready_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
            CASE WHEN NOT EXISTS (SELECT FROM integrations i WHERE i.tenant_id = $1 AND i.is_platform AND i.revoked_at IS NULL) THEN $10::timestamptz END)",
        tx.tenant_id().as_uuid(),
        target.shopper.as_uuid(),
        Uuid::now_v7(),
        target.proposal.as_uuid(),
        target.coupon_code,
        kind,
        value,
        at_most,
        now + chrono::Duration::days(days.into()),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many conversations of guests may wait for a person at one time: those begun in one network, and below in all. Known shoppers' are
/// not counted.
const GUESTS_WAITING_OF_NETWORK: i32 = 5;
/// The same for those begun in one IPv6 /48.
const GUESTS_WAITING_OF_SITE: i32 = 15;
const GUESTS_WAITING: i32 = 50;

/// Marks the conversation as waiting for a person, unless a person holds it. Queues a mail that tells staff if nobody comes.
async fn call_a_person(tx: &mut Tx<Executor>, target: &Target, now: DateTime<Utc>) -> Result<(), ChangeError> {
    let call = sqlx::query!(
        r#"SELECT taken AS "taken: ConversationId", is_full AS "is_full!" FROM request_handoff($1, $2, $3, $4, $5)"#,
        target.proposal.as_uuid(),
        now,
        GUESTS_WAITING_OF_NETWORK,
        GUESTS_WAITING_OF_SITE,
        GUESTS_WAITING
    )
    .fetch_one(&mut **tx)
    .await?;
    match call.taken {
        _ if call.is_full => Err(ChangeError::Full),
        Some(_) => Ok(mail::queue_call(tx, now).await?),
        None => Ok(()),
    }
}

async fn note(
    tx: &mut Tx<Executor>,
    target: &Target,
    kind: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<(), ChangeError> {
    sqlx::query!(
        "INSERT INTO notes (tenant_id, shopper_id, id, proposal_id, kind, body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tx.tenant_id().as_uuid(),
        target.shopper.as_uuid(),
        Uuid::now_v7(),
        target.proposal.as_uuid(),
        kind,
        body,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
