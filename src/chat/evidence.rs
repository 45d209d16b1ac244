//! The evidence that something was done: this server's notes on proposals, and the results of tools.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::{folding::Folded, links};
use crate::{
    language::{Language, TextKey},
    model::ToolCall,
};

/// The notes that tell of something done or approved. The first whose beginning matches counts.
const NOTES: [(TextKey, Progress); 10] = [
    (TextKey("request-done"), Progress::Paid),
    (TextKey("request-done-coupon"), Progress::Paid),
    (TextKey("coupon-ready"), Progress::Paid),
    (TextKey("request-coupon-follows"), Progress::Approved),
    (TextKey("request-done-except-refund"), Progress::Changed),
    (TextKey("refund-paid"), Progress::Paid),
    (TextKey("refund-requested"), Progress::Approved),
    (TextKey("request-approved"), Progress::Approved),
    (TextKey("request-staff-collects"), Progress::Approved),
    (TextKey("request-charging"), Progress::Approved),
];
/// The note that tells of a refund, whatever the plan was about.
const PAID: TextKey = TextKey("refund-paid");

/// How a note begins in one of the languages, folded: its text up to the name of the plan.
struct Opening {
    text: String,
    message: TextKey,
    progress: Progress,
}

static OPENINGS: LazyLock<Vec<Opening>> = LazyLock::new(|| {
    let opening = |(message, progress): (TextKey, Progress), language| {
        let whole = message.with(language, &[("plan", PLAN.into()), ("amount", "".into())]);
        let text = Folded::of(whole.split(PLAN).next().unwrap_or_default()).text;
        Opening {
            text: text.trim().to_owned(),
            message,
            progress,
        }
    };
    let all = NOTES
        .into_iter()
        .flat_map(|note| Language::all().map(move |language| opening(note, language)));
    all.collect()
});
/// Stands in for the name of the plan.
const PLAN: &str = "\u{1}";

/// How many leading bytes of the model's words are searched for in a refusal.
const REPEATED: usize = 12;

/// Every text in `value`, and every name of a field.
fn collect_words<'a>(value: &'a Value, words: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => words.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect_words(value, words)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            words.push(name);
            collect_words(value, words);
        }),
        _ => {}
    }
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    Approved,
    /// The change is made; money that is paid out for it has not been paid yet.
    Changed,
    /// Everything is done.
    Paid,
}

/// Something that this server did or approved.
pub(super) struct CompletedAction {
    /// The text, folded: `refund 10.00 usd of order #1001.`
    pub text: String,
    pub progress: Progress,
    pub numbers: Vec<String>,
}

/// An order as a tool read it.
pub(super) struct SeenOrder {
    pub number: Option<String>,
    pub status: String,
    pub is_refunded: bool,
}

/// Everything that tools and this server said in a conversation, parsed once when it is added.
#[derive(Default)]
pub(super) struct Evidence {
    pub completed_actions: Vec<CompletedAction>,
    pub orders: Vec<SeenOrder>,
    /// The hosts of the links in the texts.
    pub hosts: HashSet<String>,
    text: String,
}

impl Evidence {
    /// Adds a tool's result, or a note of this server.
    pub fn add(&mut self, text: &str) {
        self.hosts.extend(links::hosts_in(text));
        let folded = Folded::of(text).text;
        match serde_json::from_str::<Value>(text) {
            Ok(result) => {
                let known = self.orders.len();
                self.add_result(&result);
                if self.orders.len() == known {
                    self.add_order(&result, None);
                }
            }
            Err(_) => text.lines().for_each(|line| self.add_note(&Folded::of(line).text)),
        }
        self.text.push_str(&folded);
        self.text.push('\n');
    }

    /// Adds how far the proposals have come that a write tool's result tells of.
    pub fn add_progress(&mut self, text: &str) {
        if let Ok(result) = serde_json::from_str::<Value>(text) {
            self.add_result(&result);
        }
    }

    /// Adds a refusal's reason, unless it repeats the call's arguments. The reason supports only a sentence that is identical to it, and no
    /// link.
    pub fn add_refusal(&mut self, text: &str, call: &ToolCall) {
        let refusal: Value = serde_json::from_str(text).unwrap_or_default();
        let reason = Folded::of(refusal["error"]["message"].as_str().unwrap_or_default()).text;
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let mut words = vec![call.tool.as_str()];
        collect_words(&arguments, &mut words);
        let is_repeated = |words: &str| {
            let folded = Folded::of(words).text;
            // A repeated text may be cut; an order number or a name of one word is no sentence.
            let beginning = &folded[..folded.floor_char_boundary(REPEATED)];
            beginning.contains([' ', '.', '/', ':', '@']) && reason.contains(beginning)
        };
        if !words.into_iter().any(is_repeated) {
            self.text.push_str(&Folded::of(text).text);
            self.text.push('\n');
        }
    }

    /// Whether nothing in the conversation was done, and no order was seen that was refunded, cancelled, changed or is being returned.
    pub fn is_empty(&self) -> bool {
        let is_touched = |order: &SeenOrder| {
            let statuses = [
                "cancelled",
                "return_requested",
                "exchange_requested",
                "pending_items_modified",
            ];
            order.is_refunded || statuses.contains(&&*order.status)
        };
        self.completed_actions.is_empty() && !self.orders.iter().any(is_touched)
    }

    /// Whether a folded sentence occurs word for word in the texts.
    pub fn holds(&self, sentence: &str) -> bool {
        self.text.contains(sentence.trim())
    }

    fn add_note(&mut self, line: &str) {
        let line = line.trim();
        if let Some(opening) = OPENINGS.iter().find(|opening| line.starts_with(&opening.text)) {
            let about = line[opening.text.len()..].trim();
            self.add_completed_action(about, opening.progress);
            if opening.message == PAID {
                self.add_completed_action(&format!("refund {about}"), opening.progress);
            }
        }
    }

    fn add_completed_action(&mut self, text: &str, progress: Progress) {
        self.completed_actions.push(CompletedAction {
            text: text.trim().to_owned(),
            progress,
            numbers: numbers(text),
        });
    }

    fn add_result(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.add_result(value)),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                // The result of a write tool is about a proposal. Most proposals wait for a decision: those are no evidence.
                let progress = match (text("state"), text("payout")) {
                    (Some("approved" | "executing"), _) => Some(Progress::Approved),
                    (Some("executed"), None | Some("paid")) => Some(Progress::Paid),
                    (Some("executed"), _) => Some(Progress::Changed),
                    _ => None,
                };
                if let (Some(_), Some(progress), Some(summary)) = (text("proposal_id"), progress, text("summary")) {
                    self.add_completed_action(&Folded::of(summary).text, progress);
                }
                if let Some(number) = text("number").or_else(|| text("order_number")) {
                    self.add_order(value, Some(number));
                }
                fields.values().for_each(|value| self.add_result(value));
            }
            _ => {}
        }
    }

    fn add_order(&mut self, order: &Value, number: Option<&str>) {
        let payments = ["payments", "refunds"].iter().filter_map(|list| order[list].as_array());
        let status = order["status"].as_str().or_else(|| order["order_status"].as_str());
        self.orders.push(SeenOrder {
            number: number.map(|number| Folded::of(number).text.trim_start_matches('#').to_owned()),
            status: status.unwrap_or_default().to_lowercase(),
            is_refunded: payments
                .flatten()
                .any(|payment| payment["kind"] == "refund" && payment["pending"] != true),
        });
    }
}

/// The order numbers that a folded text names.
pub(super) fn numbers(text: &str) -> Vec<String> {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"#\s?([a-z0-9][a-z0-9-]*)|(?:orders?|bestellung(?:en)?|auftrag)(?:\s(?:no|nr|number|nummer))?[.:]?\s([a-z]{0,4}-?[0-9]{3,}[a-z0-9-]*)").ok()
    });
    let Some(number) = NUMBER.as_ref() else {
        // No order has such a number, so no evidence will match it.
        return vec![text.to_owned()];
    };
    let found = number.captures_iter(text);
    found
        .filter_map(|found| found.get(1).or_else(|| found.get(2)))
        .map(|number| number.as_str().trim_end_matches('-').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_named_by_their_numbers() {
        for (text, named) in [
            ("orders #1001 and #w2611340.", &["1001", "w2611340"][..]),
            ("order no. 2002 is cancelled", &["2002"]),
            ("bestellung so-4711: 3 artikel", &["so-4711"]),
            ("in order 2 items cost 12.50 usd", &[]),
        ] {
            assert_eq!(numbers(text), named, "{text}");
        }
    }

    #[test]
    fn a_proposal_that_waits_is_no_deed() {
        let mut evidence = Evidence::default();
        evidence.add(r##"{"data":{"proposal_id":"x","state":"pending","summary":"Refund 5.00 USD on order #1001."}}"##);
        evidence.add("Your request was not approved: Done: refund #1001.");
        assert!(evidence.completed_actions.is_empty());
        evidence
            .add(r##"{"data":{"proposal_id":"x","state":"approved","summary":"Refund 5.00 USD on order #1001."}}"##);
        evidence.add("Erledigt: Bestellung #1003 stornieren.");
        evidence.add("Done, except for the refund, which has not been paid yet. You are told here when it is: Cancel order #1004 and refund 2.00 USD to card.");
        let told: Vec<_> = evidence
            .completed_actions
            .iter()
            .map(|action| (&action.numbers[0][..], action.progress))
            .collect();
        assert_eq!(
            told,
            [
                ("1001", Progress::Approved),
                ("1003", Progress::Paid),
                ("1004", Progress::Changed)
            ]
        );
    }
}
