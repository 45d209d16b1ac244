//! What the fake shop's mutations do, and refuse. Each answers its payload; an object of the world stands in it as its id.

use serde_json::{Value, json};

use super::{
    books::{CancelledOrder, DiscountCode, WebhookSubscription},
    derived, generated, refunds, returns,
    world::{World, number_of},
};

pub(super) fn run(world: &mut World, name: &str, arguments: &Value) -> Value {
    match name {
        "webhookSubscriptionCreate" => subscribe(world, arguments),
        "webhookSubscriptionDelete" => unsubscribe(world, &arguments["id"]),
        "bulkOperationRunQuery" => world.run_bulk(arguments["query"].as_str().expect("a query")),
        "bulkOperationCancel" => world.cancel_bulk(arguments["id"].as_str().expect("an id")),
        "orderCancel" => cancel(world, arguments),
        "refundCreate" => refunds::refund(world, &arguments["input"]),
        "orderUpdate" => update(world, &arguments["input"]),
        "tagsAdd" => add_tags(world, arguments),
        "discountCodeBasicCreate" => discount(world, &arguments["basicCodeDiscount"]),
        "returnRequest" => returns::request(world, &arguments["input"]),
        "returnCreate" => returns::create(world, &arguments["returnInput"]),
        "returnApproveRequest" => returns::approve(world, &arguments["input"]),
        name => panic!("the fake has no {name}"),
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn user_error(field: Value, message: &str) -> Value {
    json!([{ "field": field, "message": message }])
}

/// The order of an id.
pub(super) fn order_of(world: &World, id: &Value) -> Option<Value> {
    let id = id.as_str()?;
    id.starts_with("gid://shopify/Order/").then(|| world.node(id))?
}

fn subscribe(world: &mut World, arguments: &Value) -> Value {
    let input = &arguments["webhookSubscription"];
    let refuse = |message: &str| json!({ "webhookSubscription": null, "userErrors": user_error(json!(["webhookSubscription", "callbackUrl"]), message) });
    let address = [&input["uri"], &input["callbackUrl"]]
        .into_iter()
        .find(|address| !address.is_null());
    let address = text(address.unwrap_or(&Value::Null));
    let topic = text(&arguments["topic"]);
    if address.is_empty() {
        return refuse("Address can't be blank");
    }
    if url::Url::parse(&address).is_err() {
        return refuse("Address is invalid");
    }
    if world
        .books
        .webhooks
        .iter()
        .any(|known| known.topic == topic && known.address == address)
    {
        return refuse("Address for this topic has already been taken");
    }
    let id = format!("gid://shopify/WebhookSubscription/{}", world.new_id());
    let now = world.tick();
    let object = json!({ "id": id, "topic": topic, "uri": address, "callbackUrl": address, "format": input["format"].as_str().unwrap_or("JSON"),
        "endpoint": { "__typename": "WebhookHttpEndpoint", "callbackUrl": address }, "filter": input["filter"],
        "includeFields": input["includeFields"].as_array().cloned().unwrap_or_default(), "createdAt": now, "updatedAt": now });
    world.books.webhooks.push(WebhookSubscription {
        id,
        topic,
        address,
        object: object.clone(),
    });
    json!({ "webhookSubscription": object, "userErrors": [] })
}

fn unsubscribe(world: &mut World, id: &Value) -> Value {
    let before = world.books.webhooks.len();
    world.books.webhooks.retain(|known| *id != known.id);
    if world.books.webhooks.len() == before {
        return json!({ "deletedWebhookSubscriptionId": null, "userErrors": user_error(json!(["id"]), "Webhook subscription does not exist") });
    }
    json!({ "deletedWebhookSubscriptionId": id, "userErrors": [] })
}

fn cancel(world: &mut World, arguments: &Value) -> Value {
    let refuse = |field: &str, code: &str, message: &str| {
        let errors = json!([{ "field": [field], "message": message, "code": code }]);
        json!({ "job": null, "orderCancelUserErrors": errors, "userErrors": errors })
    };
    let Some(order) = order_of(world, &arguments["orderId"]) else {
        return refuse("orderId", "NOT_FOUND", "Order does not exist");
    };
    if !arguments["refund"].is_null() && !arguments["refundMethod"].is_null() {
        return refuse(
            "refund",
            "INVALID",
            "Only one of the arguments `refund` or `refund_method` is allowed.",
        );
    }
    if !order["cancelledAt"].is_null() {
        return refuse("orderId", "INVALID", "Order has already been cancelled");
    }
    if arguments["staffNote"].as_str().is_some_and(|note| note.len() > 255) {
        return refuse(
            "staffNote",
            "INVALID",
            "Staff note is too long. Maximum length is 255 characters.",
        );
    }
    let gid = text(&order["id"]);
    let refund = arguments["refund"] == true || arguments["refundMethod"]["originalPaymentMethodsRefund"] == true;
    world.books.cancelled.push(CancelledOrder {
        order: gid.clone(),
        refund,
        restock: arguments["restock"] == true,
        notify: arguments["notifyCustomer"] == true,
        reason: text(&arguments["reason"]),
    });
    let now = world.tick();
    world.edit(
        &gid,
        json!({ "cancelledAt": now, "cancelReason": arguments["reason"], "closedAt": now }),
    );
    let left = derived::paid(&order, &derived::RECEIVED) - derived::paid(&order, &["REFUND"]);
    if refund && left > 0 {
        let suggested = derived::suggested_refund(&order, &json!({ "suggestFullRefund": true }));
        let payments = suggested["suggestedTransactions"].as_array().expect("a list").iter();
        let payments = payments
            .map(|payment| json!({ "amount": payment["amountSet"], "parentId": payment["parentTransaction"] }))
            .collect::<Vec<_>>();
        refunds::book_refund(
            world,
            &gid,
            &json!({ "note": "Order canceled", "transactions": payments }),
        );
    }
    let job = format!("gid://shopify/Job/{:08}", world.new_id());
    world.books.jobs.push(job.clone());
    json!({ "job": { "id": job, "done": false }, "orderCancelUserErrors": [], "userErrors": [] })
}

fn update(world: &mut World, input: &Value) -> Value {
    let Some(order) = order_of(world, &input["id"]) else {
        return json!({ "order": null, "userErrors": user_error(json!(["id"]), "Order does not exist") });
    };
    let gid = text(&order["id"]);
    let mut changes = json!({});
    if let Some(note) = input["note"].as_str() {
        world.books.notes.insert(gid.clone(), note.to_owned());
        changes["note"] = json!(note);
    }
    if let Some(tags) = input["tags"].as_array() {
        world.books.tags.insert(gid.clone(), tags.iter().map(text).collect());
        changes["tags"] = json!(tags);
    }
    if let Some(email) = input["email"].as_str() {
        changes["email"] = json!(email);
    }
    if let Value::Object(address) = &input["shippingAddress"] {
        world
            .books
            .addresses
            .insert(gid.clone(), input["shippingAddress"].clone());
        let mut set = order["shippingAddress"].clone();
        if set.is_null() {
            set = generated::address_of(number_of(&order), "", "");
        }
        for (name, value) in address {
            let name = if name == "countryCode" { "countryCodeV2" } else { name };
            set[name] = value.clone();
        }
        changes["shippingAddress"] = set;
    }
    world.edit(&gid, changes);
    json!({ "order": gid, "userErrors": [] })
}

fn add_tags(world: &mut World, arguments: &Value) -> Value {
    let gid = text(&arguments["id"]);
    let Some(node) = world.node(&gid) else {
        return json!({ "node": null, "userErrors": user_error(json!(["id"]), "Object does not exist") });
    };
    let mut tags: Vec<String> = node["tags"].as_array().into_iter().flatten().map(text).collect();
    for tag in arguments["tags"].as_array().into_iter().flatten().map(text) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.sort();
    world.books.tags.insert(gid.clone(), tags.clone());
    world.edit(&gid, json!({ "tags": tags }));
    json!({ "node": gid, "userErrors": [] })
}

fn discount(world: &mut World, input: &Value) -> Value {
    let refuse = |field: &str, code: &str, message: &str| json!({ "codeDiscountNode": null, "userErrors": [{ "field": ["basicCodeDiscount", field], "message": message, "code": code, "extraInfo": null }] });
    let code = text(&input["code"]);
    if code.is_empty() {
        return refuse("code", "BLANK", "Code can't be blank");
    }
    if text(&input["title"]).is_empty() {
        return refuse("title", "BLANK", "Title can't be blank");
    }
    if input["startsAt"].is_null() {
        return refuse("startsAt", "BLANK", "Starts at can't be blank");
    }
    if input["customerGets"]["value"]["percentage"]
        .as_f64()
        .is_some_and(|share| !(0.0..=1.0).contains(&share))
    {
        return refuse(
            "customerGets",
            "VALUE_OUTSIDE_RANGE",
            "Value must be between 0.0 and 1.0",
        );
    }
    if world
        .books
        .discount_codes
        .iter()
        .any(|known| known.code.eq_ignore_ascii_case(&code))
    {
        return refuse("code", "TAKEN", "Code must be unique. Please try a different code.");
    }
    let id = format!("gid://shopify/DiscountCodeNode/{}", world.new_id());
    let now = world.tick();
    let mut input = input.clone();
    input["createdAt"] = json!(now);
    world.books.discount_codes.push(DiscountCode { id, code, input });
    json!({ "codeDiscountNode": discount_node(world.books.discount_codes.last().expect("one")), "userErrors": [] })
}

pub(super) fn discount_node(discount: &DiscountCode) -> Value {
    let DiscountCode { id, code, input } = discount;
    let codes = json!([{ "id": id.replace("CodeNode", "RedeemCode"), "code": code, "asyncUsageCount": 0 }]);
    json!({ "id": id, "codeDiscount": { "__typename": "DiscountCodeBasic", "title": input["title"], "status": "ACTIVE", "startsAt": input["startsAt"],
        "endsAt": input["endsAt"], "usageLimit": input["usageLimit"], "appliesOncePerCustomer": input["appliesOncePerCustomer"] == true,
        "asyncUsageCount": 0, "createdAt": input["createdAt"], "updatedAt": input["createdAt"], "codes": codes } })
}
