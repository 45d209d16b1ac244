//! What the tools returned, in plain sentences.

use serde::Deserialize;
use serde_json::Value;

use super::NOT_UNDERSTOOD;
use crate::{
    language::{self, Language, TextKey},
    model::{PromptMessage, ToolCall},
    money::Money,
};

/// Asked where a return may be of several orders.
pub(super) const WHICH_ORDER: TextKey = TextKey("fallback-return-which");
const NOT_FOUND: TextKey = TextKey("fallback-not-found");

/// One call and what came of it.
pub(super) struct ToolResult<'a> {
    pub tool: &'a str,
    arguments: Value,
    content: Value,
}

impl ToolResult<'_> {
    pub fn data(&self) -> &Value {
        &self.content["data"]
    }

    pub fn is_found(&self) -> bool {
        self.content.get("error").is_none() && self.content["data"].is_object()
    }

    /// The order that was looked up, as it was written.
    pub fn order_number(&self) -> Option<&str> {
        self.arguments["order_number"].as_str()
    }

    /// Whether there is no such order among the shopper's.
    pub fn is_missing_order(&self) -> bool {
        self.order_number().is_some() && self.content["error"]["code"] == "not_found"
    }
}

/// The calls in these messages with their results, in order. Some models give their calls no ids, or all the same one: then a result
/// belongs to the first call of that id that has none yet.
pub(super) fn results(messages: &[PromptMessage]) -> Vec<ToolResult<'_>> {
    let mut waiting: Vec<&ToolCall> = Vec::new();
    let mut found = Vec::new();
    for message in messages {
        match message {
            PromptMessage::Assistant { calls, .. } => waiting = calls.iter().collect(),
            PromptMessage::ToolResult { call_id, content } if !waiting.is_empty() => {
                let at = waiting.iter().position(|call| call.id == *call_id).unwrap_or(0);
                let call = waiting.remove(at);
                found.push(ToolResult {
                    tool: &call.tool,
                    arguments: serde_json::from_str(&call.arguments).unwrap_or_default(),
                    content: serde_json::from_str(content).unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    found
}

/// A result in words. What lacks the fields that its sentence needs is told as not found: half a sentence would be a false one.
pub(super) fn render(result: &ToolResult<'_>, language: Language) -> String {
    if let Some(error) = result.content.get("error") {
        let message = match error["code"].as_str() {
            Some("not_found") if result.tool == "search_help" => NOT_UNDERSTOOD,
            Some("sign_in_first") => TextKey("fallback-sign-in-first"),
            Some("not_allowed") => TextKey("fallback-not-allowed"),
            Some("not_found") => NOT_FOUND,
            _ => TextKey("fallback-not-now"),
        };
        // The store's rules are written in English.
        let reason = text(error, "message").trim_end_matches('.');
        return message.with(language, &[("reason", reason.into())]);
    }
    let data = result.data();
    let told = match result.tool {
        "get_order" => render_order(data, language),
        "list_orders" => Some(render_orders(data, language)),
        "get_refund_status" => render_refund(data, language),
        "search_products" => Some(render_products(data, language)),
        "get_profile" => render_profile(data, language),
        "search_help" => render_help(data, language),
        "return_items" => Some(TextKey("fallback-return-asked").in_language(language)),
        "hand_off" => Some(TextKey("fallback-person-called").in_language(language)),
        _ if data.get("proposal_id").is_some() => Some(TextKey("fallback-proposed").in_language(language)),
        _ => None,
    };
    told.unwrap_or_else(|| NOT_FOUND.in_language(language))
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn money(value: &Value, language: Language) -> Option<String> {
    Money::deserialize(value).ok().map(|money| money.in_language(language))
}

/// A field's text, where there is any.
fn given<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    Some(text(value, field)).filter(|text| !text.is_empty())
}

pub(super) fn status(order: &Value, language: Language) -> String {
    let key = format!("order-status-{}", text(order, "status").replace('_', "-"));
    language::text(language, &key, &[])
}

fn names(value: &Value, field: &str, name: &str) -> String {
    let names: Vec<&str> = list(value, field).iter().map(|entry| text(entry, name)).collect();
    names.join(", ")
}

fn render_order(order: &Value, language: Language) -> Option<String> {
    given(order, "status")?;
    let items = names(order, "lines", "name");
    let key = match items.is_empty() {
        true => TextKey("fallback-empty-order"),
        false => TextKey("fallback-order"),
    };
    let values = [
        ("number", given(order, "number")?.into()),
        ("items", items.into()),
        ("status", status(order, language).into()),
    ];
    let what = key.with(language, &values);
    let total = total(order, language)?;
    let told = [
        Some(what),
        tracking(order, language),
        Some(total),
        unpaid(order, language),
    ];
    Some(told.into_iter().flatten().collect::<Vec<String>>().join(" "))
}

/// The numbers of an order's parcels, each with the carrier's page where it is known, and that there is none where all were sent without one.
fn tracking(order: &Value, language: Language) -> Option<String> {
    let parcels = list(order, "shipments");
    let tell = |parcel: &Value| {
        let number = given(parcel, "tracking_number")?;
        Some(match given(parcel, "url") {
            Some(url) => format!("{number} ({url})"),
            None => number.to_owned(),
        })
    };
    let numbers: Vec<String> = parcels.iter().filter_map(tell).collect();
    let is_waiting = matches!(text(order, "status"), "pending" | "pending_items_modified");
    match (numbers.len(), parcels.len()) {
        (0, 0) if !is_waiting => None,
        (0, 1..) => Some(TextKey("fallback-no-tracking").in_language(language)),
        (count, _) => {
            let values = [("parcels", count.into()), ("numbers", numbers.join(", ").into())];
            Some(TextKey("fallback-tracking").with(language, &values))
        }
    }
}

/// The total, with what it is made of where that is more than the goods.
fn total(order: &Value, language: Language) -> Option<String> {
    let total = ("total", money(&order["total"], language)?.into());
    let parts = &order["total_parts"];
    let tell = |(field, key): (&str, TextKey)| {
        let amount = Money::deserialize(&parts[field])
            .ok()
            .filter(|amount| amount.minor != 0)?;
        Some(key.with(language, &[("amount", amount.in_language(language).into())]))
    };
    let tax = match parts["tax_included"] == true {
        true => TextKey("fallback-part-tax-included"),
        false => TextKey("fallback-part-tax"),
    };
    let parts: Vec<String> = [
        ("goods", TextKey("fallback-part-goods")),
        ("discount", TextKey("fallback-part-discount")),
        ("tax", tax),
        ("shipping", TextKey("fallback-part-shipping")),
        ("tip", TextKey("fallback-part-tip")),
        ("fees", TextKey("fallback-part-fees")),
        ("duties", TextKey("fallback-part-duties")),
    ]
    .into_iter()
    .filter_map(tell)
    .collect();
    Some(match parts.is_empty() {
        true => TextKey("fallback-total").with(language, &[total]),
        false => TextKey("fallback-total-of-parts").with(language, &[total, ("parts", parts.join(", ").into())]),
    })
}

fn unpaid(order: &Value, language: Language) -> Option<String> {
    let open = money(&order["unpaid"], language)?;
    Some(TextKey("fallback-unpaid").with(language, &[("amount", open.into())]))
}

pub(super) fn render_orders(data: &Value, language: Language) -> String {
    let orders = list(data, "orders");
    let tell = |order| {
        given(order, "status")?;
        let values = [
            ("number", given(order, "number")?.into()),
            ("status", status(order, language).into()),
            ("total", money(&order["total"], language)?.into()),
        ];
        Some(TextKey("fallback-one-order").with(language, &values))
    };
    let told: Vec<String> = orders.iter().filter_map(tell).collect();
    match (told.is_empty(), data["orders"].is_array() && orders.is_empty()) {
        (true, true) => TextKey("fallback-no-orders").in_language(language),
        (true, false) => NOT_FOUND.in_language(language),
        _ => TextKey("fallback-orders").with(language, &[("orders", told.join("; ").into())]),
    }
}

/// Which of these orders is to be returned?
pub(super) fn ask_which(orders: &[&Value], language: Language) -> String {
    let tell = |order: &&Value| {
        let items: Vec<&str> = list(order, "items").iter().filter_map(Value::as_str).collect();
        format!("{} ({})", text(order, "number"), items.join(", "))
    };
    let orders: Vec<String> = orders.iter().map(tell).collect();
    WHICH_ORDER.with(language, &[("orders", orders.join("; ").into())])
}

/// How a return stands, by the state of its order and what was refunded.
pub(super) fn render_return(data: &Value, language: Language) -> String {
    let Some(refund) = render_refund(data, language) else {
        return NOT_FOUND.in_language(language);
    };
    let number = ("number", text(data, "order_number").into());
    let state = match text(data, "order_status") {
        "return_requested" | "exchange_requested" => TextKey("fallback-return-under-way").with(language, &[number]),
        _ => {
            let order = serde_json::json!({ "status": data["order_status"] });
            TextKey("fallback-return-unknown").with(language, &[number, ("status", status(&order, language).into())])
        }
    };
    format!("{state} {refund}")
}

fn render_refund(data: &Value, language: Language) -> Option<String> {
    let (number, refunds) = (given(data, "order_number")?, list(data, "refunds"));
    given(data, "order_status")?;
    if refunds.is_empty() {
        let paid = money(&data["paid"], language)?;
        return Some(TextKey("fallback-no-refund").with(language, &[("number", number.into()), ("paid", paid.into())]));
    }
    let tell = |refund: &Value| {
        let (amount, method) = (money(&refund["amount"], language)?, text(refund, "payment_method_id"));
        Some(TextKey("amount-to-method").with(language, &[("amount", amount.into()), ("method", method.into())]))
    };
    let both = |first: String, last: String| {
        TextKey("two-and-more").with(language, &[("first", first.into()), ("last", last.into())])
    };
    let refunds = refunds.iter().filter_map(tell).reduce(both)?;
    Some(TextKey("fallback-refunds").with(language, &[("number", number.into()), ("refunds", refunds.into())]))
}

fn render_products(data: &Value, language: Language) -> String {
    let products = list(data, "products");
    if products.is_empty() {
        return TextKey("fallback-no-products").in_language(language);
    }
    let tell = |product: &Value| {
        let name = ("name", given(product, "name")?.into());
        Some(match money(&product["price_from"], language) {
            None => TextKey("fallback-sold-out").with(language, &[name]),
            Some(price) => TextKey("fallback-product").with(language, &[name, ("price", price.into())]),
        })
    };
    let products: Vec<String> = products.iter().filter_map(tell).collect();
    TextKey("fallback-products").with(language, &[("products", products.join(", ").into())])
}

/// The first article, with where it is from.
fn render_help(data: &Value, language: Language) -> Option<String> {
    let article = list(data, "articles").first()?;
    let (excerpt, title) = (given(article, "excerpt")?, given(article, "title")?);
    Some(TextKey("fallback-article").with(language, &[("excerpt", excerpt.into()), ("title", title.into())]))
}

fn render_profile(data: &Value, language: Language) -> Option<String> {
    let address = match &data["address"] {
        Value::Null => TextKey("fallback-no-address").in_language(language),
        address => format!(
            "{}, {} {}",
            text(address, "address1"),
            text(address, "city"),
            text(address, "zip")
        ),
    };
    let methods = match names(data, "payment_methods", "id") {
        none if none.is_empty() => TextKey("fallback-no-methods").in_language(language),
        methods => methods,
    };
    let name = format!("{} {}", text(data, "first_name"), text(data, "last_name"));
    let values = [
        ("name", name.into()),
        ("email", given(data, "email")?.into()),
        ("address", address.into()),
        ("methods", methods.into()),
    ];
    Some(TextKey("fallback-profile").with(language, &values))
}
