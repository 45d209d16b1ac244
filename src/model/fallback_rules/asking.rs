//! Which tool answers a question, by the words in it. English and German words stand side by side: none means something else in
//! the other language.

use serde_json::json;

use super::{HELP, Reply};

const RETURN: [&str; 8] = [
    "return",
    "send back",
    "give back",
    "zurückgeben",
    "zurücksenden",
    "zurückschicken",
    "rücksendung",
    "rückgabe",
];
const PERSON: [&str; 8] = [
    "person",
    "human",
    "agent",
    "staff",
    "mensch",
    "menschen",
    "mitarbeiter",
    "mitarbeiterin",
];
const REFUND: [&str; 6] = [
    "refund",
    "money back",
    "paid back",
    "erstattung",
    "erstattet",
    "geld zurück",
];
const ORDERS: [&str; 10] = [
    "order",
    "parcel",
    "package",
    "delivery",
    "refund",
    "bestellung",
    "bestellt",
    "paket",
    "lieferung",
    "erstattung",
];
const PROFILE: [&str; 14] = [
    "my profile",
    "my address",
    "my e-mail",
    "my email",
    "my payment",
    "gift card",
    "my account",
    "mein profil",
    "meine adresse",
    "meine e-mail",
    "meine daten",
    "meine zahlung",
    "mein konto",
    "geschenkkarte",
];
/// How a question about the way things are done here begins.
const QUESTIONS: [&str; 16] = [
    "how ",
    "what ",
    "when ",
    "can i ",
    "may i ",
    "do you ",
    "is it ",
    "which ",
    "wie ",
    "was ",
    "wann ",
    "kann ich ",
    "darf ich ",
    "muss ich ",
    "ist es ",
    "welche",
];
/// What comes before goods.
const GOODS: [&str; 18] = [
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
    "haben sie",
    "verkaufen sie",
    "ich suche",
    "suchen nach",
    "was kostet",
    "was kosten",
    "preis von",
    "zeigen sie mir",
];
const FILLERS: [&str; 26] = [
    "a",
    "an",
    "the",
    "any",
    "some",
    "in",
    "stock",
    "please",
    "your",
    "for",
    "me",
    "ein",
    "eine",
    "einen",
    "der",
    "die",
    "das",
    "den",
    "auf",
    "lager",
    "im",
    "sortiment",
    "bitte",
    "ihre",
    "mir",
    "noch",
];

pub fn wants_return(question: &str) -> bool {
    let question = question.to_lowercase();
    RETURN.iter().any(|words| question.contains(words))
}

/// The tool that answers a question.
pub fn ask(question: &str) -> Reply {
    let words = question.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if words
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| PERSON.contains(&word))
    {
        return Reply::Call("hand_off", json!({ "summary": "Asked for a person." }));
    }
    match order_number(question) {
        Some(number) if has(&REFUND) => Reply::Call("get_refund_status", json!({ "order_number": number })),
        Some(number) => Reply::Call("get_order", json!({ "order_number": number })),
        None if has(&ORDERS) => Reply::Call("list_orders", json!({})),
        None if has(&PROFILE) => Reply::Call("get_profile", json!({})),
        None => match subject(&words) {
            Some(subject) => Reply::Call("search_products", json!({ "query": subject })),
            None if is_question(&words) => Reply::Call("search_help", json!({ "query": short(question) })),
            None => Reply::Say(HELP.everywhere()),
        },
    }
}

/// A question about how things are done here.
fn is_question(words: &str) -> bool {
    QUESTIONS.iter().any(|opening| words.starts_with(opening)) && words.ends_with('?')
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

/// What a question about goods is about: the words after "do you have", "price of" and the like, without the ending of a plural.
fn subject(words: &str) -> Option<String> {
    let rest = GOODS
        .iter()
        .find_map(|opening| words.split_once(opening))
        .map(|(_, rest)| rest)?;
    let words: Vec<&str> = rest
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .filter(|word| !word.is_empty() && !FILLERS.contains(word))
        .map(singular)
        .take(5)
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Roughly: the shop's search finds parts of words.
fn singular(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(one) => one,
        None if word.len() > 5 && word.ends_with("en") => &word[..word.len() - 1],
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn call(question: &str) -> String {
        match ask(question) {
            Reply::Call(tool, arguments) => format!("{tool} {arguments}"),
            Reply::Say(text) => text.in_language(Language::EN).to_owned(),
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
        assert_eq!(call("tell me a joke"), HELP.in_language(Language::EN));
    }

    #[test]
    fn common_questions_in_german_find_their_tool() {
        assert_eq!(
            call("Wo ist meine Bestellung #1001?"),
            r##"get_order {"order_number":"#1001"}"##
        );
        assert_eq!(
            call("Wurde mir #1002 erstattet?"),
            r##"get_refund_status {"order_number":"#1002"}"##
        );
        assert_eq!(call("Was habe ich bestellt?"), "list_orders {}");
        assert_eq!(
            call("Haben Sie noch Laternen auf Lager?"),
            r#"search_products {"query":"laterne"}"#
        );
        assert_eq!(call("Wie lautet meine Adresse?"), "get_profile {}");
        assert_eq!(
            call("Wie lange darf ich etwas zurückgeben?"),
            r#"search_help {"query":"Wie lange darf ich etwas zurückgeben?"}"#
        );
        assert_eq!(
            call("Ich möchte mit einem Menschen sprechen."),
            r#"hand_off {"summary":"Asked for a person."}"#
        );
        assert!(wants_return("Ich möchte #1002 zurücksenden"));
    }
}
