//! The webhooks of the fake shop: bodies in the shape of the REST API, and their headers.

use base64::{Engine, prelude::BASE64_STANDARD};
use countersign::keyring::hmac_sha256;
use serde_json::{Value, json};

use super::{
    derived, money,
    world::{World, find, merge, number_of},
};

/// A webhook that is ready to be delivered.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub topic: String,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Webhook {
    /// The request that delivers it.
    pub fn request(&self, client: &reqwest::Client, url: &str) -> reqwest::RequestBuilder {
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .body(self.body.clone());
        self.headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value))
    }
}

pub(super) fn webhook(world: &mut World, topic: &str, gid: &str, secret: &str) -> Webhook {
    let body = match topic.split_once('/') {
        Some((_, "delete")) => json!({ "id": number(&json!(gid)) }),
        Some(("bulk_operations", _)) => world.bulk_webhook_body(),
        Some(("refunds", _)) => {
            let order = world.order_with(gid).expect("an order with this refund");
            refund(&order, find(&order, gid).expect("found"))
        }
        Some(("fulfillments", _)) => {
            let order = world.order_with(gid).expect("an order with this parcel");
            parcel(&order, find(&order, gid).expect("found"))
        }
        Some(("orders", _)) => order(world, &world.node(gid).expect("an order")),
        Some(("customers", _)) => customer(&world.node(gid).expect("a customer")),
        Some(("products", _)) => product(&world.node(gid).expect("a product")),
        _ => panic!("the fake has no bodies of {topic}"),
    };
    let body = body.to_string();
    let id = world.new_id();
    let headers = vec![
        ("x-shopify-topic", topic.to_owned()),
        (
            "x-shopify-hmac-sha256",
            BASE64_STANDARD.encode(hmac_sha256(secret.as_bytes(), body.as_bytes())),
        ),
        (
            "x-shopify-shop-domain",
            world.shop["myshopifyDomain"].as_str().expect("a domain").to_owned(),
        ),
        ("x-shopify-api-version", "2025-10".into()),
        ("x-shopify-webhook-id", format!("00000000-0000-4000-8000-{id:012}")),
        ("x-shopify-event-id", format!("00000000-0000-4000-9000-{id:012}")),
        ("x-shopify-triggered-at", world.now.to_rfc3339()),
    ];
    Webhook {
        topic: topic.to_owned(),
        body,
        headers,
    }
}

/// The number in an id.
fn number(gid: &Value) -> Value {
    let number = gid
        .as_str()
        .and_then(|gid| gid.split('?').next()?.rsplit('/').next()?.parse::<u64>().ok());
    number.map_or(Value::Null, Into::into)
}

fn lower(value: &Value) -> Value {
    value.as_str().map_or(Value::Null, |text| json!(text.to_lowercase()))
}

fn list(object: &Value, name: &str, make: impl Fn(&Value) -> Value) -> Value {
    object[name].as_array().into_iter().flatten().map(make).collect()
}

/// The value of an order's field, stored or not.
fn field(ty: &str, object: &Value, order: &Value, name: &str) -> Value {
    match object.get(name) {
        Some(value) => value.clone(),
        None => derived::field(ty, object, order, name).unwrap_or_default(),
    }
}

fn address(address: &Value) -> Value {
    if address.is_null() {
        return Value::Null;
    }
    json!({ "first_name": address["firstName"], "last_name": address["lastName"], "name": address["name"], "company": address["company"],
        "address1": address["address1"], "address2": address["address2"], "city": address["city"], "province": address["province"],
        "province_code": address["provinceCode"], "zip": address["zip"], "country": address["country"], "country_code": address["countryCodeV2"],
        "phone": address["phone"] })
}

fn customer(customer: &Value) -> Value {
    json!({ "id": number_of(customer), "admin_graphql_api_id": customer["id"], "email": customer["email"], "phone": customer["phone"],
        "first_name": customer["firstName"], "last_name": customer["lastName"], "created_at": customer["createdAt"], "updated_at": customer["updatedAt"],
        "state": lower(&customer["state"]), "verified_email": customer["verifiedEmail"], "note": customer["note"], "tags": tags(customer),
        "default_address": address(&customer["defaultAddress"]), "addresses": [address(&customer["defaultAddress"])] })
}

fn tags(object: &Value) -> String {
    let tags: Vec<&str> = object["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    tags.join(", ")
}

fn product(product: &Value) -> Value {
    let variants = list(product, "variants", |variant| {
        json!({ "id": number_of(variant), "admin_graphql_api_id": variant["id"], "product_id": number_of(product), "title": variant["title"],
            "price": variant["price"], "compare_at_price": variant["compareAtPrice"], "sku": variant["sku"], "position": variant["position"],
            "inventory_policy": lower(&variant["inventoryPolicy"]), "inventory_quantity": variant["inventoryQuantity"],
            "inventory_management": "shopify", "option1": variant["title"], "option2": null, "option3": null, "taxable": variant["taxable"],
            "created_at": variant["createdAt"], "updated_at": variant["updatedAt"] })
    });
    json!({ "id": number_of(product), "admin_graphql_api_id": product["id"], "title": product["title"], "body_html": product["descriptionHtml"],
        "handle": product["handle"], "vendor": product["vendor"], "product_type": product["productType"], "status": lower(&product["status"]),
        "tags": tags(product), "created_at": product["createdAt"], "updated_at": product["updatedAt"], "published_at": product["publishedAt"],
        "options": [{ "name": "Title", "position": 1 }], "variants": variants })
}

fn line(order: &Value, line: &Value) -> Value {
    let currency = order["currencyCode"].as_str().expect("a currency");
    let price = money::text(money::of(&line["originalUnitPriceSet"]), currency);
    let of = |name: &str| field("LineItem", line, order, name);
    json!({ "id": number_of(line), "admin_graphql_api_id": line["id"], "title": line["title"], "name": of("name"), "variant_title": line["variantTitle"],
        "variant_id": number(&line["variant"]), "product_id": number(&line["product"]), "sku": line["sku"], "vendor": line["vendor"],
        "quantity": line["quantity"], "current_quantity": of("currentQuantity"), "fulfillable_quantity": of("unfulfilledQuantity"), "price": price,
        "total_discount": money::text(money::of(&of("totalDiscountSet")), currency), "gift_card": line["isGiftCard"],
        "requires_shipping": line["requiresShipping"], "taxable": line["taxable"],
        "discount_allocations": list(line, "discountAllocations", |part| json!({ "amount": money::text(money::of(&part["allocatedAmountSet"]), currency) })),
        "tax_lines": list(line, "taxLines", |part| json!({ "title": part["title"], "rate": part["rate"], "price": money::text(money::of(&part["priceSet"]), currency) })) })
}

fn parcel(order: &Value, parcel: &Value) -> Value {
    let tracking = |name: &str| list(parcel, "trackingInfo", |info| info[name].clone());
    let first = &parcel["trackingInfo"][0];
    let lines = list(parcel, "fulfillmentLineItems", |part| {
        let of = find(&order["lineItems"], part["lineItem"].as_str().expect("an id")).expect("a line");
        let mut of = line(order, of);
        of["quantity"] = part["quantity"].clone();
        of
    });
    let status = match parcel["displayStatus"].as_str() {
        Some(
            status @ ("IN_TRANSIT" | "DELIVERED" | "OUT_FOR_DELIVERY" | "CONFIRMED" | "ATTEMPTED_DELIVERY" | "FAILURE"),
        ) => json!(status.to_lowercase()),
        _ => Value::Null,
    };
    json!({ "id": number_of(parcel), "admin_graphql_api_id": parcel["id"], "order_id": number_of(order), "name": parcel["name"],
        "status": lower(&parcel["status"]), "shipment_status": status, "created_at": parcel["createdAt"], "updated_at": parcel["updatedAt"],
        "tracking_company": first["company"], "tracking_number": first["number"], "tracking_url": first["url"], "tracking_numbers": tracking("number"),
        "tracking_urls": tracking("url"), "line_items": lines })
}

fn refund(order: &Value, refund: &Value) -> Value {
    let currency = order["currencyCode"].as_str().expect("a currency");
    let payments = list(refund, "transactions", |id| {
        let payment = find(&order["transactions"], id.as_str().expect("an id")).expect("a payment");
        json!({ "id": number_of(payment), "admin_graphql_api_id": payment["id"], "order_id": number_of(order), "kind": "refund",
            "status": lower(&payment["status"]), "gateway": payment["gateway"], "amount": money::text(money::of(&payment["amountSet"]), currency),
            "currency": currency, "parent_id": number(&payment["parentTransaction"]), "created_at": payment["createdAt"], "processed_at": payment["createdAt"] })
    });
    let lines = list(refund, "refundLineItems", |part| {
        let of = find(&order["lineItems"], part["lineItem"].as_str().expect("an id")).expect("a line");
        json!({ "id": number_of(part), "line_item_id": number(&part["lineItem"]), "quantity": part["quantity"], "restock_type": lower(&part["restockType"]),
            "subtotal": money::text(money::of(&part["subtotalSet"]), currency), "total_tax": "0.00", "line_item": line(order, of) })
    });
    json!({ "id": number_of(refund), "admin_graphql_api_id": refund["id"], "order_id": number_of(order), "note": refund["note"],
        "created_at": refund["createdAt"], "processed_at": refund["createdAt"], "refund_line_items": lines, "transactions": payments,
        "order_adjustments": [] })
}

fn order(world: &World, order: &Value) -> Value {
    let currency = order["currencyCode"].as_str().expect("a currency");
    let of = |name: &str| field("Order", order, order, name);
    let amount = |name: &str| money::text(money::of(&of(name)), currency);
    let bag = |name: &str| {
        let money = json!({ "amount": amount(name), "currency_code": currency });
        json!({ "shop_money": money, "presentment_money": money })
    };
    let fulfilled = match of("displayFulfillmentStatus").as_str() {
        Some("FULFILLED") => json!("fulfilled"),
        Some("PARTIALLY_FULFILLED") => json!("partial"),
        _ => Value::Null,
    };
    let buyer = order["customer"].as_str().and_then(|gid| world.node(gid));
    let mut body = json!({ "id": number_of(order), "admin_graphql_api_id": order["id"], "name": order["name"], "number": order["number"].as_u64().map(|number| number - 1000),
        "order_number": order["number"], "email": order["email"], "contact_email": order["email"], "phone": order["phone"],
        "created_at": order["createdAt"], "processed_at": order["createdAt"], "updated_at": order["updatedAt"], "cancelled_at": order["cancelledAt"],
        "cancel_reason": lower(&order["cancelReason"]), "closed_at": order["closedAt"], "currency": currency,
        "presentment_currency": order["presentmentCurrencyCode"], "financial_status": lower(&of("displayFinancialStatus")),
        "fulfillment_status": fulfilled, "taxes_included": order["taxesIncluded"], "total_price": amount("totalPriceSet"),
        "current_total_price": amount("currentTotalPriceSet"), "subtotal_price": amount("subtotalPriceSet"),
        "current_subtotal_price": amount("currentSubtotalPriceSet"), "total_discounts": amount("totalDiscountsSet"),
        "current_total_discounts": amount("currentTotalDiscountsSet"), "total_tax": amount("totalTaxSet"), "current_total_tax": amount("currentTotalTaxSet"),
        "total_outstanding": amount("totalOutstandingSet"), "total_tip_received": amount("totalTipReceivedSet"), "total_price_set": bag("totalPriceSet"),
        "current_total_price_set": bag("currentTotalPriceSet"), "total_shipping_price_set": bag("totalShippingPriceSet"),
        "total_tax_set": bag("totalTaxSet"), "total_discounts_set": bag("totalDiscountsSet"), "tags": tags(order), "note": order["note"] });
    merge(
        &mut body,
        json!({ "test": order["test"], "payment_gateway_names": of("paymentGatewayNames"), "customer": buyer.map(|buyer| customer(&buyer)),
        "shipping_address": address(&order["shippingAddress"]), "billing_address": address(&order["billingAddress"]),
        "line_items": list(order, "lineItems", |part| line(order, part)), "fulfillments": list(order, "fulfillments", |part| parcel(order, part)),
        "refunds": list(order, "refunds", |part| refund(order, part)),
        "shipping_lines": [{ "title": "Standard", "price": amount("totalShippingPriceSet") }] }),
    );
    body
}
