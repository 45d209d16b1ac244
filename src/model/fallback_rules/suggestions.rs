//! Button texts that the widget offers below an answer of the fallback rules. They are derived from the answer's text.

use super::{HELP, NOT_UNDERSTOOD, PERSON_OFFERED, render::WHICH_ORDER, return_flow::question_in};
use crate::language::{Language, TextKey};

/// The most orders that are offered.
const MAX_ORDERS: usize = 4;

/// Short texts, each of which is sent as a message when it is pressed; none where an answer leaves nothing open.
pub fn suggestions(answer: &str, language: Language) -> Vec<String> {
    let say = |key: TextKey| key.in_language(language);
    if question_in(answer).is_some() {
        return vec![say(TextKey("fallback-yes")), say(TextKey("fallback-no"))];
    }
    let last = answer.rsplit("\n\n").next().unwrap_or_default();
    let person = say(TextKey("fallback-suggest-person"));
    let mold = WHICH_ORDER.with(language, &[("orders", "\u{1}".into())]);
    if let Some((before, after)) = mold.split_once('\u{1}')
        && let Some(orders) = last.strip_prefix(before).and_then(|rest| rest.strip_suffix(after))
    {
        let number = |order: &str| order.split_once(" (").map(|(number, _)| number.to_owned());
        let ask =
            |number: String| TextKey("fallback-suggest-return-order").with(language, &[("number", number.into())]);
        return orders
            .split("; ")
            .filter_map(number)
            .take(MAX_ORDERS)
            .map(ask)
            .collect();
    }
    let is = |key: TextKey| last == say(key);
    if is(HELP) || is(NOT_UNDERSTOOD) {
        return vec![
            say(TextKey("fallback-suggest-order")),
            say(TextKey("fallback-suggest-return")),
            person,
        ];
    }
    let offers_person = [PERSON_OFFERED, TextKey("fallback-no-change")].into_iter().any(is);
    if offers_person { vec![person] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_open_answer_offers_what_can_be_said_next() {
        let english = |answer: &str| suggestions(answer, Language::EN);
        assert_eq!(english("Return Fisherman Sweater of order #1002?"), ["Yes", "No"]);
        let help = HELP.in_language(Language::EN);
        assert_eq!(
            english(&help),
            ["Where is my order?", "Return something", "Talk to a person"]
        );
        let which = WHICH_ORDER.with(
            Language::EN,
            &[("orders", "#1002 (Fisherman Sweater); W7 (Mug; blue)".into())],
        );
        assert_eq!(english(&which), ["Return order #1002", "Return order W7"]);
        assert_eq!(english("Order #1001 is delivered."), [""; 0]);
    }

    #[test]
    fn the_rules_understand_what_they_offer() {
        use super::super::{human_request::wants_person, intents::intents};
        for language in Language::all() {
            for key in ["fallback-suggest-order", "fallback-suggest-return"] {
                let said = TextKey(key).in_language(language);
                assert_eq!(intents(&said).len(), 1, "{said}");
            }
            assert!(wants_person(&TextKey("fallback-suggest-person").in_language(language)));
            let order = TextKey("fallback-suggest-return-order").with(language, &[("number", "W7000".into())]);
            let intents = intents(&order);
            assert_eq!(intents[0].numbers, ["W7000"], "{order}");
            assert!(
                matches!(intents[0].intent, super::super::intents::Intent::Return),
                "{order}"
            );
        }
    }
}
