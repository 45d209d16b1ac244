//! What calls change at the fake store, and what it refuses.

use serde_json::{Value, json};

use super::{
    super::fake_shopify::money,
    api::{Answer, Params, error, invalid, not_found, ok, one, text},
    books::{StoreNote, StoreRefund},
    world::{Kind, World, merge},
};

const STATUSES: [&str; 8] = [
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
];

pub(super) fn update(world: &mut World, id: u64, body: &Value) -> Answer {
    let Some(order) = world.get(Kind::Order, id) else {
        return not_found(Kind::Order);
    };
    let mut changes = json!({});
    if let Some(status) = body["status"].as_str() {
        if !STATUSES.contains(&status) {
            return invalid("status", &format!("status is not one of {}.", STATUSES.join(", ")));
        }
        world.books.statuses.push((id, status.into()));
        changes["status"] = json!(status);
    }
    for name in ["shipping", "billing"] {
        if let Value::Object(_) = &body[name] {
            let mut address = order[name].clone();
            merge(&mut address, body[name].clone());
            if name == "shipping" {
                world.books.addresses.push((id, body[name].clone()));
            }
            changes[name] = address;
        }
    }
    for name in ["customer_note", "meta_data", "customer_id"] {
        if !body[name].is_null() {
            changes[name] = body[name].clone();
        }
    }
    world.edit(Kind::Order, id, changes);
    one(world, Kind::Order, id)
}

pub(super) fn refund(world: &mut World, id: u64, body: &Value) -> Answer {
    let Some(mut order) = world.get(Kind::Order, id) else {
        return error(404, "woocommerce_rest_invalid_order", "Invalid order ID.");
    };
    let currency = text(&order["currency"]);
    let lines = body["line_items"].as_array().cloned().unwrap_or_default();
    let of_lines: i64 = lines.iter().map(|line| money::of(&line["refund_total"])).sum();
    let number = body["amount"]
        .as_str()
        .is_none_or(|amount| amount.parse::<f64>().is_ok());
    if !number || body["amount"].is_number() {
        return invalid("amount", "amount is not of type string.");
    }
    let amount = if body["amount"].is_null() {
        of_lines
    } else {
        money::of(&body["amount"])
    };
    if amount <= 0 {
        return error(
            400,
            "woocommerce_rest_invalid_order_refund",
            "Refund amount must be greater than zero.",
        );
    }
    let refunds = order["refunds"].as_array().into_iter().flatten();
    let back: i64 = refunds.map(|refund| -money::of(&refund["total"])).sum();
    let total = money::of(&order["total"]);
    if amount > total - back {
        return error(
            500,
            "woocommerce_rest_cannot_create_order_refund",
            "Invalid refund amount.",
        );
    }
    let paid = body["api_refund"] != false;
    if paid && world.books.gateway_is_gone {
        return error(
            500,
            "woocommerce_rest_cannot_create_order_refund",
            "The payment gateway for this order does not exist.",
        );
    }
    let (refund, now) = (world.new_id(), world.tick());
    let (amount, reason) = (money::text(amount, &currency), text(&body["reason"]));
    let refunded = money::parse(&amount) + back;
    let mut refunds = order["refunds"].take();
    refunds
        .as_array_mut()
        .expect("a list")
        .push(json!({ "id": refund, "reason": reason, "total": format!("-{amount}") }));
    let mut changes = json!({ "refunds": refunds });
    if refunded == total {
        changes["status"] = json!("refunded");
    }
    world.edit(Kind::Order, id, changes);
    world.books.refunds.push(StoreRefund {
        id: refund,
        order: id,
        amount: amount.clone(),
        reason: reason.clone(),
        paid,
    });
    let object = json!({ "id": refund, "parent_id": id, "order": id, "date_created_gmt": now, "amount": amount, "reason": reason, "refunded_by": 1,
        "refunded_payment": paid, "meta_data": [], "line_items": lines, "tax_lines": [], "shipping_lines": [], "fee_lines": [] });
    let object = world.answered(object);
    world.books.refund_objects.push(object.clone());
    ok(201, object)
}

pub(super) fn note(world: &mut World, id: u64, body: &Value) -> Answer {
    if world.get(Kind::Order, id).is_none() {
        return error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.");
    }
    let Some(note) = body["note"].as_str() else {
        return missing("note");
    };
    let (number, now) = (world.new_id(), world.tick());
    let for_customer = body["customer_note"] == true;
    world.books.notes.push(StoreNote {
        order: id,
        note: note.to_owned(),
        for_customer,
    });
    let object = json!({ "id": number, "order": id, "author": "WooCommerce", "date_created_gmt": now, "note": note, "customer_note": for_customer });
    let object = world.answered(object);
    world.books.note_objects.push(object.clone());
    ok(201, object)
}

fn missing(name: &str) -> Answer {
    ok(
        400,
        json!({ "code": "rest_missing_callback_param", "message": format!("Missing parameter(s): {name}"), "data": { "status": 400, "params": [name] } }),
    )
}

pub(super) fn coupon(world: &mut World, body: &Value) -> Answer {
    // The store writes codes in small letters.
    let code = text(&body["code"]).to_lowercase();
    if code.is_empty() {
        return missing("code");
    }
    if world.books.coupons.iter().any(|known| known["code"] == code) {
        return error(
            400,
            "woocommerce_rest_coupon_code_already_exists",
            "The coupon code already exists",
        );
    }
    let (id, now) = (world.new_id(), world.tick());
    let mut coupon = json!({ "id": id, "amount": "0.00", "status": "publish", "date_created_gmt": now, "date_modified_gmt": now, "discount_type": "fixed_cart",
        "description": "", "date_expires": null, "usage_count": 0, "individual_use": false, "product_ids": [], "usage_limit": null,
        "usage_limit_per_user": null, "email_restrictions": [], "minimum_amount": "0.00", "maximum_amount": "0.00", "meta_data": [] });
    merge(&mut coupon, body.clone());
    coupon["code"] = json!(code);
    let coupon = world.answered(coupon);
    world.books.coupons.push(coupon.clone());
    ok(201, coupon)
}

pub(super) fn without_secret(mut webhook: Value) -> Value {
    webhook.as_object_mut().expect("an object").remove("secret");
    webhook
}

pub(super) fn subscribe(world: &mut World, body: &Value) -> Answer {
    let topic = text(&body["topic"]);
    let known = |(resource, event): (&str, &str)| {
        matches!(resource, "order" | "customer" | "product" | "coupon")
            && matches!(event, "created" | "updated" | "deleted" | "restored")
    };
    let Some((resource, event)) = topic.split_once('.').filter(|topic| known(*topic)) else {
        return error(
            400,
            "woocommerce_rest_shop_webhook_topic_invalid",
            "Webhook topic must be valid.",
        );
    };
    let url = text(&body["delivery_url"]);
    if !url.starts_with("http") {
        return error(
            400,
            "woocommerce_rest_shop_webhook_delivery_url_invalid",
            "Webhook delivery URL must be a valid URL starting with http:// or https://.",
        );
    }
    let (id, now) = (world.new_id(), world.tick());
    let webhook = json!({ "id": id, "name": body["name"].as_str().unwrap_or("Webhook"), "status": body["status"].as_str().unwrap_or("active"), "topic": topic,
        "resource": resource, "event": event, "hooks": [format!("woocommerce_{event}_{resource}")], "delivery_url": url, "secret": text(&body["secret"]),
        "date_created_gmt": now, "date_modified_gmt": now });
    let webhook = world.answered(webhook);
    world.books.webhooks.push(webhook.clone());
    ok(201, without_secret(webhook))
}

/// Changes a subscription's status or secret.
pub(super) fn change_subscription(world: &mut World, id: u64, body: &Value) -> Answer {
    let Some(webhook) = world.books.webhooks.iter_mut().find(|known| known["id"] == id) else {
        return error(400, "woocommerce_rest_shop_webhook_invalid_id", "ID is invalid.");
    };
    for name in ["status", "secret"] {
        if let Some(value) = body[name].as_str() {
            webhook[name] = json!(value);
        }
    }
    let answered = without_secret(webhook.clone());
    ok(200, answered)
}

pub(super) fn unsubscribe(world: &mut World, id: u64, params: &Params) -> Answer {
    let Some(place) = world.books.webhooks.iter().position(|known| known["id"] == id) else {
        return error(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.");
    };
    if params.get("force").is_none_or(|force| force != "true") {
        return error(
            501,
            "woocommerce_rest_trash_not_supported",
            "Webhooks do not support trashing.",
        );
    }
    ok(200, without_secret(world.books.webhooks.remove(place)))
}
