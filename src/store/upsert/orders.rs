//! Stores orders with their lines, parcels and money.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    UpsertError, minor,
    payments::{direction, reconcile},
};
use crate::{
    ids::{OrderId, ShopperId},
    ledger::{self, Direction, Provider},
    money::{Currency, Money},
    store::{
        agreed_lines, merge, order_number,
        orders::{self, Line, OrderStatus, StoredTotals},
        parcels, profile,
        records::{LineRecord, OrderRecord},
        renumber,
    },
    tenancy::{Executor, Tenant, Tx},
};

/// Whose order it is: the shopper whom it names; else whoever has its e-mail address; else whose it was before. A new shopper is made where
/// nobody is known, under an id of our own, so that the platform's customer with that address takes it over later (`adopt`).
async fn owner(tx: &mut Tx<Executor>, store: &Tenant, order: &OrderRecord) -> Result<ShopperId, UpsertError> {
    let email = order.email.as_deref().map(|email| email.trim().to_lowercase());
    let found = sqlx::query_scalar!(
        r#"SELECT shopper_id AS "id: ShopperId" FROM shoppers s WHERE tenant_id = $1 AND CASE WHEN $2::text IS NOT NULL THEN external_id = $2
            WHEN $3::text IS NOT NULL THEN email = $3
            ELSE EXISTS (SELECT FROM orders o WHERE (o.tenant_id, o.shopper_id) = (s.tenant_id, s.shopper_id) AND o.bare_number = ltrim($4, '#')) END"#,
        store.id.as_uuid(),
        order.shopper,
        email,
        order.number
    )
    .fetch_optional(&mut **tx)
    .await?;
    match (found, &order.shopper) {
        (Some(found), _) => Ok(found),
        (None, Some(named)) => Err(UpsertError::NoShopper(named.clone())),
        (None, None) => {
            let new = ShopperId::new();
            sqlx::query!(
                "INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name) VALUES ($1, $2, $3, $4, '', '')",
                store.id.as_uuid(),
                new.as_uuid(),
                new.to_string(),
                email
            )
            .execute(&mut **tx)
            .await?;
            Ok(new)
        }
    }
}

fn totals_of(order: &OrderRecord, currency: Currency) -> Result<Option<StoredTotals>, UpsertError> {
    let Some(totals) = &order.totals else { return Ok(None) };
    Ok(Some(StoredTotals {
        total: minor("totals.total", &totals.total, currency)?,
        discount: minor("totals.discount", &totals.discount, currency)?,
        tax: minor("totals.tax", &totals.tax, currency)?,
        tax_included: totals.tax_included,
        shipping: minor("totals.shipping", &totals.shipping, currency)?,
        tip: minor("totals.tip", &totals.tip, currency)?,
        fees: minor("totals.fees", &totals.fees, currency)?,
        duties: minor("totals.duties", &totals.duties, currency)?,
    }))
}

pub(super) async fn store(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    order: &OrderRecord,
) -> Result<Vec<String>, UpsertError> {
    let mut notes = order.notes.clone();
    let currency = match &order.currency {
        None => store.currency,
        Some(code) => code.parse().map_err(|error| UpsertError::Money("currency", error))?,
    };
    let totals = totals_of(order, currency)?;
    if order.from_platform
        && let Some(reference) = &order.reference
    {
        renumber::order(tx, reference, &order.number).await?;
    }
    let mut shopper = owner(tx, store, order).await?;
    let mut method = match order.from_platform {
        true => Some(profile::platform_method(tx, shopper).await?),
        false => None,
    };
    if order.from_platform
        && let Some(before) = merge::owner_of(tx, &order.number, order.reference.as_deref()).await?
        && before != shopper
        && !merge::move_order(tx, &order.number, shopper, method.as_deref()).await?
    {
        notes.push(
            "the order belongs to another customer now; requests were made for it, so it stays with the one before"
                .to_owned(),
        );
        shopper = before;
        method = Some(profile::platform_method(tx, shopper).await?);
    }
    let (is_new, stored) = sqlx::query!(
        r#"INSERT INTO orders (tenant_id, shopper_id, id, number, folded_number, status, currency, address, placed_at, reference, totals)
        VALUES ($1, $2, $3, $4, $10, $5, $6, $7, $8, $9, $11)
        ON CONFLICT (tenant_id, bare_number) DO UPDATE SET number = excluded.number, folded_number = excluded.folded_number, reference = coalesce(excluded.reference, orders.reference) WHERE orders.shopper_id = excluded.shopper_id
        RETURNING id AS "id: OrderId", xmax = 0 AS "is_new!""#,
        store.id.as_uuid(),
        shopper.as_uuid(),
        Uuid::now_v7(),
        order.number,
        order.status as OrderStatus as _,
        currency.to_string(),
        Json(&order.address) as _,
        order.placed_at,
        order.reference,
        order_number::fold(&order.number),
        totals.map(Json) as _
    )
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| (row.is_new, row.id))
    .ok_or(UpsertError::Foreign("the order number"))?;
    let known = orders::by_number(tx, &order.number).await?.filter(|_| !is_new);
    ledger::lock(tx, stored).await?;
    let now = crate::clock::now();
    for (movement, attempt) in &order.failed_refunds {
        let found = ledger::get(tx, *movement).await?;
        if found
            .is_some_and(|found| (found.order, found.provider, found.retries) == (stored, Provider::Platform, *attempt))
        {
            ledger::fail(tx, *movement, "the shop could not pay the refund out", now).await?;
        }
    }
    confirm_own_refunds(tx, stored, order, now).await?;
    // The currency of an order is that of its ledger, so it stays as it was told first.
    let currency = known.as_ref().map_or(currency, |known| known.total.currency);
    let told = reconcile(&ledger::known(tx, stored).await?, order, currency)?;
    for request in &told.confirmed {
        ledger::confirm_request(tx, *request, now).await?;
    }
    let status = status_of(known.as_ref(), order);
    let lines: Vec<Line> = order
        .lines
        .iter()
        .map(|line| line_of(line, currency))
        .collect::<Result<_, _>>()?;
    let agreed = known
        .as_ref()
        .filter(|known| order.from_platform && agreed_lines::still_stand(known, &lines));
    let (lines, totals) = match agreed {
        Some(known) => {
            let difference = agreed_lines::cost(&known.lines) - agreed_lines::cost(&lines);
            (known.lines.clone(), totals.map(|totals| totals.plus(difference)))
        }
        None => (lines, totals),
    };
    if let Some(known) = &known {
        let ends_agreement = known.replaced_lines.is_some() && agreed.is_none();
        if told.new.is_empty() && !ends_agreement && same(known, order, (status, &lines, totals)) {
            return Ok(notes);
        }
        sqlx::query!(
            "UPDATE orders SET status = $2, address = $3, placed_at = $4, totals = $5, replaced_lines = CASE WHEN $7 THEN replaced_lines END, version = version + 1
            WHERE tenant_id = $6 AND id = $1",
            stored.as_uuid(),
            status as OrderStatus as _,
            Json(&order.address) as _,
            order.placed_at,
            totals.map(Json) as _,
            store.id.as_uuid(),
            agreed.is_some()
        )
        .execute(&mut **tx)
        .await?;
    }
    orders::replace_lines(tx, shopper, stored, &lines).await?;
    sqlx::query!(
        "DELETE FROM shipments WHERE tenant_id = $1 AND order_id = $2",
        store.id.as_uuid(),
        stored.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    parcels::add(tx, shopper, stored, &order.shipments).await?;
    for (payment, amount) in told.new {
        let name = method.as_deref().unwrap_or(&payment.payment_method);
        let method = profile::payment_method(tx, shopper, name)
            .await?
            .ok_or_else(|| UpsertError::NoPaymentMethod(name.to_owned()))?;
        let reference = payment.reference.as_deref();
        ledger::record(tx, (stored, method), direction(payment.kind), amount, reference, now).await?;
    }
    Ok(notes)
}

/// Confirms refunds of ours that the platform reports as paid out, whatever it made of their amounts.
async fn confirm_own_refunds(
    tx: &mut Tx<Executor>,
    stored: OrderId,
    order: &OrderRecord,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for movement in order.payments.iter().filter_map(|payment| payment.movement) {
        let found = ledger::get(tx, movement).await?;
        if found.is_some_and(|found| (found.order, found.direction) == (stored, Direction::Out)) {
            ledger::confirm(tx, movement, None, now).await?;
        }
    }
    Ok(())
}

/// The status to store. What was agreed here is not known to the platform, which tells the order again when it is tagged for it.
fn status_of(known: Option<&orders::Order>, order: &OrderRecord) -> OrderStatus {
    use OrderStatus as S;
    match known.map(|known| known.status) {
        Some(agreed @ (S::ReturnRequested | S::ExchangeRequested))
            if order.from_platform && matches!(order.status, S::Shipped | S::OutForDelivery | S::Delivered) =>
        {
            agreed
        }
        Some(S::PendingItemsModified) if order.from_platform && order.status == S::Pending => S::PendingItemsModified,
        _ => order.status,
    }
}

/// Whether the record, with the status, the lines and the totals that are to be stored, equals what is stored.
fn same(
    known: &orders::Order,
    order: &OrderRecord,
    (status, lines, totals): (OrderStatus, &[Line], Option<StoredTotals>),
) -> bool {
    (known.lines.as_slice(), known.stored_totals) == (lines, totals)
        && (known.status, &known.address, &known.shipments, known.placed_at)
            == (status, &order.address, &order.shipments, order.placed_at)
}

fn line_of(line: &LineRecord, currency: Currency) -> Result<Line, UpsertError> {
    Ok(Line {
        product_id: line.product_id.clone(),
        item_id: line.item_id.clone(),
        name: line.name.clone(),
        options: line.options.clone(),
        price: Money::new(minor("lines.price", &line.price, currency)?, currency),
        quantity: line.quantity,
        total: line
            .total
            .as_deref()
            .map(|total| minor("lines.total", total, currency))
            .transpose()?
            .map(|minor| Money::new(minor, currency)),
    })
}
