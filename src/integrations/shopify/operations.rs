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
        json_fields::{count, list},
        platform::{Api, Operation, PlatformError, Request},
    },
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
        Operation::Refund { amount, currency } => return refund(api, order, key, &amount, &currency).await,
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

async fn refund(
    api: &Api<'_>,
    order: &str,
    key: &str,
    amount: &str,
    currency: &str,
) -> Result<Option<String>, PlatformError> {
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
    let paid = list(&known["transactions"]).iter().find(|transaction| {
        matches!(transaction["kind"].as_str(), Some("SALE" | "CAPTURE")) && transaction["status"] == "SUCCESS"
    });
    let paid = paid.cloned().unwrap_or_default();
    let mut input = json!({ "orderId": order, "note": key, "notify": false, "transactions": [{ "orderId": order, "parentId": paid["id"],
        "gateway": paid["gateway"], "kind": "REFUND", "amount": amount }] });
    // Amounts are in the currency that the customer paid in, unless the input names another.
    if known["presentmentCurrencyCode"]
        .as_str()
        .is_some_and(|code| code != currency)
    {
        input["currency"] = currency.into();
    }
    let result = change(api, doc::REFUND, json!({ "input": input })).await?;
    let id = result["refund"]["id"].as_str().unwrap_or(order);
    Ok(Some(id.to_owned()))
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
