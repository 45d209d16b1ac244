//! Turns what the Admin API answers into the bodies that Shopify's webhooks have, so that an order means the same wherever it came from.

use serde_json::{Map, Value, json};

use super::body::id;
use crate::integrations::json_fields::{list, text};

/// The amount of a sum of money in the shop's currency.
fn shop_amount(money: &Value) -> Value {
    money["shopMoney"]["amount"].clone()
}

/// The nodes of a connection, whether it comes as `nodes` or as `edges`.
pub(super) fn nodes(connection: &Value) -> Vec<Value> {
    match connection["nodes"].as_array() {
        Some(nodes) => nodes.clone(),
        None => list(&connection["edges"])
            .iter()
            .map(|edge| edge["node"].clone())
            .collect(),
    }
}

fn number(gid: &Value) -> Value {
    let Some(id) = id(gid) else { return Value::Null };
    id.parse::<u64>().map_or(Value::from(id), Value::from)
}

fn lower(value: &Value) -> Value {
    text(value).map_or(Value::Null, |text| text.to_lowercase().into())
}

/// An order with these lines.
pub(super) fn order(order: &Value, lines: &[Value]) -> Value {
    let set = |field: &str| json!({ "shop_money": { "amount": shop_amount(&order[field]) } });
    let transactions: Vec<Value> = list(&order["transactions"]).iter().map(transaction).collect();
    let has_refund = transactions
        .iter()
        .any(|it| it["kind"] == "refund" && it["status"] == "success");
    let refunds = refunds(list(&order["refunds"]), &transactions);
    let mut body = json!({
        "id": number(&order["id"]), "admin_graphql_api_id": order["id"], "name": order["name"], "email": order["email"],
        "created_at": order["createdAt"], "updated_at": order["updatedAt"], "cancelled_at": order["cancelledAt"],
        "currency": order["currencyCode"], "taxes_included": order["taxesIncluded"],
        "financial_status": lower(&order["displayFinancialStatus"]),
        "fulfillment_status": fulfillment_status(&order["displayFulfillmentStatus"]),
        "total_price": shop_amount(&order["totalPriceSet"]), "current_total_price": shop_amount(&order["currentTotalPriceSet"]),
        "total_discounts": shop_amount(&order["totalDiscountsSet"]), "current_total_discounts": shop_amount(&order["currentTotalDiscountsSet"]),
        "total_tax": shop_amount(&order["totalTaxSet"]), "current_total_tax": shop_amount(&order["currentTotalTaxSet"]),
        "total_shipping_price_set": set("totalShippingPriceSet"), "current_shipping_price_set": set("currentShippingPriceSet"),
        "total_tip_received": shop_amount(&order["totalTipReceivedSet"]),
        "original_total_duties_set": set("originalTotalDutiesSet"), "current_total_duties_set": set("currentTotalDutiesSet"),
        "total_outstanding": shop_amount(&order["totalOutstandingSet"]),
        "customer": if order["customer"].is_object() { customer(&order["customer"]) } else { Value::Null },
        "shipping_address": order["shippingAddress"],
        "refunds": refunds,
        "fulfillments": list(&order["fulfillments"]).iter().map(fulfillment).collect::<Vec<_>>(),
        "line_items": lines.iter().map(|item| line(item, has_refund)).collect::<Vec<_>>(),
    });
    if !transactions.is_empty() {
        body["transactions"] = transactions.into();
    }
    body
}

/// Refunds with their transactions. In bulk the API does not tell which belongs to which: it is the one of the refund's sum. One that belongs
/// to none is not said to be any refund's.
fn refunds(refunds: &[Value], transactions: &[Value]) -> Vec<Value> {
    let mut outgoing: Vec<&Value> = transactions.iter().filter(|it| it["kind"] == "refund").collect();
    let decimal = |amount: &Value| text(amount)?.parse::<f64>().ok();
    let mut told: Vec<Value> = Vec::new();
    for refund in refunds {
        let sum = decimal(&refund["totalRefundedSet"]["shopMoney"]["amount"]);
        let at = outgoing
            .iter()
            .position(|it| sum.is_some() && decimal(&it["amount"]) == sum);
        let own: Vec<&Value> = at.map(|at| outgoing.remove(at)).into_iter().collect();
        told.push(json!({ "id": number(&refund["id"]), "note": refund["note"], "refund_line_items": [], "transactions": own }));
    }
    if !outgoing.is_empty() {
        let rest = json!({ "id": null, "note": null, "refund_line_items": [], "transactions": outgoing });
        match told
            .last_mut()
            .filter(|last| last["note"].is_null() && last["transactions"] == json!([]))
        {
            Some(last) => *last = rest,
            None => told.push(rest),
        }
    }
    told
}

fn transaction(transaction: &Value) -> Value {
    json!({ "id": number(&transaction["id"]), "kind": lower(&transaction["kind"]), "status": lower(&transaction["status"]),
        "gateway": transaction["gateway"], "amount": shop_amount(&transaction["amountSet"]),
        "currency": transaction["amountSet"]["shopMoney"]["currencyCode"] })
}

/// A line. `current_quantity` leaves out what an edit took off and what was sent back alike; where there are refunds, it was sent back.
fn line(line: &Value, has_refund: bool) -> Value {
    let quantity = if has_refund {
        &line["quantity"]
    } else {
        &line["currentQuantity"]
    };
    let discounts = list(&line["discountAllocations"]).iter();
    let taxes = list(&line["taxLines"]).iter();
    json!({
        "id": number(&line["id"]), "title": line["title"], "variant_title": line["variantTitle"], "price": shop_amount(&line["originalUnitPriceSet"]),
        "quantity": line["quantity"], "current_quantity": quantity,
        "product_id": number(&line["product"]["id"]), "variant_id": number(&line["variant"]["id"]),
        "discount_allocations": discounts.map(|it| json!({ "amount": shop_amount(&it["allocatedAmountSet"]) })).collect::<Vec<_>>(),
        "tax_lines": taxes.map(|it| json!({ "price": shop_amount(&it["priceSet"]) })).collect::<Vec<_>>(),
    })
}

fn fulfillment_status(status: &Value) -> Value {
    match status.as_str() {
        Some("FULFILLED") => "fulfilled".into(),
        Some("PARTIALLY_FULFILLED") => "partial".into(),
        _ => Value::Null,
    }
}

/// The API has one list of parcels where webhooks have one list each for numbers and links.
fn fulfillment(fulfillment: &Value) -> Value {
    let parcels = list(&fulfillment["trackingInfo"]);
    json!({
        "id": number(&fulfillment["id"]), "status": lower(&fulfillment["status"]),
        "created_at": fulfillment["createdAt"], "updated_at": fulfillment["updatedAt"],
        "tracking_company": parcels.first().map_or(Value::Null, |parcel| parcel["company"].clone()),
        "tracking_numbers": parcels.iter().map(|parcel| parcel["number"].clone()).collect::<Vec<_>>(),
        "tracking_urls": parcels.iter().map(|parcel| parcel["url"].clone()).collect::<Vec<_>>(),
        "shipment_status": shipment_status(&fulfillment["displayStatus"]),
        "line_items": [],
    })
}

/// `FulfillmentDisplayStatus` mixes what the carrier says with how the fulfilment stands.
fn shipment_status(status: &Value) -> Value {
    match status.as_str() {
        Some(
            "DELIVERED" | "OUT_FOR_DELIVERY" | "IN_TRANSIT" | "CONFIRMED" | "ATTEMPTED_DELIVERY" | "READY_FOR_PICKUP"
            | "DELAYED",
        ) => lower(status),
        Some("NOT_DELIVERED") => "failure".into(),
        Some("PICKED_UP") => "delivered".into(),
        Some("CARRIER_PICKED_UP") => "carrier_picked_up".into(),
        _ => Value::Null,
    }
}

/// A customer.
pub(super) fn customer(customer: &Value) -> Value {
    let mut body = Map::from_iter([
        ("id".to_owned(), number(&customer["id"])),
        ("first_name".to_owned(), customer["firstName"].clone()),
        ("last_name".to_owned(), customer["lastName"].clone()),
        (
            "email".to_owned(),
            customer["defaultEmailAddress"]["emailAddress"].clone(),
        ),
        ("default_address".to_owned(), customer["defaultAddress"].clone()),
    ]);
    if let Some(at) = customer.get("updatedAt") {
        body.insert("updated_at".to_owned(), at.clone());
    }
    body.into()
}

/// A product with these variants.
pub(super) fn product(product: &Value, variants: &[Value]) -> Value {
    // Every variant names its options in the same order.
    let options = variants.first().map(|variant| variant["selectedOptions"].clone());
    let image = &product["featuredMedia"]["preview"]["image"]["url"];
    json!({
        "id": number(&product["id"]), "title": product["title"], "body_html": product["descriptionHtml"], "status": lower(&product["status"]),
        "updated_at": product["updatedAt"], "image": { "src": image }, "options": options,
        "variants": variants.iter().map(variant).collect::<Vec<_>>(),
    })
}

fn variant(variant: &Value) -> Value {
    let value = |at: usize| variant["selectedOptions"][at]["value"].clone();
    json!({
        "id": number(&variant["id"]), "price": variant["price"], "option1": value(0), "option2": value(1), "option3": value(2),
        "inventory_management": if variant["inventoryItem"]["tracked"] == true { "shopify".into() } else { Value::Null },
        "inventory_policy": lower(&variant["inventoryPolicy"]), "inventory_quantity": variant["inventoryQuantity"],
    })
}
