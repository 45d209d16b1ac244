//! The offline model: no language model at all, but plain rules that understand the common questions of a shop and call
//! the same tools. For the demo and for tests of a store; its answers are labelled as such.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{Chunk, ChunkStream, Model, Prompt, PromptMessage, Source, ToolCall, Usage};

pub struct OfflineModel;

impl Model for OfflineModel {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        let chunks = match reply(&prompt) {
            Reply::Call(tool, arguments) => {
                vec![Chunk::Call(ToolCall {
                    id: format!("offline-{}", prompt.messages.len()),
                    tool: tool.into(),
                    arguments: arguments.to_string(),
                })]
            }
            // Word by word, so that whoever builds a front end sees streaming.
            Reply::Say(text) => text
                .split_inclusive(' ')
                .map(|word| Chunk::Text(word.to_owned()))
                .collect(),
        };
        stream::iter(chunks.into_iter().chain([Chunk::End(Usage::default())]).map(Ok)).boxed()
    }

    fn source(&self) -> Source {
        Source::Offline
    }
}

enum Reply {
    Call(&'static str, Value),
    Say(String),
}

fn reply(prompt: &Prompt) -> Reply {
    let last_question = prompt
        .messages
        .iter()
        .rposition(|message| matches!(message, PromptMessage::Shopper(_)));
    let Some(PromptMessage::Shopper(question)) = last_question.map(|at| &prompt.messages[at]) else {
        return Reply::Say(HELP.into());
    };
    let since = &prompt.messages[last_question.unwrap_or_default()..];
    match latest_result(since) {
        Some(("get_order", result)) if wants_return(question) && result.get("error").is_none() => {
            return_all(&result["data"])
        }
        Some((tool, result)) => Reply::Say(tell(tool, &result)),
        None => ask(question),
    }
}

const HELP: &str = "I can look up your orders, parcels and refunds, your profile, and what we have in stock. \
                    Try: where is my order #1001?";

fn wants_return(question: &str) -> bool {
    let question = question.to_lowercase();
    ["return", "send back", "give back"]
        .iter()
        .any(|words| question.contains(words))
}

/// Everything in the order, back to where it was paid from. Rules choose no items; a model would ask.
fn return_all(order: &Value) -> Reply {
    let items: Vec<&str> = list(order, "lines")
        .iter()
        .flat_map(|line| {
            let units = line["quantity"].as_u64().unwrap_or(1);
            std::iter::repeat_n(text(line, "item_id"), units.min(50) as usize)
        })
        .collect();
    let payment = list(order, "payments")
        .first()
        .map(|payment| text(payment, "payment_method_id"));
    Reply::Call(
        "return_items",
        json!({ "order_number": text(order, "number"), "item_ids": items, "payment_method_id": payment }),
    )
}

/// The tool that answers a question.
fn ask(question: &str) -> Reply {
    let words = question.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if words
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| matches!(word, "person" | "human" | "agent" | "staff"))
    {
        return Reply::Call("hand_off", json!({ "summary": "Asked for a person." }));
    }
    match order_number(question) {
        Some(number) if has(&["refund", "money back", "paid back"]) => {
            Reply::Call("get_refund_status", json!({ "order_number": number }))
        }
        Some(number) => Reply::Call("get_order", json!({ "order_number": number })),
        None if has(&["order", "parcel", "package", "delivery", "refund"]) => Reply::Call("list_orders", json!({})),
        None if has(&[
            "my profile",
            "my address",
            "my e-mail",
            "my email",
            "my payment",
            "gift card",
            "my account",
        ]) =>
        {
            Reply::Call("get_profile", json!({}))
        }
        None => match subject(&words) {
            Some(subject) => Reply::Call("search_products", json!({ "query": subject })),
            None => Reply::Say(HELP.into()),
        },
    }
}

/// `#1001`, `#W2611340`, `W2611340`, `order 1001`: a word with a `#`, or one with four digits in it.
fn order_number(question: &str) -> Option<String> {
    question
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '?' | '!' | ';' | '"' | '(' | ')'))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| {
            word.len() > 1 && (word.starts_with('#') || word.chars().filter(char::is_ascii_digit).count() >= 4)
        })
        .map(|word| word.chars().take(64).collect())
}

/// What a question about goods is about: the words after "do you have", "price of" and the like.
fn subject(words: &str) -> Option<String> {
    let openings = [
        "do you have",
        "do you sell",
        "looking for",
        "search for",
        "price of",
        "how much is",
        "how much are",
        "in stock:",
        "show me",
        "find",
    ];
    let rest = openings
        .iter()
        .find_map(|opening| words.split_once(opening))
        .map(|(_, rest)| rest)?;
    let fillers = [
        "a", "an", "the", "any", "some", "in", "stock", "please", "your", "for", "me",
    ];
    let words: Vec<&str> = rest
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .filter(|word| !word.is_empty() && !fillers.contains(word))
        .map(|word| word.strip_suffix('s').unwrap_or(word))
        .take(5)
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The newest tool result since the question, with the tool that gave it.
fn latest_result(since: &[PromptMessage]) -> Option<(&str, Value)> {
    let (call_id, content) = since.iter().rev().find_map(|message| match message {
        PromptMessage::ToolResult { call_id, content } => Some((call_id, content)),
        _ => None,
    })?;
    let tool = since.iter().find_map(|message| match message {
        PromptMessage::Assistant { calls, .. } => calls
            .iter()
            .find(|call| call.id == *call_id)
            .map(|call| call.tool.as_str()),
        _ => None,
    })?;
    Some((tool, serde_json::from_str(content).ok()?))
}

fn tell(tool: &str, result: &Value) -> String {
    if let Some(error) = result.get("error") {
        return match error["code"].as_str() {
            Some("sign_in_first") => "For that I must know who you are. Please sign in first.".into(),
            Some("not_allowed") => format!(
                "That is not possible: {}.",
                text(error, "message").trim_end_matches('.')
            ),
            Some("not_found") => {
                "I could not find that under your account. Please check the number, and that you are signed in.".into()
            }
            _ => "I could not look that up just now. Please try again in a moment.".into(),
        };
    }
    let data = &result["data"];
    match tool {
        "get_order" => tell_order(data),
        "list_orders" => tell_orders(data),
        "get_refund_status" => tell_refund(data),
        "search_products" => tell_products(data),
        "get_profile" => tell_profile(data),
        "return_items" => {
            "I have asked for the return. A person will decide, and you will hear of it here and by mail.".into()
        }
        "hand_off" => "I have called someone of our staff, who will answer you here.".into(),
        _ => HELP.into(),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn money(value: &Value) -> String {
    format!("{} {}", text(value, "amount"), text(value, "currency"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn tell_order(order: &Value) -> String {
    let items: Vec<&str> = list(order, "lines").iter().map(|line| text(line, "name")).collect();
    let tracking: Vec<&str> = list(order, "shipments")
        .iter()
        .map(|parcel| text(parcel, "tracking_number"))
        .collect();
    let tracking = match tracking[..] {
        [] => "It has not been shipped yet.".to_owned(),
        [one] => format!("Its tracking number is {one}."),
        _ => format!("Its tracking numbers are {}.", tracking.join(", ")),
    };
    let status = text(order, "status").replace('_', " ");
    format!(
        "Order {} ({}) is {status}. {tracking} The total is {}.",
        text(order, "number"),
        items.join(", "),
        money(&order["total"])
    )
}

fn tell_orders(data: &Value) -> String {
    let orders: Vec<String> = list(data, "orders")
        .iter()
        .map(|order| {
            format!(
                "{} is {} ({})",
                text(order, "number"),
                text(order, "status").replace('_', " "),
                money(&order["total"])
            )
        })
        .collect();
    if orders.is_empty() {
        "You have no orders with us yet.".into()
    } else {
        format!("Your orders: {}.", orders.join("; "))
    }
}

fn tell_refund(data: &Value) -> String {
    let number = text(data, "order_number");
    if list(data, "refunds").is_empty() {
        return format!(
            "No refund has been made on order {number}; {} was paid.",
            money(&data["paid"])
        );
    }
    let to: Vec<String> = list(data, "refunds")
        .iter()
        .map(|refund| format!("{} to {}", money(&refund["amount"]), text(refund, "payment_method_id")))
        .collect();
    format!("On order {number} we refunded {}.", to.join(" and "))
}

fn tell_products(data: &Value) -> String {
    let products: Vec<String> = list(data, "products")
        .iter()
        .map(|product| match &product["price_from"] {
            Value::Null => format!("{} (sold out)", text(product, "name")),
            price => format!("{} (from {})", text(product, "name"), money(price)),
        })
        .collect();
    if products.is_empty() {
        "I found nothing like that in our shop.".into()
    } else {
        format!("I found: {}.", products.join(", "))
    }
}

fn tell_profile(data: &Value) -> String {
    let methods: Vec<&str> = list(data, "payment_methods")
        .iter()
        .map(|method| text(method, "id"))
        .collect();
    let address = &data["address"];
    let address = match address {
        Value::Null => "no address".to_owned(),
        _ => format!(
            "{}, {} {}",
            text(address, "address1"),
            text(address, "city"),
            text(address, "zip")
        ),
    };
    let methods = if methods.is_empty() {
        "none".into()
    } else {
        methods.join(", ")
    };
    format!(
        "You are {} {} ({}), {address}. Payment methods: {methods}.",
        text(data, "first_name"),
        text(data, "last_name"),
        text(data, "email")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(question: &str) -> String {
        match ask(question) {
            Reply::Call(tool, arguments) => format!("{tool} {arguments}"),
            Reply::Say(text) => text,
        }
    }

    #[test]
    fn common_questions_find_their_tool() {
        assert_eq!(
            call("Where is my order #W2611340?"),
            r##"get_order {"order_number":"#W2611340"}"##
        );
        assert_eq!(call("status of W2611340."), r#"get_order {"order_number":"W2611340"}"#);
        assert_eq!(
            call("Was the refund for #1002 made?"),
            r##"get_refund_status {"order_number":"#1002"}"##
        );
        assert_eq!(call("What did I order?"), "list_orders {}");
        assert_eq!(
            call("Do you have any water bottles in stock?"),
            r#"search_products {"query":"water bottle"}"#
        );
        assert_eq!(call("what is my address"), "get_profile {}");
        assert_eq!(call("tell me a joke"), HELP);
    }
}
