//! Shopify's topics: what an event of each means. The topic stands in a header that Shopify does not sign, so a body is only taken for what it
//! looks like: an order's body under the topic of a redaction erases nobody.

use serde_json::Value;

use super::{
    body::{id, order_reference},
    customers, fulfillments, orders, products,
};
use crate::{
    integrations::{
        event_source::{Meaning, Outcome},
        json_fields::{list, text},
    },
    tenancy::Tenant,
};

pub(super) fn meaning(topic: &str, body: &Value, store: &Tenant) -> Meaning {
    match topic {
        "orders/create"
        | "orders/updated"
        | "orders/cancelled"
        | "orders/fulfilled"
        | "orders/partially_fulfilled"
        | "orders/paid" => orders::order(body, store.currency),
        "orders/delete" => match (id(&body["id"]), body.get("line_items")) {
            (Some(order), None) => Meaning::OrderDeleted {
                reference: order_reference(&order),
            },
            _ => Meaning::Unreadable("this is not the body of a deletion".into()),
        },
        "orders/edited" | "refunds/create" => ignored("the order follows as orders/updated"),
        "fulfillments/create" | "fulfillments/update" => fulfillments::fulfillment(body),
        "fulfillment_events/create" => fulfillments::event(body),
        "customers/create" | "customers/update" => customers::customer(body),
        "customers/merge" => customers::merge(body),
        "customers/delete" => ignored("what is known of the customer stays until customers/redact"),
        "customers/data_request" | "customers/redact" => privacy(topic, body),
        "shop/redact" => ignored("staff remove the data of a store that left"),
        "products/create" | "products/update" => products::product(body, store.currency),
        "products/delete" => match (id(&body["id"]), body.get("variants")) {
            (Some(product), None) => Meaning::ProductDeleted { product },
            _ => Meaning::Unreadable("this is not the body of a deletion".into()),
        },
        "inventory_levels/update" => ignored("the stock follows as products/update"),
        _ if topic.starts_with("returns/") => ignored("the order follows as orders/updated"),
        _ => Meaning::Unknown,
    }
}

fn ignored(reason: &'static str) -> Meaning {
    Meaning::Applied(Outcome::Ignored(reason))
}

/// A request of a customer. Orders, customers and parcels have an id of their own, and a request for data has orders that are requested.
fn privacy(topic: &str, body: &Value) -> Meaning {
    let erase = topic == "customers/redact";
    let other = if erase { "orders_requested" } else { "orders_to_redact" };
    let is_request = ["id", "line_items", other]
        .iter()
        .all(|field| body.get(field).is_none());
    let is_for_data = body.get("data_request").is_some();
    if !is_request || (erase && is_for_data) {
        return Meaning::Unreadable(format!("this is not the body of {topic}"));
    }
    match id(&body["customer"]["id"]) {
        Some(shopper) => Meaning::Privacy { shopper, erase },
        None => match text(&body["customer"]["email"]) {
            Some(email) => Meaning::Privacy { shopper: email, erase },
            None if list(&body["orders_to_redact"]).is_empty() => {
                Meaning::Unreadable("`customer.id` is missing".into())
            }
            None => Meaning::Unreadable("neither `customer.id` nor `customer.email` is there".into()),
        },
    }
}
