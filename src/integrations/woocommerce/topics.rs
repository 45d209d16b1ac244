//! WooCommerce's topics: what an event of each means. The topic stands in a header that WooCommerce does not sign, so a body is only taken for
//! what it looks like: an order's body under the topic of a deletion deletes nothing.

use serde_json::Value;

use super::{
    body::{id, order_reference},
    customers, orders, products,
};
use crate::{
    integrations::{
        event_source::{Meaning, Outcome},
        json_fields::line,
    },
    tenancy::Tenant,
};

/// What a body says, by its topic. The same body under two topics of a class says the same.
pub(super) fn class(topic: &str) -> &'static str {
    match topic {
        "order.created" | "order.updated" => "order",
        "order.deleted" => "order deleted",
        "order.restored" => "order restored",
        "customer.created" | "customer.updated" => "customer",
        "customer.deleted" => "customer deleted",
        "product.created" | "product.updated" => "product",
        "product.deleted" => "product deleted",
        "product.restored" => "product restored",
        _ => "other",
    }
}

pub(super) fn meaning(topic: &str, body: &Value, store: &Tenant) -> Meaning {
    if let Some(code) = refusal(body) {
        return Meaning::Unreadable(format!(
            "the shop sent an error for the record, `{code}`: the user whom the webhook belongs to must be allowed to see it"
        ));
    }
    match topic {
        "order.created" | "order.updated" | "order.restored" => orders::order(body, store.currency),
        "order.deleted" => match deleted(body) {
            Some(order) => Meaning::OrderDeleted {
                reference: order_reference(&order),
            },
            None => not_a_deletion(),
        },
        "customer.created" | "customer.updated" => customers::customer(body),
        "customer.deleted" => ignored("what is known of the customer stays until staff erase it"),
        "product.created" | "product.updated" | "product.restored" => products::product(body, store.currency),
        "product.deleted" => match deleted(body) {
            Some(product) => Meaning::ProductDeleted { product },
            None => not_a_deletion(),
        },
        _ if topic.starts_with("coupon.") => ignored("what a coupon took off stands in its order"),
        _ if topic.starts_with("action.") => ignored("what an action changed follows as order.updated or its like"),
        _ => Meaning::Unknown,
    }
}

fn ignored(reason: &'static str) -> Meaning {
    Meaning::Applied(Outcome::Ignored(reason))
}

fn not_a_deletion() -> Meaning {
    Meaning::Unreadable("this is not the body of a deletion".into())
}

/// The id of what was deleted. A deletion tells nothing else.
fn deleted(body: &Value) -> Option<String> {
    let is_whole = ["line_items", "status", "name", "email", "type", "code"]
        .iter()
        .any(|field| body.get(field).is_some());
    id(&body["id"]).filter(|_| !is_whole)
}

/// The code of the error that WooCommerce sends in place of a record that the webhook's user may not see (woocommerce/woocommerce 37806).
fn refusal(body: &Value) -> Option<String> {
    let is_error = body.get("id").is_none() && body["data"]["status"].is_number();
    line(&body["code"], 80).filter(|_| is_error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deletion_is_an_id_and_nothing_else() {
        for (body, expected) in [
            (json!({ "id": 55 }), Some("55")),
            (json!({ "id": "55" }), Some("55")),
            (json!({ "id": 0 }), None),
            (json!({ "id": 55, "status": "processing" }), None),
            (json!({ "id": 55, "email": "mia@example.com" }), None),
            (json!({}), None),
        ] {
            assert_eq!(deleted(&body).as_deref(), expected, "{body}");
        }
    }
}
