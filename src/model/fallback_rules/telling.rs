//! What a tool returned, in plain sentences.

use serde::Deserialize;
use serde_json::Value;

use super::HELP;
use crate::{
    language::{self, Language, LocalizedText, TextKey},
    money::Money,
};

pub fn tell(tool: &str, result: &Value) -> LocalizedText {
    LocalizedText::from_fn(|language| tell_in(language, tool, result))
}

fn tell_in(language: Language, tool: &str, result: &Value) -> String {
    if let Some(error) = result.get("error") {
        let message = match error["code"].as_str() {
            Some("sign_in_first") => TextKey("offline-sign-in-first"),
            Some("not_allowed") => TextKey("offline-not-allowed"),
            Some("not_found") => TextKey("offline-not-found"),
            _ => TextKey("offline-not-now"),
        };
        // The store's rules are written in English.
        let reason = text(error, "message").trim_end_matches('.');
        return message.with(language, &[("reason", reason.into())]);
    }
    let data = &result["data"];
    match tool {
        "get_order" => tell_order(data, language),
        "list_orders" => tell_orders(data, language),
        "get_refund_status" => tell_refund(data, language),
        "search_products" => tell_products(data, language),
        "get_profile" => tell_profile(data, language),
        "search_help" => tell_help(data, language),
        "return_items" => TextKey("offline-return-asked").in_language(language),
        "hand_off" => TextKey("offline-person-called").in_language(language),
        _ => HELP.in_language(language),
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn money(value: &Value, language: Language) -> String {
    Money::deserialize(value)
        .map(|money| money.in_language(language))
        .unwrap_or_default()
}

fn status(order: &Value, language: Language) -> String {
    let key = format!("offline-status-{}", text(order, "status").replace('_', "-"));
    language::text(language, &key, &[])
}

fn names(value: &Value, field: &str, name: &str) -> String {
    let names: Vec<&str> = list(value, field).iter().map(|entry| text(entry, name)).collect();
    names.join(", ")
}

fn tell_order(order: &Value, language: Language) -> String {
    let parcels = list(order, "shipments").len();
    let numbers = names(order, "shipments", "tracking_number");
    let tracking =
        TextKey("offline-tracking").with(language, &[("parcels", parcels.into()), ("numbers", numbers.into())]);
    let values = [
        ("number", text(order, "number").into()),
        ("items", names(order, "lines", "name").into()),
        ("status", status(order, language).into()),
        ("tracking", tracking.into()),
        ("total", money(&order["total"], language).into()),
    ];
    TextKey("offline-order").with(language, &values)
}

fn tell_orders(data: &Value, language: Language) -> String {
    let orders = list(data, "orders");
    if orders.is_empty() {
        return TextKey("offline-no-orders").in_language(language);
    }
    let tell = |order| {
        let values = [
            ("number", text(order, "number").into()),
            ("status", status(order, language).into()),
            ("total", money(&order["total"], language).into()),
        ];
        TextKey("offline-one-order").with(language, &values)
    };
    let orders: Vec<String> = orders.iter().map(tell).collect();
    TextKey("offline-orders").with(language, &[("orders", orders.join("; ").into())])
}

fn tell_refund(data: &Value, language: Language) -> String {
    let (number, refunds) = (text(data, "order_number"), list(data, "refunds"));
    if refunds.is_empty() {
        let paid = money(&data["paid"], language);
        return TextKey("offline-no-refund").with(language, &[("number", number.into()), ("paid", paid.into())]);
    }
    let tell = |refund: &Value| {
        let (amount, method) = (money(&refund["amount"], language), text(refund, "payment_method_id"));
        TextKey("amount-to-method").with(language, &[("amount", amount.into()), ("method", method.into())])
    };
    let both = |first: String, last: String| {
        TextKey("two-and-more").with(language, &[("first", first.into()), ("last", last.into())])
    };
    let refunds = refunds.iter().map(tell).reduce(both).unwrap_or_default();
    TextKey("offline-refunds").with(language, &[("number", number.into()), ("refunds", refunds.into())])
}

fn tell_products(data: &Value, language: Language) -> String {
    let products = list(data, "products");
    if products.is_empty() {
        return TextKey("offline-no-products").in_language(language);
    }
    let tell = |product: &Value| {
        let name = ("name", text(product, "name").into());
        match &product["price_from"] {
            Value::Null => TextKey("offline-sold-out").with(language, &[name]),
            price => TextKey("offline-product").with(language, &[name, ("price", money(price, language).into())]),
        }
    };
    let products: Vec<String> = products.iter().map(tell).collect();
    TextKey("offline-products").with(language, &[("products", products.join(", ").into())])
}

/// The first article, with where it is from.
fn tell_help(data: &Value, language: Language) -> String {
    let Some(article) = list(data, "articles").first() else {
        return HELP.in_language(language);
    };
    let (excerpt, title) = (text(article, "excerpt"), text(article, "title"));
    TextKey("offline-article").with(language, &[("excerpt", excerpt.into()), ("title", title.into())])
}

fn tell_profile(data: &Value, language: Language) -> String {
    let address = match &data["address"] {
        Value::Null => TextKey("offline-no-address").in_language(language),
        address => format!(
            "{}, {} {}",
            text(address, "address1"),
            text(address, "city"),
            text(address, "zip")
        ),
    };
    let methods = match names(data, "payment_methods", "id") {
        none if none.is_empty() => TextKey("offline-no-methods").in_language(language),
        methods => methods,
    };
    let name = format!("{} {}", text(data, "first_name"), text(data, "last_name"));
    let values = [
        ("name", name.into()),
        ("email", text(data, "email").into()),
        ("address", address.into()),
        ("methods", methods.into()),
    ];
    TextKey("offline-profile").with(language, &values)
}
