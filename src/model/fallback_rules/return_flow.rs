//! A return, which the rules never propose of themselves: they ask back, naming the goods and the order, and propose after a yes that
//! follows that question directly. What was asked is read from the question itself, because a conversation keeps nothing else; it is
//! compared with the order as it is by then, so that no other text can stand in for it.

use serde_json::{Value, json};

use super::{
    clauses::read,
    intents::singular,
    render::{list, text},
    vocabulary::{NO, NO_FILLERS, NO_PHRASES, YES, YES_FILLERS, YES_PHRASES},
};
use crate::{
    language::{Language, TextKey},
    store::order_number,
};

const QUESTION: TextKey = TextKey("fallback-return-question");
/// The most units of one proposal.
const MAX_UNITS: u64 = 50;
/// The only order status in which goods can be returned.
/// The statuses of an order whose goods may come back. Not every carrier says that they arrived.
const SENT: [&str; 2] = ["delivered", "shipped"];

/// The rules' question back, as it stands at the end of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub number: String,
    goods: String,
}

/// What a shopper answers a question with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
}

/// The question that an answer ends with; none where it ends with anything else.
pub(super) fn question_in(answer: &str) -> Option<Question> {
    let last = answer.rsplit("\n\n").next()?;
    Language::all().find_map(|language| {
        let mold = QUESTION.with(language, &[("goods", "\u{1}".into()), ("number", "\u{2}".into())]);
        let (before, rest) = mold.split_once('\u{1}')?;
        let (between, after) = rest.split_once('\u{2}')?;
        let inside = last.strip_prefix(before)?.strip_suffix(after)?;
        let (goods, number) = inside.rsplit_once(between)?;
        Some(Question {
            number: number.to_owned(),
            goods: goods.to_owned(),
        })
    })
}

/// Whether a message is a plain yes or no and nothing besides. A yes that names another order than the question is none.
pub(super) fn answer_to(question: Option<&Question>, message: &str) -> Option<Answer> {
    let message = read(message);
    let words: Vec<&str> = message
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '#' | '-'))
        .filter(|word| !word.is_empty())
        .collect();
    let whole = words.join(" ");
    let is_number = |word: &str| question.is_some_and(|it| order_number::fold(&it.number) == order_number::fold(word));
    let is = |core: &[&str], fillers: &[&str], phrases: &[&str]| {
        let fits = |word: &&str| core.contains(word) || fillers.contains(word) || is_number(word);
        phrases.contains(&whole.as_str())
            || words.first().is_some_and(|first| core.contains(first)) && words.iter().all(fits)
    };
    if is(&YES, &YES_FILLERS, &YES_PHRASES) || message.trim() == "👍" {
        Some(Answer::Yes)
    } else if is(&NO, &NO_FILLERS, &NO_PHRASES) || message.trim() == "👎" {
        Some(Answer::No)
    } else {
        None
    }
}

/// Why an order's goods cannot be returned by the rules, or the question back.
pub(super) fn ask_back(order: &Value, message: &str, language: Language) -> String {
    let number = text(order, "number");
    let lines: Vec<&Value> = wanted(order, message);
    if !SENT.contains(&text(order, "status")) {
        let status = super::render::status(order, language);
        let values = [("number", number.into()), ("status", status.into())];
        return TextKey("fallback-return-not-delivered").with(language, &values);
    }
    if lines.is_empty() || units(&lines) > MAX_UNITS || method(order).is_none() {
        return TextKey("fallback-return-by-person").with(language, &[("number", number.into())]);
    }
    let values = [("goods", goods(&lines).into()), ("number", number.into())];
    QUESTION.with(language, &values)
}

/// The call that proposes what the question asked; none where the order is not what it was then.
pub(super) fn propose(question: &Question, order: &Value) -> Option<(&'static str, Value)> {
    let lines = asked(question, order)?;
    let is_same = SENT.contains(&text(order, "status")) && text(order, "number") == question.number;
    if !is_same || units(&lines) > MAX_UNITS {
        return None;
    }
    let items: Vec<&str> = lines
        .iter()
        .flat_map(|line| std::iter::repeat_n(text(line, "item_id"), quantity(line) as usize))
        .collect();
    let arguments = json!({ "order_number": question.number, "item_ids": items, "payment_method_id": method(order)? });
    Some(("return_items", arguments))
}

/// The lines that the question names, each of them whole.
fn asked<'a>(question: &Question, order: &'a Value) -> Option<Vec<&'a Value>> {
    named_in(&question.goods, list(order, "lines"))
}

/// The lines, in their order, whose names put together are `goods`. A name may begin with another one and hold the comma that parts them,
/// as `Mug` and `Mug, set of two`: then what is left over decides which it is.
fn named_in<'a>(goods: &str, lines: &'a [Value]) -> Option<Vec<&'a Value>> {
    lines.iter().enumerate().find_map(|(at, line)| {
        let behind = goods.strip_prefix(&piece(line)[..])?;
        let mut found = vec![line];
        if !behind.is_empty() {
            found.extend(named_in(behind.strip_prefix(", ")?, &lines[at + 1..])?);
        }
        Some(found)
    })
}

/// The lines that a message names, or all where it names none of them.
fn wanted<'a>(order: &'a Value, message: &str) -> Vec<&'a Value> {
    let lines = list(order, "lines");
    let named: Vec<&Value> = lines.iter().filter(|line| names(message, text(line, "name"))).collect();
    if named.is_empty() {
        lines.iter().collect()
    } else {
        named
    }
}

/// Whether a message holds a word of a product's name.
pub(super) fn names(message: &str, product: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        read(text)
            .split(|c: char| !c.is_alphanumeric())
            .map(|word| singular(word).to_owned())
            .filter(|word| word.chars().count() >= 3)
            .collect()
    };
    let said = words(message);
    words(product).iter().any(|word| said.contains(word))
}

fn goods(lines: &[&Value]) -> String {
    lines.iter().map(|line| piece(line)).collect::<Vec<_>>().join(", ")
}

fn piece(line: &Value) -> String {
    match quantity(line) {
        1 => text(line, "name").to_owned(),
        units => format!("{units} × {}", text(line, "name")),
    }
}

fn quantity(line: &Value) -> u64 {
    line["quantity"].as_u64().unwrap_or(1)
}

fn units(lines: &[&Value]) -> u64 {
    lines.iter().map(|line| quantity(line)).sum()
}

/// Where the refund goes: back to where the order was paid from.
fn method(order: &Value) -> Option<&str> {
    list(order, "payments")
        .iter()
        .find(|payment| text(payment, "kind") != "refund")
        .map(|payment| text(payment, "payment_method_id"))
        .filter(|method| !method.is_empty())
}

/// The delivered orders that a message without a number may mean: those with goods that it names, else all.
pub(super) fn candidates<'a>(orders: &'a [Value], message: &str) -> Vec<&'a Value> {
    let has_named = |order: &&Value| {
        list(order, "items")
            .iter()
            .filter_map(Value::as_str)
            .any(|item| names(message, item))
    };
    let named: Vec<&Value> = orders.iter().filter(has_named).collect();
    if named.is_empty() {
        orders
            .iter()
            .filter(|order| SENT.contains(&text(order, "status")))
            .collect()
    } else {
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Value {
        json!({ "number": "#1002", "status": "delivered", "total": { "amount": "154.90", "currency": "USD" },
            "lines": [
                { "item_id": "sweater-navy-m", "name": "Fisherman Sweater", "quantity": 1 },
                { "item_id": "mug-blue", "name": "Mug", "quantity": 2 },
                { "item_id": "mug-set", "name": "Mug, set of two", "quantity": 2 }],
            "payments": [{ "kind": "payment", "payment_method_id": "card-mia" }] })
    }

    #[test]
    fn the_question_names_goods_and_order_and_is_read_back_in_each_language() {
        for language in Language::all() {
            for (message, items) in [
                ("return #1002", 5),
                ("return the sweater of #1002", 1),
                ("return the mugs of #1002", 4),
                ("return the set", 2),
            ] {
                let asked = ask_back(&order(), message, language);
                let answer = format!("A note before.\n\n{asked}");
                let question = question_in(&answer).unwrap_or_else(|| panic!("{asked}"));
                assert_eq!(question.number, "#1002");
                let (tool, arguments) = propose(&question, &order()).expect("a proposal");
                assert_eq!(
                    (tool, list(&arguments, "item_ids").len()),
                    ("return_items", items),
                    "{asked}"
                );
                assert_eq!(arguments["payment_method_id"], "card-mia");
            }
        }
        let english = ask_back(&order(), "return the sweater", Language::EN);
        assert_eq!(english, "Return Fisherman Sweater of order #1002?");
    }

    #[test]
    fn nothing_is_proposed_when_the_order_is_not_what_was_asked_about() {
        let question = question_in(&ask_back(&order(), "return it", Language::EN)).expect("a question");
        let mut other = order();
        other["lines"][0]["name"] = json!("Storm Lantern");
        assert_eq!(propose(&question, &other), None);
        let mut other = order();
        other["status"] = json!("return_requested");
        assert_eq!(propose(&question, &other), None);
        assert!(question_in("Return it?").is_none());
        assert!(question_in(&ask_back(&other, "return it", Language::EN)).is_none());
    }

    #[test]
    fn a_plain_yes_is_told_from_whatever_else_begins_with_one() {
        let question = question_in("Return Fisherman Sweater of order #1002?");
        let asked = question.as_ref();
        for yes in [
            "yes",
            "Yes!",
            "yes please",
            "Ja, bitte.",
            "ok",
            "Sure, go ahead",
            "yes, return it",
            "Yes, return #1002",
            "JA",
            "👍",
            "do it",
        ] {
            assert_eq!(answer_to(asked, yes), Some(Answer::Yes), "{yes}");
        }
        for no in [
            "no",
            "No thanks",
            "nein",
            "Nein danke",
            "lieber nicht",
            "never mind",
            "do not",
        ] {
            assert_eq!(answer_to(asked, no), Some(Answer::No), "{no}");
        }
        for other in [
            "yes but where is it?",
            "yes, return #1001",
            "ja aber nicht den Becher",
            "yesterday",
            "is it?",
            "",
            "not yes",
            "yes no",
        ] {
            assert_eq!(answer_to(asked, other), None, "{other}");
        }
    }
}
