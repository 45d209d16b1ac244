//! Returns and exchanges at the fake shop.

use serde_json::{Value, json};

use super::{
    books::ShopReturn,
    derived,
    mutations::{order_of, text},
    world::World,
};

fn refuse(field: Value, code: &str, message: &str) -> Value {
    json!({ "return": null, "userErrors": [{ "field": field, "message": message, "code": code }] })
}

/// `returnRequest`: a return that the shop has to approve.
pub(super) fn request(world: &mut World, input: &Value) -> Value {
    make(world, input, "input", "REQUESTED")
}

/// `returnCreate`: one that is approved.
pub(super) fn create(world: &mut World, input: &Value) -> Value {
    make(world, input, "returnInput", "OPEN")
}

fn make(world: &mut World, input: &Value, argument: &str, status: &str) -> Value {
    let Some(mut order) = order_of(world, &input["orderId"]) else {
        return refuse(json!([argument, "orderId"]), "NOT_FOUND", "Order not found");
    };
    let number = world.new_id();
    let mut lines = Vec::new();
    for (place, line) in input["returnLineItems"].as_array().into_iter().flatten().enumerate() {
        let field = |name: &str| json!([argument, "returnLineItems", place.to_string(), name]);
        let Some(part) = derived::parcel_line(&order, &line["fulfillmentLineItemId"]) else {
            return refuse(
                field("fulfillmentLineItemId"),
                "NOT_FOUND",
                "Fulfillment line item not found",
            );
        };
        let quantity = line["quantity"].as_i64().expect("a quantity");
        let left = part["quantity"].as_i64().expect("a quantity") - derived::returned_quantity(&order, part);
        if quantity < 1 {
            return refuse(field("quantity"), "GREATER_THAN", "Quantity must be greater than 0");
        }
        if quantity > left {
            return refuse(
                field("quantity"),
                "INVALID",
                "Quantity is greater than what can be returned",
            );
        }
        if line["returnReason"] == "OTHER"
            && [&line["returnReasonNote"], &line["customerNote"]]
                .iter()
                .all(|note| text(note).is_empty())
            && argument == "returnInput"
        {
            return refuse(field("returnReasonNote"), "BLANK", "Return reason note can't be blank");
        }
        lines.push(json!({ "id": format!("gid://shopify/ReturnLineItem/{}", number * derived::PARTS + place as u64), "fulfillmentLineItem": part["id"],
            "quantity": quantity, "returnReason": line["returnReason"], "returnReasonNote": text(&line["returnReasonNote"]), "customerNote": line["customerNote"] }));
    }
    if lines.is_empty() {
        return refuse(
            json!([argument, "returnLineItems"]),
            "BLANK",
            "Return line items can't be blank",
        );
    }
    let mut exchanges = Vec::new();
    for (place, line) in input["exchangeLineItems"].as_array().into_iter().flatten().enumerate() {
        let variant = line["variantId"].as_str().and_then(|variant| world.node(variant));
        if variant.is_none() {
            return refuse(
                json!([argument, "exchangeLineItems", place.to_string(), "variantId"]),
                "NOT_FOUND",
                "Variant not found",
            );
        }
        exchanges.push(json!({ "id": format!("gid://shopify/ExchangeLineItem/{}", number * derived::PARTS + place as u64), "variantId": line["variantId"],
            "quantity": line["quantity"], "lineItems": [] }));
    }
    let id = format!("gid://shopify/Return/{number}");
    let now = world.tick();
    let mut returns = order["returns"].take();
    let all = returns.as_array_mut().expect("a list");
    let name = format!("{}-R{}", text(&order["name"]), all.len() + 1);
    all.push(json!({ "id": id, "name": name, "status": status, "createdAt": now, "closedAt": null, "decline": null,
        "requestApprovedAt": (status == "OPEN").then_some(&now), "returnLineItems": lines, "exchangeLineItems": exchanges }));
    let gid = text(&order["id"]);
    world.edit(&gid, json!({ "returns": returns }));
    world.books.returns.push(ShopReturn {
        id: id.clone(),
        order: gid,
        status: status.into(),
        lines: input["returnLineItems"].clone(),
        exchange_lines: input["exchangeLineItems"].clone(),
    });
    json!({ "return": id, "userErrors": [] })
}

pub(super) fn approve(world: &mut World, input: &Value) -> Value {
    let id = text(&input["id"]);
    let Some(mut order) = world.order_with(&id) else {
        return refuse(json!(["input", "id"]), "NOT_FOUND", "Return not found");
    };
    let now = world.tick();
    let mut returns = order["returns"].take();
    let known = returns
        .as_array_mut()
        .expect("a list")
        .iter_mut()
        .find(|known| known["id"] == id)
        .expect("found");
    if known["status"] != "REQUESTED" {
        return refuse(
            json!(["input", "id"]),
            "INVALID_STATE",
            "Return is not approvable. Only returns with status REQUESTED can be approved.",
        );
    }
    known["status"] = json!("OPEN");
    known["requestApprovedAt"] = json!(now);
    world.edit(&text(&order["id"]), json!({ "returns": returns }));
    world.books.approved_returns.push(id.clone());
    json!({ "return": id, "userErrors": [] })
}
