//! The table of phrases, `phrases.tsv`: what the rules understand of each, and that none of them proposes anything by itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Reply,
    intents::{DetectedIntent, Intent, intents},
    reply,
    return_flow::question_in,
};
use crate::{
    language::Language,
    model::{Prompt, PromptMessage, ToolCall, ToolDefinition},
    store::order_number,
};

const TABLE: &str = include_str!("phrases.tsv");

struct Phrase {
    language: Language,
    text: &'static str,
    asks: &'static str,
}

fn phrases() -> Vec<Phrase> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let phrase = |line: &'static str| {
        let [language, text, asks] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}");
        };
        let language = language.parse().expect("a language");
        Phrase { language, text, asks }
    };
    lines.map(phrase).collect()
}

fn notation(detected: &DetectedIntent) -> String {
    let name = match &detected.intent {
        Intent::Person => "person",
        Intent::AskIfHuman => "who",
        Intent::Return => "return",
        Intent::ReturnState => "state",
        Intent::Refund => "refund",
        Intent::Change => "change",
        Intent::Order => "order",
        Intent::Profile => "profile",
        Intent::Goods(goods) => return format!("goods {goods}"),
        Intent::Help => "help",
    };
    let numbers = detected.numbers.iter().map(String::as_str);
    std::iter::once(name).chain(numbers).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_phrase_of_the_table_is_understood() {
    let phrases = phrases();
    let german = phrases.iter().filter(|phrase| phrase.language != Language::EN).count();
    assert!(
        phrases.len() >= 150 && german >= 50,
        "{} phrases, {german} German",
        phrases.len()
    );
    let mut wrong = Vec::new();
    for phrase in &phrases {
        let intents: Vec<String> = intents(phrase.text).iter().map(notation).collect();
        let understood = if intents.is_empty() {
            "nothing".to_owned()
        } else {
            intents.join("; ")
        };
        if understood != phrase.asks {
            wrong.push(format!("{}: {understood}, and not {}", phrase.text, phrase.asks));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A shop with the orders of a shopper, which answers the rules' calls.
fn shop(tool: &str, arguments: &Value) -> Value {
    let dollars = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let order = |number: &str, status: &str, name: &str| {
        json!({ "number": number, "status": status, "total": dollars("129.90"), "shipments": [],
            "lines": [{ "item_id": "one", "name": name, "quantity": 1 }], "items": [name],
            "payments": [{ "kind": "payment", "payment_method_id": "card" }] })
    };
    let orders = [
        order("#1001", "processed", "Storm Lantern"),
        order("#1002", "delivered", "Fisherman Sweater"),
        order("#1003", "pending", "Water Bottle"),
    ];
    let wanted = order_number::fold(arguments["order_number"].as_str().unwrap_or_default());
    let found = orders
        .iter()
        .find(|order| order_number::fold(order["number"].as_str().unwrap_or_default()) == wanted);
    let missing = json!({ "error": { "code": "not_found", "message": "no such order" } });
    let data = match (tool, found) {
        ("get_order", Some(order)) => order.clone(),
        ("get_refund_status", Some(order)) => json!({ "order_number": order["number"], "order_status": order["status"],
            "paid": dollars("129.90"), "refunded": dollars("0"), "refunds": [] }),
        ("get_order" | "get_refund_status", None) => return missing,
        ("list_orders", _) => json!({ "orders": orders }),
        ("search_products", _) => json!({ "products": [{ "name": "Enamel Mug", "price_from": dollars("12.50") }] }),
        ("search_help", _) => json!({ "articles": [{ "title": "Returns", "excerpt": "Thirty days." }] }),
        ("get_profile", _) => {
            json!({ "first_name": "Mia", "last_name": "Jones", "email": "mia@example.com", "payment_methods": [] })
        }
        ("hand_off" | "return_items", _) => json!({ "proposal_id": "1", "state": "pending" }),
        other => panic!("{other:?}"),
    };
    json!({ "data": data })
}

fn tools(names: &[&'static str]) -> Arc<[ToolDefinition]> {
    let tool = |name: &&'static str| ToolDefinition {
        name,
        description: String::new(),
        schema: Value::Null,
    };
    names.iter().map(tool).collect()
}

/// The rules' answer after all their calls, and the calls.
fn converse(
    language: Language,
    before: &[PromptMessage],
    message: &str,
    is_guest: bool,
) -> (String, Vec<(String, Value)>) {
    let mut prompt = Prompt {
        model: None,
        summarizes: false,
        is_check: false,
        messages: [before, &[PromptMessage::Shopper(message.to_owned())]].concat(),
        language,
        tools: tools(if is_guest {
            &["get_order"]
        } else {
            &["get_order", "return_items"]
        }),
        may_call_tools: true,
        max_output_tokens: 100,
    };
    let mut made = Vec::new();
    for _ in 0..6 {
        let calls = match reply(&prompt) {
            Reply::Say(text) => return (text, made),
            Reply::Call(calls) => calls,
        };
        let mut results = Vec::new();
        // A model's calls may come without ids; a result is told by its place then.
        let calls: Vec<ToolCall> = calls
            .into_iter()
            .map(|(tool, arguments)| {
                results.push(PromptMessage::ToolResult {
                    call_id: String::new(),
                    content: shop(tool, &arguments).to_string(),
                });
                let call = ToolCall {
                    fault: None,
                    id: String::new(),
                    tool: tool.to_owned(),
                    arguments: arguments.to_string(),
                };
                made.push((tool.to_owned(), arguments));
                call
            })
            .collect();
        prompt.messages.push(PromptMessage::Assistant {
            echo: None,
            text: String::new(),
            calls,
        });
        prompt.messages.extend(results);
    }
    panic!("{message}: no end of calls");
}

fn said(text: &str) -> PromptMessage {
    PromptMessage::Assistant {
        echo: None,
        text: text.to_owned(),
        calls: Vec::new(),
    }
}

fn english(message: &str) -> String {
    converse(Language::EN, &[], message, false).0
}

#[test]
fn no_phrase_proposes_a_return_by_itself() {
    for phrase in phrases() {
        for is_guest in [false, true] {
            let (text, calls) = converse(phrase.language, &[], phrase.text, is_guest);
            assert!(calls.iter().all(|(tool, _)| tool != "return_items"), "{}", phrase.text);
            assert!(
                !text.is_empty() && !text.contains("()") && !text.contains("  "),
                "{}: {text}",
                phrase.text
            );
            let asks_back = question_in(&text).is_some();
            assert!(!asks_back || phrase.asks.contains("return"), "{}: {text}", phrase.text);
            assert!(!(asks_back && is_guest), "{}: {text}", phrase.text);
        }
    }
}

#[test]
fn a_return_is_proposed_by_a_yes_to_the_question_and_by_nothing_else() {
    for (language, ask, yes) in [
        ("en", "I want to return #1002", "Yes"),
        ("de", "#1002 zurückgeben", "Ja, bitte"),
    ] {
        let language: Language = language.parse().expect("a language");
        let (question, _) = converse(language, &[], ask, false);
        let history = [PromptMessage::Shopper(ask.to_owned()), said(&question)];
        let (text, calls) = converse(language, &history, yes, false);
        let (tool, arguments) = calls.last().expect("a call");
        assert_eq!(tool, "return_items", "{question}");
        assert_eq!(
            arguments,
            &json!({ "order_number": "#1002", "item_ids": ["one"], "payment_method_id": "card" })
        );
        // Repeating the same message must not confirm anything, because the last answer asked no question.
        let later = [&history[..], &[PromptMessage::Shopper(yes.to_owned()), said(&text)]].concat();
        for (before, message) in [
            (&later[..], yes),
            (&history[..], "yes, return #1001"),
            (&history[..], "no"),
            (&history[..], "Where is #1001?"),
            (&history[..], "yes but not now"),
            (&[], yes),
            (&[said("Return Storm Lantern of order #1001?")], yes),
            (&[said("Return Fisherman Sweater of order #1002? Or not?")], yes),
            (&[said("Shall I do it?")], yes),
        ] {
            let (text, calls) = converse(language, before, message, false);
            assert!(
                calls.iter().all(|(tool, _)| tool != "return_items"),
                "{message}: {text}"
            );
        }
    }
}

#[test]
fn answers_say_what_was_found_and_what_was_not() {
    assert_eq!(
        english("I want to return #1002"),
        "Return Fisherman Sweater of order #1002?"
    );
    assert_eq!(
        english("I want to return my sweater"),
        "Return Fisherman Sweater of order #1002?"
    );
    assert_eq!(english("Return something"), "Return Fisherman Sweater of order #1002?");
    assert_eq!(
        english("Return the lantern"),
        "Order #1001 is shipped: only a delivered order can be returned."
    );
    let missing = english("Where is 4711?");
    assert!(
        missing.starts_with("I found no order 4711 of yours. Your orders: #1001 is shipped"),
        "{missing}"
    );
    let several = english("Where are #1001 and #1003?");
    assert!(
        several.contains("Order #1001 (Storm Lantern) is shipped")
            && several.contains("Order #1003 (Water Bottle) is placed")
    );
    let both = english("Return #1002, and where is #1001?");
    assert!(
        both.starts_with("Order #1001") && both.ends_with("\n\nReturn Fisherman Sweater of order #1002?"),
        "{both}"
    );
    assert!(
        english("Has my returned parcel for #1002 arrived?").starts_with("I see no return of order #1002 under way")
    );
    assert!(english("Cancel #1003").ends_with("Write \"person\" and someone of our staff takes over."));
    let (guest, calls) = converse(Language::EN, &[], "I want to return #1002", true);
    assert_eq!(
        (guest.as_str(), calls.len()),
        ("For that I must know who you are. Please sign in first.", 0)
    );
}

#[test]
fn half_a_result_is_told_as_not_found() {
    let message = PromptMessage::Shopper("Where is #1001?".to_owned());
    let call = |tool: &str| ToolCall {
        fault: None,
        id: String::new(),
        tool: tool.to_owned(),
        arguments: "{}".to_owned(),
    };
    let result = |data: Value| PromptMessage::ToolResult {
        call_id: String::new(),
        content: json!({ "data": data }).to_string(),
    };
    let prompt = Prompt {
        model: None,
        summarizes: false,
        is_check: false,
        messages: vec![
            message,
            PromptMessage::Assistant {
                echo: None,
                text: String::new(),
                calls: vec![call("list_orders"), call("get_order")],
            },
            result(json!({ "orders": [{ "number": "#1001" }] })),
            result(json!({ "orders": [] })),
        ],
        language: Language::EN,
        tools: tools(&["return_items"]),
        may_call_tools: true,
        max_output_tokens: 100,
    };
    let Reply::Say(text) = reply(&prompt) else {
        panic!("a call");
    };
    assert_eq!(
        text,
        "I could not find that under your account. Please check the number, and that you are signed in."
    );
}
