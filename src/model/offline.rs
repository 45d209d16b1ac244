//! The offline model: no language model at all, but plain rules that understand the common questions of a shop and call
//! the same tools. For the demo and for tests of a store; its answers are labelled as such.

mod telling;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use telling::{list, tell, text};

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
            None if is_question(&words) => Reply::Call("search_help", json!({ "query": short(question) })),
            None => Reply::Say(HELP.into()),
        },
    }
}

/// A question about how things are done here.
fn is_question(words: &str) -> bool {
    let openings = [
        "how ", "what ", "when ", "can i ", "may i ", "do you ", "is it ", "which ",
    ];
    openings.iter().any(|opening| words.starts_with(opening)) && words.ends_with('?')
}

fn short(question: &str) -> String {
    question.trim().chars().filter(|c| !c.is_control()).take(200).collect()
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
        assert_eq!(
            call("How long may I return it?"),
            r#"search_help {"query":"How long may I return it?"}"#
        );
        assert_eq!(call("tell me a joke"), HELP);
    }
}
