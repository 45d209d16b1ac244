//! Fits a record of a shop's CSV export to what is stored. An export has no version and tells less than the shop's events and the store's own
//! records do, so it adds what is missing and takes nothing back.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::types::Json;

use super::{
    Options,
    orders::{self, Order, OrderStatus, PaymentKind},
    records::{LineRecord, OrderRecord, PaymentRecord, ProductRecord, Record, ShopperRecord},
};
use crate::{
    ids::ShopperId,
    money::{self, Money},
    tenancy::{Executor, Tx},
};

const TOLD_BY_EVENTS: &str = "the shop's events tell of it, and they know more than an export";

/// Completes a record from what is stored. Returns why it is not taken, if it is not.
pub async fn fit(
    tx: &mut Tx<Executor>,
    record: &mut Record,
    has_ids: bool,
) -> Result<Option<&'static str>, sqlx::Error> {
    if is_told_by_events(tx, record).await? {
        return Ok(Some(TOLD_BY_EVENTS));
    }
    match record {
        Record::Product(product) => self::product(tx, product, has_ids).await,
        Record::Shopper(shopper) => self::shopper(tx, shopper).await.map(|()| None),
        Record::Order(order) => self::order(tx, order).await,
    }
}

/// Whether an event of the shop has told of a record's thing. An event that comes while an export is imported is seen after it is stored, so
/// this is asked again then.
pub async fn is_told_by_events(tx: &mut Tx<Executor>, record: &Record) -> Result<bool, sqlx::Error> {
    let (kind, ids) = match record {
        Record::Product(product) => ("product", vec![product.id.clone()]),
        Record::Shopper(shopper) => ("shopper", vec![shopper.id.clone()]),
        Record::Order(order) => {
            let bare = order.number.trim_start_matches('#');
            let mut ids = vec![order.number.clone(), bare.to_owned(), format!("#{bare}")];
            ids.extend(order.reference.clone());
            ("order", ids)
        }
    };
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM record_versions WHERE tenant_id = $1 AND kind = $2 AND external_id = ANY($3)) AS "told!""#,
        tx.tenant_id().as_uuid(),
        kind,
        &ids
    )
    .fetch_one(&mut **tx)
    .await
}

/// Why a record was skipped that events told of while it was imported.
pub fn told_meanwhile() -> &'static str {
    TOLD_BY_EVENTS
}

async fn product(
    tx: &mut Tx<Executor>,
    product: &mut ProductRecord,
    has_ids: bool,
) -> Result<Option<&'static str>, sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    if !has_ids {
        let told = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM record_versions WHERE tenant_id = $1 AND kind = 'product') AS "told!""#,
            tenant
        )
        .fetch_one(&mut **tx)
        .await?;
        if told {
            return Ok(Some(
                "the shop's events tell of its products, by ids that an export does not have",
            ));
        }
    }
    // Shops let several variants have one SKU. The first keeps it, in whatever order the files are imported again.
    let items: Vec<String> = product.variants.iter().map(|variant| variant.id.clone()).collect();
    let taken: BTreeSet<String> = sqlx::query_scalar!(
        "SELECT v.item_id FROM variants v JOIN products p ON (p.tenant_id, p.id) = (v.tenant_id, v.product_id)
        WHERE v.tenant_id = $1 AND v.item_id = ANY($2) AND p.external_id <> $3",
        tenant,
        &items,
        product.id
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .collect();
    for variant in &mut product.variants {
        if taken.contains(&variant.id) {
            variant.id = format!("{}/{}", product.id, variant.id).chars().take(120).collect();
        }
    }
    Ok(None)
}

/// Where an export has no ids of customers, the e-mail address says who it is.
async fn shopper(tx: &mut Tx<Executor>, shopper: &mut ShopperRecord) -> Result<(), sqlx::Error> {
    if !shopper.id.is_empty() {
        return Ok(());
    }
    let Some(email) = &shopper.email else { return Ok(()) };
    let known = sqlx::query_scalar!(
        "SELECT external_id FROM shoppers WHERE tenant_id = $1 AND email = $2",
        tx.tenant_id().as_uuid(),
        email.trim().to_lowercase()
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(known) = known {
        shopper.id = known;
        // It is this shopper's already. Told again, it would end the sessions of an account that was made here.
        shopper.email = None;
    }
    Ok(())
}

/// Makes a shopper of whom only the e-mail address is known, under an id of our own, so that the shop's customer with that address takes it
/// over later, as with an order of a guest.
pub async fn create_by_email(tx: &mut Tx<Executor>, shopper: &mut ShopperRecord) -> Result<(), sqlx::Error> {
    let Some(email) = shopper.email.take() else {
        return Ok(());
    };
    let new = ShopperId::new();
    sqlx::query!(
        "INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name) VALUES ($1, $2, $3, $4, '', '')",
        tx.tenant_id().as_uuid(),
        new.as_uuid(),
        new.to_string(),
        email.trim().to_lowercase()
    )
    .execute(&mut **tx)
    .await?;
    shopper.id = new.to_string();
    Ok(())
}

async fn order(tx: &mut Tx<Executor>, order: &mut OrderRecord) -> Result<Option<&'static str>, sqlx::Error> {
    let stored = sqlx::query!(
        r#"SELECT s.external_id AS owner, o.currency, o.reference,
            EXISTS (SELECT FROM proposals p WHERE (p.tenant_id, p.order_id) = (o.tenant_id, o.id)) AS "asked!"
        FROM orders o JOIN shoppers s ON (s.tenant_id, s.shopper_id) = (o.tenant_id, o.shopper_id)
        WHERE o.tenant_id = $1 AND o.bare_number = ltrim($2, '#')"#,
        tx.tenant_id().as_uuid(),
        order.number
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(stored) = stored else {
        link(tx, &mut order.lines).await?;
        if let Some(shopper) = &order.shopper
            && !is_known(tx, shopper).await?
        {
            order.shopper = None;
        }
        return Ok(None);
    };
    if stored.asked {
        return Ok(Some(
            "requests were made for the order here, and an export does not tell of them",
        ));
    }
    if stored.reference.is_some() && order.reference.is_some() && stored.reference != order.reference {
        return Ok(Some("another order of the shop has this number"));
    }
    if order.currency.as_deref().is_some_and(|code| code != stored.currency) {
        return Ok(Some("the order is known in another currency"));
    }
    order.shopper = Some(stored.owner);
    if let Some(known) = orders::by_number(tx, &order.number).await?
        && known.number.trim_start_matches('#') == order.number.trim_start_matches('#')
    {
        keep(order, known);
    }
    Ok(None)
}

async fn is_known(tx: &mut Tx<Executor>, shopper: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM shoppers WHERE tenant_id = $1 AND external_id = $2) AS "known!""#,
        tx.tenant_id().as_uuid(),
        shopper
    )
    .fetch_one(&mut **tx)
    .await
}

/// Lines name the variant alone; the catalogue knows its product and its options.
async fn link(tx: &mut Tx<Executor>, lines: &mut [LineRecord]) -> Result<(), sqlx::Error> {
    let items: Vec<String> = lines.iter().map(|line| line.item_id.clone()).collect();
    let known: BTreeMap<String, (String, Options)> = sqlx::query!(
        r#"SELECT v.item_id, p.external_id, v.options AS "options: Json<Options>"
        FROM variants v JOIN products p ON (p.tenant_id, p.id) = (v.tenant_id, v.product_id)
        WHERE v.tenant_id = $1 AND v.item_id = ANY($2)"#,
        tx.tenant_id().as_uuid(),
        &items
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .map(|row| (row.item_id, (row.external_id, row.options.0)))
    .collect();
    for line in lines {
        if let Some((product, options)) = known.get(&line.item_id) {
            line.product_id.clone_from(product);
            if line.options.is_empty() {
                line.options.clone_from(options);
            }
        }
    }
    Ok(())
}

/// Keeps what is known of an order and an export does not tell, or tells less of.
fn keep(order: &mut OrderRecord, known: Order) {
    let decimals = known.total.currency.decimals();
    order.shipments = known.shipments;
    order.placed_at = order.placed_at.or(known.placed_at);
    if progress(known.status) > progress(order.status) {
        order.status = known.status;
    }
    // `-` stands for what every address has and the export does not tell.
    if order.address.address1 == "-" {
        order.address = known.address;
    }
    let price = |line: &LineRecord| Money::parse(&line.price, known.total.currency).map(|money| money.minor);
    let is_same = order.lines.len() == known.lines.len()
        && order
            .lines
            .iter()
            .zip(&known.lines)
            .all(|(line, known)| price(line) == Ok(known.price.minor) && line.quantity == known.quantity);
    if is_same {
        let lines = known.lines.into_iter().map(|line| LineRecord {
            product_id: line.product_id,
            item_id: line.item_id,
            name: line.name,
            options: line.options,
            price: line.price.amount(),
            quantity: line.quantity,
            total: line.total.map(Money::amount),
        });
        order.lines = lines.collect();
    }
    // An export tells the sum of the refunds. Those that are known are named one by one, so that only what is new is booked.
    let mut refunds: Vec<i64> = Vec::new();
    for payment in &known.payments {
        if payment.kind == PaymentKind::Refund && !payment.pending {
            refunds.push(payment.amount.minor);
        }
    }
    let told = |payment: &PaymentRecord| {
        let amount = Money::parse(&payment.amount, known.total.currency);
        amount.map_or(0, |money| money.minor)
    };
    let is_refund = |payment: &PaymentRecord| payment.kind == PaymentKind::Refund;
    let sum: i64 = order.payments.iter().filter(|it| is_refund(it)).map(told).sum();
    let more = sum - refunds.iter().sum::<i64>();
    refunds.extend(Some(more).filter(|more| *more > 0));
    order.payments.retain(|payment| !is_refund(payment));
    order.payments.extend(refunds.into_iter().map(|minor| PaymentRecord {
        kind: PaymentKind::Refund,
        amount: money::decimal(minor, decimals),
        payment_method: String::new(),
        reference: None,
        movement: None,
    }));
}

/// How far an order has come. An older export does not take it back.
fn progress(status: OrderStatus) -> u8 {
    match status {
        OrderStatus::Pending => 0,
        OrderStatus::PendingItemsModified => 1,
        OrderStatus::PartlyShipped => 2,
        OrderStatus::Shipped => 3,
        OrderStatus::Processed => 4,
        OrderStatus::OutForDelivery => 5,
        OrderStatus::Delivered => 6,
        OrderStatus::ReturnRequested | OrderStatus::ExchangeRequested => 7,
        OrderStatus::Cancelled => 8,
    }
}
