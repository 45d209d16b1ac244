//! Stores the records of the import format.
//!
//! A record describes its thing completely: sent again it changes nothing, sent changed it replaces what was stored.

use sqlx::types::Json;
use uuid::Uuid;
use validator::Validate;

use super::{
    merge, order_number,
    orders::{self, Line, OrderStatus, PaymentKind, StoredTotals},
    parcels, profile,
    records::{LineRecord, OrderRecord, PaymentMethodKind, PaymentRecord, ProductRecord, Record, ShopperRecord},
};
use crate::{
    ids::{OrderId, ProductId, ShopperId},
    ledger::{self, Direction, Known, LedgerError, Provider},
    money::{Currency, Money, MoneyError},
    tenancy::{Executor, Tenant, Tx},
    validation,
};

/// Why a record was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UpsertError {
    #[error("`{0}` {1}")]
    Field(String, String),
    #[error("`{0}`: {1}")]
    Money(&'static str, MoneyError),
    #[error("no shopper `{0}`; shoppers must come before their orders")]
    NoShopper(String),
    #[error("no payment method `{0}` of this shopper")]
    NoPaymentMethod(String),
    #[error("{0} belongs to another shopper")]
    Foreign(&'static str),
    #[error("the e-mail address belongs to another shopper")]
    EmailTaken,
    #[error("`payments`: one that was told before is missing; a correction is a new entry")]
    PaymentsChanged,
    #[error("`payments`: more would be refunded than was paid")]
    RefundedMoreThanPaid,
    #[error("the database refused it")]
    Database(#[from] sqlx::Error),
}

impl From<LedgerError> for UpsertError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotCovered | LedgerError::OwnOrder | LedgerError::NoSession => Self::RefundedMoreThanPaid,
            LedgerError::Database(error) => Self::Database(error),
        }
    }
}

/// Stores one record. Returns what of a platform's record could not be taken. After an error the caller rolls back, and nothing of it is kept.
pub async fn apply(tx: &mut Tx<Executor>, store: &Tenant, record: &Record) -> Result<Vec<String>, UpsertError> {
    match record {
        Record::Product(product) => self::product(tx, store, valid(product)?).await.map(|()| Vec::new()),
        Record::Shopper(shopper) => self::shopper(tx, store, valid(shopper)?).await,
        Record::Order(order) => self::order(tx, store, valid(order.as_ref())?).await,
    }
}

fn valid<T: Validate>(record: &T) -> Result<&T, UpsertError> {
    record.validate().map(|()| record).map_err(|errors| {
        let (field, reason) = validation::first(&errors);
        UpsertError::Field(field, reason)
    })
}

fn minor(field: &'static str, text: &str, currency: Currency) -> Result<i64, UpsertError> {
    let money = Money::parse(text, currency).map_err(|error| UpsertError::Money(field, error))?;
    if money.minor < 0 {
        Err(UpsertError::Field(field.into(), "must not be negative".into()))
    } else {
        Ok(money.minor)
    }
}

async fn product(tx: &mut Tx<Executor>, store: &Tenant, product: &ProductRecord) -> Result<(), UpsertError> {
    let id = sqlx::query_scalar!(
        r#"INSERT INTO products (tenant_id, id, external_id, name, description, picture) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET name = excluded.name, description = excluded.description, picture = excluded.picture
        RETURNING id AS "id: ProductId""#,
        store.id.as_uuid(),
        Uuid::now_v7(),
        product.id,
        product.name,
        product.description,
        product.picture
    )
    .fetch_one(&mut **tx)
    .await?;
    for variant in &product.variants {
        sqlx::query!(
            "INSERT INTO variants (tenant_id, id, product_id, item_id, options, price_minor, available) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (tenant_id, item_id) DO UPDATE SET product_id = excluded.product_id, options = excluded.options,
                price_minor = excluded.price_minor, available = excluded.available",
            store.id.as_uuid(),
            Uuid::now_v7(),
            id.as_uuid(),
            variant.id,
            Json(&variant.options) as _,
            minor("variants.price", &variant.price, store.currency)?,
            variant.available
        )
        .execute(&mut **tx)
        .await?;
    }
    // A variant that the store no longer sends is no longer sold, but is kept because orders name it.
    let sold: Vec<String> = product.variants.iter().map(|variant| variant.id.clone()).collect();
    sqlx::query!(
        "UPDATE variants SET available = false WHERE product_id = $1 AND available AND item_id <> ALL($2)",
        id.as_uuid(),
        &sold
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Merges an account that somebody registered here into the store's shopper with the same address: both have proved it. Whoever could sign
/// in to the account before cannot any more, as with an assertion, because the address may have changed hands. If the shopper is known here
/// already, the account loses the address instead.
async fn adopt(tx: &mut Tx<Executor>, store: &Tenant, external_id: &str, email: &str) -> Result<(), sqlx::Error> {
    let made_here = sqlx::query!(
        r#"UPDATE shoppers m SET external_id = CASE WHEN known.known THEN m.external_id ELSE $3 END,
            email = CASE WHEN known.known THEN 'replaced-' || m.shopper_id || '@replaced.invalid' ELSE m.email END
        FROM (SELECT EXISTS (SELECT FROM shoppers WHERE tenant_id = $1 AND external_id = $3) AS known) known
        WHERE m.tenant_id = $1 AND m.email = $2 AND m.external_id = m.shopper_id::text RETURNING m.shopper_id AS "id: ShopperId""#,
        store.id.as_uuid(),
        email,
        external_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(made_here) = made_here {
        sqlx::query!(
            "DELETE FROM passwords WHERE tenant_id = $1 AND shopper_id = $2",
            store.id.as_uuid(),
            made_here.id.as_uuid()
        )
        .execute(&mut **tx)
        .await?;
        sqlx::query!(
            "UPDATE sessions SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND shopper_id = $2",
            store.id.as_uuid(),
            made_here.id.as_uuid()
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn shopper(tx: &mut Tx<Executor>, store: &Tenant, shopper: &ShopperRecord) -> Result<Vec<String>, UpsertError> {
    let mut notes = Vec::new();
    let mut email = shopper.email.as_deref().map(|email| email.trim().to_lowercase());
    if let Some(address) = &email {
        adopt(tx, store, &shopper.id, address).await?;
        if shopper.from_platform && has_other(tx, &shopper.id, address).await? {
            notes.push("the e-mail address belongs to another customer; it was left there".to_owned());
            email = None;
        }
    }
    let id = sqlx::query_scalar!(
        r#"INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name, address) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET email = CASE WHEN $8 THEN coalesce(excluded.email, shoppers.email) ELSE excluded.email END,
            first_name = CASE WHEN $8 THEN coalesce(nullif(excluded.first_name, ''), shoppers.first_name) ELSE excluded.first_name END,
            last_name = CASE WHEN $8 THEN coalesce(nullif(excluded.last_name, ''), shoppers.last_name) ELSE excluded.last_name END,
            address = CASE WHEN $8 THEN coalesce(excluded.address, shoppers.address) ELSE excluded.address END
        RETURNING shopper_id AS "id: ShopperId""#,
        store.id.as_uuid(),
        Uuid::now_v7(),
        shopper.id,
        email,
        shopper.first_name,
        shopper.last_name,
        shopper.address.as_ref().map(Json) as _,
        shopper.from_platform
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("shoppers_tenant_id_email_key") => UpsertError::EmailTaken,
        _ => error.into(),
    })?;
    for method in &shopper.payment_methods {
        let balance = method
            .balance
            .as_deref()
            .map(|text| minor("payment_methods.balance", text, store.currency))
            .transpose()?;
        let stored = sqlx::query!(
            "INSERT INTO payment_methods (tenant_id, shopper_id, id, external_id, kind, brand, last_four, balance_minor, reference, customer, balance_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $8::bigint IS NOT NULL THEN $11::timestamptz END)
            ON CONFLICT (tenant_id, external_id) DO UPDATE SET kind = excluded.kind, brand = excluded.brand, last_four = excluded.last_four,
                balance_minor = excluded.balance_minor, reference = excluded.reference, customer = excluded.customer,
                balance_at = CASE WHEN payment_methods.balance_minor = excluded.balance_minor THEN payment_methods.balance_at ELSE excluded.balance_at END
            WHERE payment_methods.shopper_id = excluded.shopper_id",
            store.id.as_uuid(),
            id.as_uuid(),
            Uuid::now_v7(),
            method.id,
            method.kind as PaymentMethodKind as _,
            method.brand,
            method.last_four,
            balance,
            method.reference,
            method.customer,
            crate::clock::now()
        )
        .execute(&mut **tx)
        .await?;
        if stored.rows_affected() == 0 {
            return Err(UpsertError::Foreign("a payment method"));
        }
    }
    Ok(notes)
}

/// Whether another shopper has an e-mail address.
async fn has_other(tx: &mut Tx<Executor>, external_id: &str, email: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM shoppers WHERE tenant_id = $1 AND email = $2 AND external_id <> $3) AS "other!""#,
        tx.tenant_id().as_uuid(),
        email,
        external_id
    )
    .fetch_one(&mut **tx)
    .await
}

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
        duties: minor("totals.duties", &totals.duties, currency)?,
    }))
}

async fn order(tx: &mut Tx<Executor>, store: &Tenant, order: &OrderRecord) -> Result<Vec<String>, UpsertError> {
    let mut notes = order.notes.clone();
    let currency = match &order.currency {
        None => store.currency,
        Some(code) => code.parse().map_err(|error| UpsertError::Money("currency", error))?,
    };
    let totals = totals_of(order, currency)?;
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
    // The currency of an order is that of its ledger, so it stays as it was told first.
    let currency = known.as_ref().map_or(currency, |known| known.total.currency);
    let told = reconcile(&ledger::known(tx, stored).await?, order, currency)?;
    for request in &told.confirmed {
        ledger::confirm_request(tx, *request, now).await?;
    }
    let status = status_of(known.as_ref(), order);
    if let Some(known) = &known {
        if told.new.is_empty() && same(known, order, status, currency)? && totals_are(tx, stored, totals).await? {
            return Ok(notes);
        }
        sqlx::query!(
            "UPDATE orders SET status = $2, address = $3, placed_at = $4, totals = $5, version = version + 1 WHERE id = $1",
            stored.as_uuid(),
            status as OrderStatus as _,
            Json(&order.address) as _,
            order.placed_at,
            totals.map(Json) as _
        )
        .execute(&mut **tx)
        .await?;
    }
    let lines = order
        .lines
        .iter()
        .map(|line| line_of(line, currency))
        .collect::<Result<Vec<_>, _>>()?;
    orders::replace_lines(tx, shopper, stored, &lines).await?;
    sqlx::query!("DELETE FROM shipments WHERE order_id = $1", stored.as_uuid())
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

/// Whether an order has these totals.
async fn totals_are(tx: &mut Tx<Executor>, order: OrderId, totals: Option<StoredTotals>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT totals IS NOT DISTINCT FROM $2 AS "same!" FROM orders WHERE id = $1"#,
        order.as_uuid(),
        totals.map(Json) as _
    )
    .fetch_one(&mut **tx)
    .await
}

fn direction(kind: PaymentKind) -> Direction {
    match kind {
        PaymentKind::Payment => Direction::In,
        PaymentKind::Refund => Direction::Out,
    }
}

/// What is new in a record about an order's money.
struct Reconciliation<'a> {
    /// New payments and refunds, with their amounts in minor units.
    new: Vec<(&'a PaymentRecord, i64)>,
    /// Requests of ours that the store reports as carried out.
    confirmed: Vec<Uuid>,
}

/// Compares the record's payments with the ledger. A refund of ours that the store's system carried out is in its records too and must not
/// count twice; one that the records do not show yet is kept. Where the records only say what has moved so far, a larger payment is one that
/// grew, and a smaller or missing one stays as it was told: what was paid does not become unpaid.
fn reconcile<'a>(
    known: &[Known],
    order: &'a OrderRecord,
    currency: Currency,
) -> Result<Reconciliation<'a>, UpsertError> {
    let mut open: Vec<&Known> = known.iter().collect();
    let mut told = Reconciliation {
        new: Vec::new(),
        confirmed: Vec::new(),
    };
    for payment in &order.payments {
        let amount = minor("payments.amount", &payment.amount, currency)?;
        if order.from_platform && payment.kind == PaymentKind::Payment {
            let paid = known.iter().filter(|known| known.direction == Direction::In);
            let more = amount - paid.map(|known| known.amount_minor).sum::<i64>();
            if more > 0 {
                told.new.push((payment, more));
            }
            continue;
        }
        // A platform does not say which method money went to: the same sum in the same direction is the same movement.
        let is_same = |known: &&Known| {
            (known.direction, known.amount_minor) == (direction(payment.kind), amount)
                && (order.from_platform || known.payment_method == payment.payment_method)
        };
        let found = open.iter().position(is_same);
        match found.map(|at| open.remove(at)) {
            // Stripe itself reports the results of its movements.
            Some(known) if !known.confirmed && known.provider != Provider::Stripe => told.confirmed.push(known.request),
            Some(_) => {}
            None => told.new.push((payment, amount)),
        }
    }
    let is_missing = open.iter().any(|known| known.provider == Provider::Store);
    match is_missing && !order.from_platform {
        true => Err(UpsertError::PaymentsChanged),
        false => Ok(told),
    }
}

/// Whether the record equals what is stored.
fn same(
    known: &orders::Order,
    order: &OrderRecord,
    status: OrderStatus,
    currency: Currency,
) -> Result<bool, UpsertError> {
    let mut lines = Vec::new();
    for line in &order.lines {
        lines.push(line_of(line, currency)?);
    }
    Ok(lines == known.lines
        && (known.status, &known.address, &known.shipments, known.placed_at)
            == (status, &order.address, &order.shipments, order.placed_at))
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
