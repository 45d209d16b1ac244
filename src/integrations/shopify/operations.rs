//! Changes at Shopify. Each may be asked for again: setting an address and adding a tag have the same result twice, and before anything else
//! Shopify is asked whether it was done: an order that is cancelled, a refund or return with our key in its note, a code that exists.

use serde_json::{Value, json};

use super::{
    documents as doc,
    graphql::{call, change},
    webhook_shape::nodes,
};
use crate::{
    integrations::{
        json_fields::{self, count, list},
        platform::{Api, Operation, PlatformError, Request},
    },
    money::{Currency, Money},
    store::{Address, changes::Discount},
};

/// Of how many refunds of an order Shopify tells: whether ours is among more is not known.
const MOST_REFUNDS: usize = 250;

/// Makes a change. Returns Shopify's id of what was made, or of the order.
pub(super) async fn perform(api: &Api<'_>, request: Request<'_>) -> Result<Option<String>, PlatformError> {
    let (order, key) = (request.order, request.key);
    match request.operation {
        Operation::Cancel => {
            let data = call(api, doc::IS_CANCELLED, json!({ "id": order })).await?;
            if data["order"]["cancelledAt"].is_null() {
                change(api, doc::CANCEL, json!({ "id": order })).await?;
            }
        }
        Operation::Address(address) => {
            let variables = json!({ "id": order, "address": mailing_address(&address) });
            change(api, doc::SET_ADDRESS, variables).await?;
        }
        Operation::Return { items, instead } => return goods_back(api, order, key, &items, &instead).await,
        Operation::Refund { amount } => return refund(api, order, key, &amount).await,
        Operation::Coupon {
            code,
            discount,
            customer,
            expires_at,
        } => {
            let input = json!({
                "title": code, "code": code, "usageLimit": 1, "appliesOncePerCustomer": true,
                "startsAt": "2020-01-01T00:00:00Z", "endsAt": expires_at,
                "context": match customer {
                    Some(customer) => json!({ "customers": { "add": [customer] } }),
                    None => json!({ "all": "ALL" }),
                },
                "customerGets": { "items": { "all": true }, "value": value(&discount) },
            });
            return match change(api, doc::ADD_COUPON, json!({ "discount": input })).await {
                Ok(result) => Ok(result["codeDiscountNode"]["id"].as_str().map(str::to_owned)),
                // The code is ours alone: it was made by a call whose answer was lost.
                Err(PlatformError::Refused(reason)) if reason == "TAKEN" => Ok(None),
                Err(error) => Err(error),
            };
        }
    }
    Ok(Some(order.to_owned()))
}

/// Percents are a fraction in Shopify's API.
fn value(discount: &Discount) -> Value {
    match discount {
        Discount::Percent { percent, .. } => json!({ "percentage": f64::from(*percent) / 100.0 }),
        Discount::Amount { amount } => {
            json!({ "discountAmount": { "amount": amount.amount(), "appliesOnEachItem": false } })
        }
    }
}

fn mailing_address(address: &Address) -> Value {
    json!({ "address1": address.address1, "address2": address.address2, "city": address.city, "province": address.state,
        "zip": address.zip, "country": address.country })
}

async fn refund(api: &Api<'_>, order: &str, key: &str, amount: &str) -> Result<Option<String>, PlatformError> {
    let data = call(api, doc::PAID_AND_REFUNDED, json!({ "id": order })).await?;
    let known = &data["order"];
    let made = list(&known["refunds"]);
    if let Some(refund) = made.iter().find(|refund| refund["note"] == key) {
        return Ok(refund["id"].as_str().map(str::to_owned));
    }
    if made.len() >= MOST_REFUNDS {
        return Err(PlatformError::Refused(
            "the order has too many refunds to look through".into(),
        ));
    }
    let input = refund_input(known, order, amount, key)?;
    let result = change(api, doc::REFUND, json!({ "input": input })).await?;
    let id = result["refund"]["id"].as_str().unwrap_or(order);
    Ok(Some(id.to_owned()))
}

/// The input for a refund: in the currency that the customer paid in, as Shopify asks for where it is not the shop's.
/// <https://shopify.dev/docs/api/admin-graphql/latest/input-objects/RefundInput>
fn refund_input(known: &Value, order: &str, amount: &str, key: &str) -> Result<Value, PlatformError> {
    let paid = list(&known["transactions"]).iter().find(|transaction| {
        matches!(transaction["kind"].as_str(), Some("SALE" | "CAPTURE")) && transaction["status"] == "SUCCESS"
    });
    let paid = paid.cloned().unwrap_or_default();
    let (own, customers) = (&known["currencyCode"], &known["presentmentCurrencyCode"]);
    let is_converted = !customers.is_null() && customers != own;
    let amount = match is_converted {
        true => converted(amount, &paid["amountSet"], (own, customers)).ok_or_else(|| {
            PlatformError::Refused("it does not say what the payment was in the customer's currency".into())
        })?,
        false => amount.to_owned(),
    };
    let mut input = json!({ "orderId": order, "note": key, "notify": false, "transactions": [{ "orderId": order, "parentId": paid["id"],
        "gateway": paid["gateway"], "kind": "REFUND", "amount": amount }] });
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

/// Creates a return, approved, with the units that come back and those that are sent instead. Where the shop knows too few sent units of a
/// variant, as when it was sent without Shopify, the order is tagged.
async fn goods_back(
    api: &Api<'_>,
    order: &str,
    key: &str,
    items: &[String],
    instead: &[String],
) -> Result<Option<String>, PlatformError> {
    let data = call(api, doc::RETURNABLE, json!({ "id": order })).await?;
    let known = &data["order"];
    let ours = |it: &Value| {
        nodes(&it["returnLineItems"])
            .iter()
            .any(|line| line["returnReasonNote"] == key)
    };
    if let Some(made) = nodes(&known["returns"]).into_iter().find(ours) {
        return Ok(made["id"].as_str().map(str::to_owned));
    }
    let mut wanted: Vec<&str> = items.iter().map(String::as_str).collect();
    let mut lines = Vec::new();
    for fulfillment in list(&known["fulfillments"])
        .iter()
        .filter(|it| it["status"] == "SUCCESS")
    {
        for line in nodes(&fulfillment["fulfillmentLineItems"]) {
            let variant = super::body::id(&line["lineItem"]["variant"]["id"]).unwrap_or_default();
            let most = count(&line["quantity"]).unwrap_or(0);
            let most = count(&line["lineItem"]["refundableQuantity"]).map_or(most, |left| left.min(most)) as usize;
            let before = wanted.len();
            let mut taken = 0;
            wanted.retain(|item| {
                let takes = *item == variant && taken < most;
                taken += usize::from(takes);
                !takes
            });
            if before > wanted.len() {
                lines.push(
                    json!({ "fulfillmentLineItemId": line["id"], "quantity": before - wanted.len(),
                    "returnReason": "OTHER", "returnReasonNote": key }),
                );
            }
        }
    }
    if !wanted.is_empty() {
        change(api, doc::TAG, json!({ "id": order, "tags": ["return requested"] })).await?;
        return Ok(Some(order.to_owned()));
    }
    let mut input = json!({ "orderId": order, "returnLineItems": lines });
    if !instead.is_empty() {
        let sent = instead
            .iter()
            .map(|item| json!({ "variantId": format!("gid://shopify/ProductVariant/{item}"), "quantity": 1 }));
        input["exchangeLineItems"] = sent.collect::<Vec<_>>().into();
    }
    let result = change(api, doc::RETURN, json!({ "input": input })).await?;
    Ok(result["return"]["id"].as_str().map(str::to_owned))
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
            let Ok(input) = refund_input(&order, "gid://shopify/Order/1", amount, "key") else {
                panic!("{order}");
            };
            assert_eq!(input["transactions"][0]["amount"], expected, "{order}");
            assert_eq!(input["currency"], currency, "{order}");
        }
        let untold =
            json!({ "currencyCode": "USD", "presentmentCurrencyCode": "EUR", "refunds": [], "transactions": [] });
        assert!(refund_input(&untold, "r", "1.00", "key").is_err(), "no rate is guessed");
    }
}
