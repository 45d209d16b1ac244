//! Orders: read with their lines, shipments and payments in one statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use validator::{Validate, ValidationError};

use super::{Address, Options, order_number};
use crate::{
    ids::{OrderId, ShopperId},
    money::{Currency, Money},
    tenancy::{Executor, Role, Tx},
};

/// The status of an order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum OrderStatus {
    Pending,
    /// Items were changed once; they cannot be changed again.
    PendingItemsModified,
    /// Sent on its way, as the store's own records say.
    Processed,
    /// Some of its goods were sent.
    PartlyShipped,
    /// All of its goods were sent; no carrier has said that they arrived.
    Shipped,
    OutForDelivery,
    Delivered,
    Cancelled,
    ReturnRequested,
    ExchangeRequested,
}

/// An order as its owner may see it.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct Order {
    #[serde(skip)]
    pub id: OrderId,
    /// Rises with every change, so that decisions count only for the version that they were made on.
    pub version: i64,
    #[schema(example = "#W2611340")]
    pub number: String,
    pub status: OrderStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<DateTime<Utc>>,
    pub total: Money,
    /// What the total is made of, where it is more than the sum of the lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_parts: Option<TotalParts>,
    /// What is still to be paid, after a part was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpaid: Option<Money>,
    pub lines: Vec<Line>,
    pub shipments: Vec<Shipment>,
    pub payments: Vec<Payment>,
    pub address: Address,
    /// What open returns and exchanges have promised to pay out. Only write tools read it (`tools::write`).
    #[serde(skip)]
    pub promised: Option<Money>,
    /// The totals as they are stored.
    #[serde(skip)]
    pub(super) stored_totals: Option<StoredTotals>,
    /// The platform's lines that an agreement made here replaced (`agreed_lines`).
    #[serde(skip)]
    pub(super) replaced_lines: Option<Vec<Line>>,
    /// The address of each product's picture, by product. Only for pages: models and other systems are not told it.
    #[serde(skip)]
    pub pictures: BTreeMap<String, String>,
}

/// Units of one variant at the price at which they were ordered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Line {
    pub item_id: String,
    pub product_id: String,
    pub name: String,
    #[schema(inline)]
    pub options: Options,
    /// The price of one unit.
    pub price: Money,
    pub quantity: u32,
    /// What all units together cost, after discounts and with tax, where that is not their price times their quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
}

/// What an order's total is made of: goods, less the discount, plus the rest. The tax is in the prices where `tax_included` says so.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct TotalParts {
    pub goods: Money,
    pub discount: Money,
    pub tax: Money,
    pub tax_included: bool,
    pub shipping: Money,
    pub tip: Money,
    pub fees: Money,
    pub duties: Money,
}

/// An order's totals as they are stored, in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredTotals {
    pub total: i64,
    pub discount: i64,
    pub tax: i64,
    pub tax_included: bool,
    pub shipping: i64,
    pub tip: i64,
    pub fees: i64,
    pub duties: i64,
}

impl StoredTotals {
    /// The totals of goods that cost so much more, or less.
    pub(super) fn plus(self, difference: i64) -> Self {
        let total = self.total.saturating_add(difference).max(0);
        Self { total, ..self }
    }

    /// The parts, if they add up to the total with these goods: a sum that does not add up is told by nobody.
    fn parts(self, goods: i64, currency: Currency) -> Option<TotalParts> {
        let tax = if self.tax_included { 0 } else { self.tax };
        let sum = goods - self.discount + tax + self.shipping + self.tip + self.fees + self.duties;
        let money = |minor| Money::new(minor, currency);
        (sum == self.total && goods != self.total).then(|| TotalParts {
            goods: money(goods),
            discount: money(self.discount),
            tax: money(self.tax),
            tax_included: self.tax_included,
            shipping: money(self.shipping),
            tip: money(self.tip),
            fees: money(self.fees),
            duties: money(self.duties),
        })
    }
}

/// What a carrier says of a parcel.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ShipmentStatus {
    Sent,
    OutForDelivery,
    /// Nobody was there to take it.
    Attempted,
    ReadyForPickup,
    Delivered,
    Delayed,
    Failed,
}

impl ShipmentStatus {
    /// The status of an order whose goods were all sent in parcels of which the carriers say this.
    pub fn of_order(parcels: &[Option<Self>]) -> OrderStatus {
        let are = |status| parcels.iter().filter(|parcel| **parcel == Some(status)).count();
        match (are(Self::Delivered), are(Self::OutForDelivery)) {
            (delivered, _) if delivered > 0 && delivered == parcels.len() => OrderStatus::Delivered,
            (_, on_the_way) if on_the_way > 0 => OrderStatus::OutForDelivery,
            _ => OrderStatus::Shipped,
        }
    }
}

/// A parcel on its way.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
pub struct Shipment {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 120), custom(function = crate::text::single_line))]
    pub carrier: Option<String>,
    /// Some are sent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    pub tracking_number: Option<String>,
    #[validate(length(max = 1000), custom(function = crate::text::single_lines))]
    pub item_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped_at: Option<DateTime<Utc>>,
    /// The carrier's page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 1000), custom(function = https_address))]
    pub url: Option<String>,
    /// What the carrier says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ShipmentStatus>,
    /// The platform's id of the fulfilment that it belongs to.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub fulfillment: Option<String>,
}

fn https_address(url: &str) -> Result<(), ValidationError> {
    crate::text::single_line(url)?;
    match url.starts_with("https://") && url::Url::parse(url).is_ok_and(|url| url.username().is_empty()) {
        true => Ok(()),
        false => Err(ValidationError::new("url").with_message("must be an https:// address".into())),
    }
}

/// Money that moved for an order.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct Payment {
    pub kind: PaymentKind,
    pub amount: Money,
    /// The store's reference of the payment method.
    pub payment_method_id: String,
    /// True while the movement is not confirmed by whoever moves the money.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// For a payment: the part that has not been refunded, and for write tools, that is not promised either.
    #[serde(skip)]
    pub left: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentKind {
    Payment,
    Refund,
}

/// An order in a list.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct OrderSummary {
    #[serde(skip)]
    pub id: OrderId,
    #[schema(example = "#W2611340")]
    pub number: String,
    pub status: OrderStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<DateTime<Utc>>,
    pub total: Money,
    /// The names of the products.
    pub items: Vec<String>,
}

/// A named type, because sqlx's anonymous row type would require the personal data in it to be printable.
struct OrderRow {
    id: OrderId,
    version: i64,
    number: String,
    status: OrderStatus,
    currency: String,
    totals: Option<Json<StoredTotals>>,
    replaced_lines: Option<Json<Vec<Line>>>,
    placed_at: Option<DateTime<Utc>>,
    address: Json<Address>,
    lines: Vec<Json<LineRow>>,
    shipments: Vec<Json<Shipment>>,
    payments: Vec<Json<PaymentRow>>,
    pictures: Vec<Json<(String, String)>>,
}

#[derive(Deserialize)]
struct LineRow {
    item_id: String,
    product_id: String,
    name: String,
    options: Options,
    price_minor: i64,
    quantity: u32,
    total_minor: Option<i64>,
}

#[derive(Deserialize)]
struct PaymentRow {
    kind: PaymentKind,
    amount_minor: i64,
    payment_method_id: String,
    left_minor: i64,
    confirmed: bool,
}

/// The bound shopper's order of this number, in whatever spelling (`order_number::fold`). Where two of a shopper's orders differ by spelling
/// alone, only the exact one is found.
pub async fn by_number<R: Role>(tx: &mut Tx<R>, number: &str) -> Result<Option<Order>, sqlx::Error> {
    // Lines, shipments and payments come as JSON arrays in the field order of their rows: the cheapest shape for Postgres to build.
    let row = sqlx::query_as!(
        OrderRow,
        r#"SELECT o.id AS "id: OrderId", o.version, o.number, o.status AS "status: OrderStatus", o.currency, o.totals AS "totals: Json<StoredTotals>", o.placed_at,
            o.replaced_lines AS "replaced_lines: Json<Vec<Line>>", o.address AS "address: Json<Address>",
            ARRAY(SELECT json_build_array(l.item_id, l.product_id, l.name, l.options, l.price_minor, l.quantity, l.total_minor) FROM order_lines l
                WHERE (l.tenant_id, l.order_id) = (o.tenant_id, o.id) ORDER BY l.position) AS "lines!: Vec<Json<LineRow>>",
            ARRAY(SELECT json_build_array(s.carrier, s.tracking_number, s.item_ids, s.shipped_at, s.url, s.status, s.fulfillment) FROM shipments s
                WHERE (s.tenant_id, s.order_id) = (o.tenant_id, o.id) ORDER BY s.position) AS "shipments!: Vec<Json<Shipment>>",
            ARRAY(SELECT json_build_array(p.kind, p.amount_minor, m.external_id, p.left_minor, p.confirmed)
                FROM order_payments p JOIN payment_methods m ON (m.tenant_id, m.id) = (p.tenant_id, p.payment_method_id)
                WHERE (p.tenant_id, p.order_id) = (o.tenant_id, o.id) ORDER BY p.position) AS "payments!: Vec<Json<PaymentRow>>",
            ARRAY(SELECT json_build_array(g.external_id, g.picture) FROM products g WHERE g.tenant_id = o.tenant_id AND g.picture IS NOT NULL
                AND g.external_id IN (SELECT l.product_id FROM order_lines l WHERE (l.tenant_id, l.order_id) = (o.tenant_id, o.id))) AS "pictures!: Vec<Json<(String, String)>>"
        FROM orders o WHERE o.tenant_id = $1 AND ($2::uuid IS NULL OR o.shopper_id = $2 OR o.id = $3)
            AND o.folded_number = $4 AND (o.bare_number = $5 OR NOT EXISTS (SELECT FROM orders other
                WHERE other.tenant_id = o.tenant_id AND other.shopper_id = o.shopper_id AND other.folded_number = o.folded_number AND other.id <> o.id))
        ORDER BY o.bare_number = $5 DESC LIMIT 1"#,
        tx.tenant_id().as_uuid(),
        tx.shopper_id().map(ShopperId::as_uuid),
        tx.proved_order().map(OrderId::as_uuid),
        order_number::fold(number),
        number.trim().trim_start_matches('#')
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let currency = currency(&row.currency)?;
    let lines: Vec<Line> = row.lines.into_iter().map(|line| line.0.priced_in(currency)).collect();
    let payments: Vec<Payment> = row
        .payments
        .into_iter()
        .map(|payment| payment.0.paid_in(currency))
        .collect();
    let goods = lines
        .iter()
        .map(|line| line.price.minor * i64::from(line.quantity))
        .sum();
    let totals = row.totals.map(|totals| totals.0);
    let total = totals.map_or(goods, |totals| totals.total);
    Ok(Some(Order {
        id: row.id,
        version: row.version,
        number: row.number,
        status: row.status,
        placed_at: row.placed_at,
        total: Money::new(total, currency),
        total_parts: totals.and_then(|totals| totals.parts(goods, currency)),
        unpaid: unpaid(total, &payments).map(|minor| Money::new(minor, currency)),
        lines,
        shipments: row.shipments.into_iter().map(|shipment| shipment.0).collect(),
        payments,
        address: row.address.0,
        promised: None,
        stored_totals: totals,
        replaced_lines: row.replaced_lines.map(|lines| lines.0),
        pictures: row.pictures.into_iter().map(|picture| picture.0).collect(),
    }))
}

/// What is left to pay of an order of which a part was paid. Refunds do not count: what was given back is not owed again.
fn unpaid(total: i64, payments: &[Payment]) -> Option<i64> {
    let paid = payments
        .iter()
        .filter(|payment| payment.kind == PaymentKind::Payment && !payment.pending);
    let paid: i64 = paid.map(|payment| payment.amount.minor).sum();
    (0 < paid && paid < total).then_some(total - paid)
}

/// The number of the one order of the bound shopper that a parcel of this tracking number belongs to.
pub async fn number_by_tracking<R: Role>(tx: &mut Tx<R>, tracking: &str) -> Result<Option<String>, sqlx::Error> {
    let tracking = order_number::plain(tracking).to_ascii_lowercase();
    let tracking: String = tracking.chars().filter(char::is_ascii_alphanumeric).collect();
    // Fewer characters are no carrier's, and could be anything.
    if tracking.len() < 6 {
        return Ok(None);
    }
    let numbers = sqlx::query_scalar!(
        "SELECT DISTINCT o.number FROM orders o JOIN shipments s ON (s.tenant_id, s.order_id) = (o.tenant_id, o.id)
        WHERE o.tenant_id = $1 AND (o.shopper_id = $2 OR o.id = $3)
            AND lower(regexp_replace(s.tracking_number, '[^A-Za-z0-9]', '', 'g')) = $4 LIMIT 2",
        tx.tenant_id().as_uuid(),
        tx.shopper_id().map(ShopperId::as_uuid),
        tx.proved_order().map(OrderId::as_uuid),
        tracking
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(<[String; 1]>::try_from(numbers).ok().map(|[number]| number))
}

/// The bound shopper's orders, newest first, at most `limit`, those older than `after` when it is given.
pub async fn list<R: Role>(
    tx: &mut Tx<R>,
    limit: u32,
    after: Option<OrderId>,
) -> Result<Vec<OrderSummary>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT o.id AS "id: OrderId", o.number, o.status AS "status: OrderStatus", o.currency, o.placed_at,
            coalesce((o.totals ->> 'total')::bigint, l.total, 0) AS "total!", coalesce(l.items, '{}') AS "items!"
        FROM orders o LEFT JOIN LATERAL (
            SELECT sum(price_minor * quantity)::bigint AS total, array_agg(name ORDER BY position) AS items
            FROM order_lines l WHERE (l.tenant_id, l.order_id) = (o.tenant_id, o.id)) l ON true
        WHERE $2::uuid IS NULL OR o.id < $2 ORDER BY o.id DESC LIMIT $1"#,
        i64::from(limit),
        after.map(OrderId::as_uuid)
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .map(|row| {
        let total = Money::new(row.total, currency(&row.currency)?);
        Ok(OrderSummary {
            id: row.id,
            number: row.number,
            status: row.status,
            placed_at: row.placed_at,
            total,
            items: row.items,
        })
    })
    .collect()
}

impl LineRow {
    fn priced_in(self, currency: Currency) -> Line {
        let price = Money::new(self.price_minor, currency);
        Line {
            item_id: self.item_id,
            product_id: self.product_id,
            name: self.name,
            options: self.options,
            price,
            quantity: self.quantity,
            total: self.total_minor.map(|minor| Money::new(minor, currency)),
        }
    }
}

impl PaymentRow {
    fn paid_in(self, currency: Currency) -> Payment {
        Payment {
            kind: self.kind,
            amount: Money::new(self.amount_minor, currency),
            payment_method_id: self.payment_method_id,
            pending: !self.confirmed,
            left: Money::new(self.left_minor, currency),
        }
    }
}

/// Parses a stored currency code. The table's check makes an invalid one a bug of ours, not the caller's error.
pub(crate) fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Replaces the lines of an order.
pub(super) async fn replace_lines(
    tx: &mut Tx<Executor>,
    shopper: ShopperId,
    order: OrderId,
    lines: &[Line],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM order_lines WHERE tenant_id = $1 AND order_id = $2",
        tx.tenant_id().as_uuid(),
        order.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    for (position, line) in (0..).zip(lines) {
        sqlx::query!(
            "INSERT INTO order_lines (tenant_id, shopper_id, order_id, position, product_id, item_id, name, options, price_minor, quantity, total_minor)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            tx.tenant_id().as_uuid(),
            shopper.as_uuid(),
            order.as_uuid(),
            position,
            line.product_id,
            line.item_id,
            line.name,
            Json(&line.options) as _,
            line.price.minor,
            line.quantity as i32,
            line.total.map(|total| total.minor)
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
