//! Whether a stored event of another system is about a person: it mentions one of their addresses, or names them or an order of theirs.

use serde_json::Value;

use super::mentions::mentions;

/// What a person is called by other systems.
pub(super) struct Person {
    /// Every address that they have or had.
    pub emails: Vec<String>,
    /// Their id at the store.
    pub id: String,
    /// The numbers of their orders, and what the shop's platform calls the orders.
    pub orders: Vec<String>,
    /// What providers call their payment methods and payments.
    pub references: Vec<String>,
}

/// An id of at least this length identifies the person in any field. A shorter one could be a price or a position.
const DISTINCTIVE: usize = 8;

/// Whether an event is about the person.
pub(super) fn is_about(topic: &str, body: &Value, person: &Person) -> bool {
    // Some stores use the address as the id.
    let mut addresses = person
        .emails
        .iter()
        .chain(Some(&person.id).filter(|id| id.contains('@')));
    addresses.any(|email| mentions(body, email)) || holds(topic, body, ("", ""), person)
}

/// Whether a value below `value` is one of the person's ids, in a field for such ids. A field is known by its name and that of the object
/// around it.
fn holds(topic: &str, value: &Value, (field, around): (&str, &str), person: &Person) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| holds(topic, value, (name, field), person)),
        Value::Array(values) => values.iter().any(|value| holds(topic, value, (field, around), person)),
        Value::String(text) => is_theirs(topic, text, (field, around), person),
        Value::Number(number) => is_theirs(topic, &number.to_string(), (field, around), person),
        Value::Null | Value::Bool(_) => false,
    }
}

fn is_theirs(topic: &str, text: &str, (field, around): (&str, &str), person: &Person) -> bool {
    let is_whole = matches!(around, "" | "data");
    let is_id = matches!(field, "id" | "admin_graphql_api_id");
    // The number that Shopify calls `number` is another than the one that its shoppers know.
    let is_shopify = topic.contains('/');
    let names_shopper = matches!(field, "shopper" | "shopper_id" | "customer" | "customer_id")
        || is_id && (matches!(around, "shopper" | "customer") || is_whole && is_of(topic, &["shopper", "customer"]));
    let names_order = matches!(field, "order" | "order_id" | "order_number" | "orders_to_redact")
        || field == "number" && !is_shopify
        || is_whole && is_of(topic, &["order"]) && (is_id || field == "name")
        || is_id && around == "order";
    let names_method = field == "payment_method" || is_id && around == "payment_methods";
    // WooCommerce's `number` is another than its id where a plug-in counts orders.
    let is_meant = |id: &String| field != "number" || !id.starts_with("woocommerce:");
    let is_one_of = |ids: &[String]| ids.iter().any(|id| is_meant(id) && is_same(text, id));
    let is_distinctive = |id: &String| bare(id).len() >= DISTINCTIVE && is_same(text, id);
    names_shopper && is_same(text, &person.id)
        || names_order && is_one_of(&person.orders)
        || names_method && is_one_of(&person.references)
        || is_distinctive(&person.id)
        || person.orders.iter().chain(&person.references).any(is_distinctive)
}

fn is_of(topic: &str, things: &[&str]) -> bool {
    things.iter().any(|thing| topic.starts_with(thing))
}

/// An id without the `#` of an order's number, and without the platform's name before it (`gid://shopify/Order/1`, `woocommerce:1`).
fn bare(id: &str) -> &str {
    let last = match id.strip_prefix("gid://") {
        Some(path) => path.rsplit('/').next().unwrap_or(path),
        None => id.strip_prefix("woocommerce:").unwrap_or(id),
    };
    last.trim_start_matches('#')
}

/// Whether two texts are one id, however it is written.
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (bare(one), bare(other));
    !one.is_empty() && one == other
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ida() -> Person {
        Person {
            emails: vec!["ida@example.com".into(), "old@example.com".into()],
            id: "7".into(),
            orders: vec!["#1001".into(), "gid://shopify/Order/55".into(), "woocommerce:66".into()],
            references: vec!["cus_IdaIdaIda".into(), "card".into()],
        }
    }

    #[test]
    fn an_event_is_about_a_person_by_address_by_id_and_by_order() {
        for (topic, body) in [
            ("bounced", json!({ "to": "Ida <old@example.com>" })),
            ("shopper.upserted", json!({ "version": 1, "data": { "id": "7" } })),
            ("order.upserted", json!({ "data": { "number": "2", "shopper": "7" } })),
            (
                "order.upserted",
                json!({ "data": { "number": "1001", "shopper": "x" } }),
            ),
            ("orders/create", json!({ "name": "#1001" })),
            ("orders/create", json!({ "customer": { "id": 7 } })),
            ("orders/create", json!({ "id": 55 })),
            ("refunds/create", json!({ "order_id": 55 })),
            ("order.updated", json!({ "id": 1, "number": "1001", "customer_id": 0 })),
            ("order.updated", json!({ "id": 1, "number": "1", "customer_id": 7 })),
            ("order.deleted", json!({ "id": 66 })),
            ("customer.updated", json!({ "id": 7, "email": "" })),
            (
                "customers/redact",
                json!({ "customer": { "id": 9 }, "orders_to_redact": [54, 55] }),
            ),
            (
                "charge.refunded",
                json!({ "data": { "object": { "customer": "cus_IdaIdaIda" } } }),
            ),
            (
                "order.upserted",
                json!({ "data": { "payments": [{ "payment_method": "card" }] } }),
            ),
        ] {
            assert!(is_about(topic, &body, &ida()), "{topic} {body}");
        }
    }

    #[test]
    fn the_same_number_elsewhere_is_nobodys_id() {
        for (topic, body) in [
            (
                "product.upserted",
                json!({ "version": 7, "data": { "id": "7", "name": "card" } }),
            ),
            ("stock.changed", json!({ "version": 1001, "data": { "item_id": "7" } })),
            (
                "order.upserted",
                json!({ "data": { "number": "1007", "shopper": "8",
                "lines": [{ "product_id": "7", "name": "1001", "price": "1001", "quantity": 7 }] } }),
            ),
            (
                "orders/create",
                json!({ "id": 56, "number": 1001, "name": "#2001", "customer": { "id": 70 } }),
            ),
            ("order.upserted", json!({ "data": { "number": "##" } })),
            ("product.updated", json!({ "id": 66, "price": "55", "parent_id": 7 })),
            (
                "order.updated",
                json!({ "id": 7, "number": "66", "customer_id": 55, "line_items": [{ "id": 66 }] }),
            ),
        ] {
            assert!(!is_about(topic, &body, &ida()), "{topic} {body}");
        }
    }
}
