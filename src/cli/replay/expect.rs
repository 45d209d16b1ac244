//! The state that a conversation must end in, and the comparison with the state that it did end in.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::{PgConnection, types::Json};

use crate::store::{
    Address,
    orders::{OrderStatus, PaymentKind},
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The expected orders, by number. An order that is not named must be as it was.
    #[serde(default)]
    pub orders: BTreeMap<String, ExpectedOrder>,
    /// The balances of gift cards by id, as decimal text.
    #[serde(default)]
    pub balances: BTreeMap<String, String>,
    /// The shopper's default address.
    #[serde(default)]
    pub address: Option<Address>,
}

#[derive(Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ExpectedOrder {
    pub status: OrderStatus,
    pub address: Address,
    /// The item id and price of each unit, in any order.
    pub items: Vec<(String, String)>,
    pub payments: Vec<ExpectedPayment>,
}

#[derive(Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ExpectedPayment {
    pub kind: PaymentKind,
    /// The amount as decimal text.
    pub amount: String,
    pub payment_method: String,
}

/// Describes each difference. `db` is a superuser's connection, so row-level security hides nothing.
pub async fn differences(
    db: &mut PgConnection,
    expected: &Expected,
    shopper: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let mut differences = Vec::new();
    for (number, order) in &expected.orders {
        match load(db, number).await? {
            None => differences.push(format!("{number} is missing")),
            Some(found) => compare(number, order, found, &mut differences),
        }
    }
    let named: Vec<String> = expected.orders.keys().cloned().collect();
    let changed: Vec<String> = sqlx::query_scalar("SELECT number FROM orders WHERE version > 1 AND number <> ALL($1)")
        .bind(&named)
        .fetch_all(&mut *db)
        .await?;
    differences.extend(changed.into_iter().map(|number| format!("{number} has changed")));
    for (method, balance) in &expected.balances {
        let found: Option<i64> = sqlx::query_scalar("SELECT balance_minor FROM payment_methods WHERE external_id = $1")
            .bind(method)
            .fetch_one(&mut *db)
            .await?;
        if found.map(cents) != Some(trim(balance)) {
            differences.push(format!("{method} holds {found:?} cents and not {balance}"));
        }
    }
    if let Some(address) = &expected.address {
        let found: Json<Address> = sqlx::query_scalar("SELECT address FROM shoppers WHERE external_id = $1")
            .bind(shopper)
            .fetch_one(&mut *db)
            .await?;
        if found.0 != *address {
            differences.push("the shopper's address is another".to_owned());
        }
    }
    Ok(differences)
}

async fn load(db: &mut PgConnection, number: &str) -> Result<Option<ExpectedOrder>, sqlx::Error> {
    let order: Option<(uuid::Uuid, OrderStatus, Json<Address>)> =
        sqlx::query_as("SELECT id, status, address FROM orders WHERE number = $1")
            .bind(number)
            .fetch_optional(&mut *db)
            .await?;
    let Some((id, status, address)) = order else {
        return Ok(None);
    };
    let lines: Vec<(String, i64, i32)> =
        sqlx::query_as("SELECT item_id, price_minor, quantity FROM order_lines WHERE order_id = $1")
            .bind(id)
            .fetch_all(&mut *db)
            .await?;
    let items = lines
        .into_iter()
        .flat_map(|(item, price, quantity)| std::iter::repeat_n((item, cents(price)), quantity as usize))
        .collect();
    let payments: Vec<(PaymentKind, i64, String)> = sqlx::query_as(
        "SELECT p.kind, p.amount_minor, m.external_id FROM order_payments p JOIN payment_methods m ON (m.tenant_id, m.id) = (p.tenant_id, p.payment_method_id)
        WHERE p.order_id = $1 ORDER BY p.position",
    )
    .bind(id)
    .fetch_all(&mut *db)
    .await?;
    let payments = payments
        .into_iter()
        .map(|(kind, amount, payment_method)| ExpectedPayment {
            kind,
            amount: cents(amount),
            payment_method,
        });
    Ok(Some(ExpectedOrder {
        status,
        address: address.0,
        items,
        payments: payments.collect(),
    }))
}

fn compare(number: &str, expected: &ExpectedOrder, found: ExpectedOrder, differences: &mut Vec<String>) {
    if found.status != expected.status {
        differences.push(format!("{number} is {:?} and not {:?}", found.status, expected.status));
    }
    if found.address != expected.address {
        differences.push(format!("{number} goes to another address"));
    }
    let sorted = |items: &[(String, String)]| {
        let mut items: Vec<_> = items.iter().map(|(item, price)| (item.clone(), trim(price))).collect();
        items.sort();
        items
    };
    if sorted(&found.items) != sorted(&expected.items) {
        differences.push(format!(
            "{number} holds {:?} and not {:?}",
            sorted(&found.items),
            sorted(&expected.items)
        ));
    }
    let said = |payments: &[ExpectedPayment]| {
        payments
            .iter()
            .map(|payment| {
                format!(
                    "{:?} {} {}",
                    payment.kind,
                    trim(&payment.amount),
                    payment.payment_method
                )
            })
            .collect::<Vec<_>>()
    };
    if said(&found.payments) != said(&expected.payments) {
        differences.push(format!(
            "{number} has payments {:?} and not {:?}",
            said(&found.payments),
            said(&expected.payments)
        ));
    }
}

fn cents(minor: i64) -> String {
    trim(&format!("{}.{:02}", minor / 100, minor % 100))
}

/// Normalizes an amount, so that `5.50` and `5.5` are equal.
fn trim(decimal: &str) -> String {
    match decimal.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{:0<2}", fraction.trim_end_matches('0')),
        None => format!("{decimal}.00"),
    }
}
