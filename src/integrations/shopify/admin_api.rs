//! Shopify's Admin GraphQL API: makes changes of orders at the shop's platform too.
//!
//! Each operation may be repeated. Setting an address and adding a tag are idempotent. Before a cancellation the order is checked for being
//! cancelled already, and before a refund for a refund that has our key in its note.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    ids::{MovementId, OrderId, ProposalId},
    integrations::{
        credentials::{self, Credential, Kind},
        json_fields, outbound_http,
    },
    jobs::outbox::{self, Channel, ClaimedDelivery, Sent},
    keyring::Keyring,
    ledger::{self, Direction, LedgerError, MovementState},
    money::{Currency, Money},
    telemetry::traces,
    tenancy::{Executor, Tx},
};

/// The operation to do on an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Cancel,
    /// Sets the delivery address that the order has at the time of the call.
    Address,
    /// Tags the order, so that the shop's staff sees that a return or exchange was requested.
    TagReturn,
    /// Refunds an amount, decimal text in the order's currency, to what the order was paid with. `movement` is the ledger's, which the
    /// shop's answer confirms.
    Refund {
        amount: String,
        movement: MovementId,
    },
}

#[derive(Serialize, Deserialize)]
struct Queued {
    order: OrderId,
    operation: Operation,
}

/// Queues an operation, if the store has a platform that knows the order.
pub async fn queue(
    tx: &mut Tx<Executor>,
    (proposal, position): (ProposalId, usize),
    order: OrderId,
    operation: Operation,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND reference IS NOT NULL)
            AND EXISTS (SELECT FROM integrations WHERE kind = 'shopify' AND revoked_at IS NULL) AS "known!""#,
        order.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await?;
    if !known {
        return Ok(());
    }
    let payload = json!(Queued { order, operation });
    outbox::queue(
        tx,
        Channel::Shop,
        "order",
        &format!("shop:{proposal}:{position}"),
        payload,
        now,
    )
    .await
}

/// Queues a refund at the platform, for a movement of the ledger.
pub(in crate::integrations) async fn queue_refund(
    tx: &mut Tx<Executor>,
    order: OrderId,
    operation: Operation,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let Operation::Refund { movement, .. } = &operation else {
        return Ok(());
    };
    let key = format!("{REFUND_KEY}{movement}");
    outbox::queue(
        tx,
        Channel::Shop,
        "order",
        &key,
        json!(Queued { order, operation }),
        now,
    )
    .await
}

const IS_CANCELLED: &str = "query ($id: ID!) { order(id: $id) { cancelledAt } }";
// No refund here: the payment provider refunds the money, once.
const CANCEL: &str = "mutation ($id: ID!) { result: orderCancel(orderId: $id, reason: CUSTOMER, refund: false, restock: true, notifyCustomer: false) { userErrors: orderCancelUserErrors { code } } }";
const ADDRESS: &str = "mutation ($id: ID!, $address: MailingAddressInput!) { result: orderUpdate(input: { id: $id, shippingAddress: $address }) { userErrors { field } } }";
const TAG: &str =
    "mutation ($id: ID!) { result: tagsAdd(id: $id, tags: [\"return requested\"]) { userErrors { field } } }";

// Refunds are a list without pages: it is cut after so many.
const PAID_AND_REFUNDED: &str = "query ($id: ID!) { order(id: $id) { currencyCode presentmentCurrencyCode transactions(first: 20) { id kind status gateway amountSet { shopMoney { amount } presentmentMoney { amount } } } refunds(first: 250) { note } } }";
const MOST_REFUNDS: usize = 250;
/// What the key of a refund at the platform begins with; the movement's id follows.
pub(super) const REFUND_KEY: &str = "shop_refund:";
const REFUND: &str = "mutation ($input: RefundInput!) { result: refundCreate(input: $input) { userErrors { field } } }";

/// The input for the refund: in the currency that the customer paid in, as Shopify asks for. What is known instead: that a refund with our key in its note exists, or that there are too many to tell.
fn refund(order: &Value, reference: &str, amount: &str, key: &str) -> Result<Value, Sent> {
    let made = order["refunds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if made.iter().any(|refund| refund["note"] == key) {
        return Err(Sent::Done(Some(reference.to_owned())));
    }
    if made.len() >= MOST_REFUNDS {
        return Err(Sent::Never("the order has too many refunds to look through".into()));
    }
    let paid = order["transactions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|transaction| {
            matches!(transaction["kind"].as_str(), Some("SALE" | "CAPTURE")) && transaction["status"] == "SUCCESS"
        });
    let paid = paid.cloned().unwrap_or_default();
    let (own, customers) = (&order["currencyCode"], &order["presentmentCurrencyCode"]);
    let is_converted = !customers.is_null() && customers != own;
    let amount = match is_converted {
        true => converted(amount, &paid["amountSet"], (own, customers))
            .ok_or_else(|| Sent::Never("the shop does not say what the payment was in its currency".into()))?,
        false => amount.to_owned(),
    };
    let mut input = json!({ "orderId": reference, "note": key, "notify": false, "transactions": [{ "orderId": reference,
        "parentId": paid["id"], "gateway": paid["gateway"], "kind": "REFUND", "amount": amount }] });
    if is_converted {
        input["currency"] = customers.clone();
    }
    Ok(input)
}

/// An amount of the shop's currency in the one that the customer paid in, at the rate of their payment. What is less than its smallest coin is
/// cut off: the shares of a payment are together at most the payment.
fn converted(amount: &str, paid: &Value, (own, customers): (&Value, &Value)) -> Option<String> {
    let currency = |code: &Value| code.as_str()?.parse::<Currency>().ok();
    let (own, customers) = (currency(own)?, currency(customers)?);
    let minor = i128::from(Money::parse(amount, own).ok()?.minor);
    let in_own = i128::from(json_fields::amount(&paid["shopMoney"]["amount"], own)?);
    let in_customers = i128::from(json_fields::amount(&paid["presentmentMoney"]["amount"], customers)?);
    let minor = (minor * in_customers).checked_div(in_own)?;
    Some(Money::new(i64::try_from(minor).ok()?, customers).amount())
}

/// Does an operation at the platform.
pub(in crate::integrations) async fn send(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let queued: Queued = match claimed.read() {
        Ok(queued) => queued,
        Err(unreadable) => return Ok(unreadable),
    };
    let Operation::Refund { movement, .. } = queued.operation else {
        let key = claimed.key.clone();
        return operate(client, keyring, claimed, queued, &key).await;
    };
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
    let note = match attempt {
        0 => claimed.key.clone(),
        attempt => format!("{}:{attempt}", claimed.key),
    };
    // The amount comes from the ledger, whatever the row says. A payment is never dropped silently: staff see the delivery.
    let operation = Operation::Refund {
        amount: found.amount.amount(),
        movement,
    };
    let sent = match operate(client, keyring, claimed, Queued { operation, ..queued }, &note).await? {
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

async fn operate(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    queued: Queued,
    note: &str,
) -> Result<Sent, sqlx::Error> {
    let credential = credentials::of(&mut claimed.tx, keyring, Kind::Shopify)
        .await?
        .into_iter()
        .next();
    let order = sqlx::query!(
        "SELECT reference, address FROM orders WHERE id = $1",
        queued.order.as_uuid()
    )
    .fetch_optional(&mut *claimed.tx)
    .await?;
    let (Some(credential), Some((reference, address))) = (
        credential,
        order.and_then(|order| Some((order.reference?, order.address))),
    ) else {
        return Ok(Sent::Dropped("the shop was taken away"));
    };
    let ask = async |query: &str, mut variables: Value| {
        if !query.starts_with("mutation ($input") {
            variables["id"] = reference.clone().into();
        }
        call(client, &credential, query, variables).await
    };
    let answer = match queued.operation {
        Operation::Cancel => match ask(IS_CANCELLED, json!({})).await {
            Ok(data) if !data["order"]["cancelledAt"].is_null() => return Ok(Sent::Done(Some(reference))),
            Ok(_) => ask(CANCEL, json!({})).await,
            Err(sent) => Err(sent),
        },
        Operation::Address => ask(ADDRESS, json!({ "address": mailing_address(&address) })).await,
        Operation::TagReturn => ask(TAG, json!({})).await,
        Operation::Refund { amount, .. } => match ask(PAID_AND_REFUNDED, json!({})).await {
            Ok(data) => match refund(&data["order"], &reference, &amount, note) {
                Ok(input) => ask(REFUND, json!({ "input": input })).await,
                Err(sent) => return Ok(sent),
            },
            Err(sent) => Err(sent),
        },
    };
    Ok(match answer {
        Ok(data) => match &data["result"]["userErrors"][0] {
            Value::Null => Sent::Done(Some(reference)),
            // The error's code or field, never its text.
            error => Sent::Never(format!("the shop refused: {}", short(error))),
        },
        Err(sent) => sent,
    })
}

/// Makes one GraphQL call. Returns its data, or what its failure means for the delivery.
async fn call(client: &reqwest::Client, credential: &Credential, query: &str, variables: Value) -> Result<Value, Sent> {
    let Some(url) = &credential.url else {
        return Err(Sent::Never("the shop has no address".into()));
    };
    let request = client
        .post(url)
        .header("x-shopify-access-token", credential.secret.expose_secret())
        .headers(traces::trace_headers())
        .json(&json!({ "query": query, "variables": variables }));
    let response = request.send().await.map_err(|error| outbound_http::no_answer(&error))?;
    if let Some(sent) = outbound_http::classify_status(response.status(), response.headers()) {
        return Err(sent);
    }
    let later = |error: &str| Sent::Retry {
        error: error.to_owned(),
        not_before: None,
    };
    let body = outbound_http::body(response)
        .await
        .map_err(|error| outbound_http::no_answer(&error))?;
    let answer: Value = serde_json::from_slice(&body).map_err(|_| later("the answer cannot be read"))?;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some("THROTTLED" | "INTERNAL_SERVER_ERROR") => Err(later("the shop is busy")),
        _ if !answer["errors"].is_null() => Err(Sent::Never("the shop does not understand the call".into())),
        _ => Ok(answer["data"].clone()),
    }
}

fn mailing_address(address: &Value) -> Value {
    json!({ "address1": address["address1"], "address2": address["address2"], "city": address["city"], "province": address["state"],
        "zip": address["zip"], "country": address["country"] })
}

fn short(error: &Value) -> String {
    let text = error.to_string();
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_:,".contains(*c))
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_asked_for_in_the_currency_that_the_customer_paid_in() {
        let order = |own: &str, customers: &str, paid: (&str, &str)| {
            json!({ "currencyCode": own, "presentmentCurrencyCode": customers, "refunds": [], "transactions": [{ "id": "t", "kind": "SALE",
                "status": "SUCCESS", "gateway": "g", "amountSet": { "shopMoney": { "amount": paid.0 }, "presentmentMoney": { "amount": paid.1 } } }] })
        };
        for (order, amount, expected, currency) in [
            (order("USD", "USD", ("80.0", "80.0")), "30.00", "30.00", json!(null)),
            (order("USD", "EUR", ("80.0", "72.0")), "30.00", "27.00", json!("EUR")),
            (order("USD", "EUR", ("80.0", "72.01")), "80.00", "72.01", json!("EUR")),
            (order("USD", "EUR", ("80.0", "72.01")), "40.00", "36.00", json!("EUR")),
            (order("USD", "JPY", ("80.0", "8000.0")), "30.01", "3001", json!("JPY")),
            (order("JPY", "USD", ("8000", "80.0")), "3001", "30.01", json!("USD")),
        ] {
            let Ok(input) = refund(&order, "gid://shopify/Order/1", amount, "key") else {
                panic!("{order}");
            };
            assert_eq!(input["transactions"][0]["amount"], expected, "{order}");
            assert_eq!(input["currency"], currency, "{order}");
        }
        let untold =
            json!({ "currencyCode": "USD", "presentmentCurrencyCode": "EUR", "refunds": [], "transactions": [] });
        assert!(
            matches!(refund(&untold, "r", "1.00", "key"), Err(Sent::Never(_))),
            "no rate is guessed"
        );
    }
}
