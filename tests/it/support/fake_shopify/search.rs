//! Shopify's search syntax: what the `query` of a list means. As in the real API, a term that the fake does not know filters nothing.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Filter {
    terms: Vec<Term>,
    /// Terms that nothing is known of. Shopify warns of them in `extensions.search`.
    pub unknown: Vec<String>,
}

#[derive(Debug)]
struct Term {
    field: String,
    comparison: Comparison,
    value: String,
    /// The value of a term of time.
    seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Is,
    From,
    After,
    To,
    Before,
}

const KNOWN: [&str; 12] = [
    "updated_at",
    "created_at",
    "processed_at",
    "name",
    "email",
    "phone",
    "id",
    "title",
    "sku",
    "status",
    "tag",
    "customer_id",
];

impl Filter {
    pub(super) fn changed_since(seconds: i64) -> Self {
        let time = DateTime::from_timestamp(seconds, 0).expect("a time").to_rfc3339();
        Self::parse(&format!("updated_at:>='{time}'"))
    }

    pub(super) fn parse(query: &str) -> Self {
        let mut filter = Self::default();
        for term in words(query)
            .into_iter()
            .filter(|word| !matches!(word.as_str(), "AND" | ""))
        {
            let Some((field, rest)) = term.split_once(':').filter(|(field, _)| KNOWN.contains(field)) else {
                filter.unknown.push(term);
                continue;
            };
            let signs = [
                (">=", Comparison::From),
                (">", Comparison::After),
                ("<=", Comparison::To),
                ("<", Comparison::Before),
            ];
            let found = signs
                .into_iter()
                .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)));
            let (comparison, value) = found.unwrap_or((Comparison::Is, rest));
            filter.terms.push(Term {
                field: field.to_owned(),
                comparison,
                value: value.to_owned(),
                seconds: if field.ends_with("_at") { seconds(value) } else { 0 },
            });
        }
        filter
    }

    /// Whether more than the times must be looked at.
    pub(super) fn needs_fields(&self) -> bool {
        self.terms.iter().any(|term| !term.is_time())
    }

    /// Whether fields must be looked at that a sketch of a generated object does not have.
    pub(super) fn needs_all_fields(&self) -> bool {
        let sketched = ["id", "name", "email", "customer_id"];
        self.terms
            .iter()
            .any(|term| !term.is_time() && !sketched.contains(&term.field.as_str()))
    }

    pub(super) fn takes_times(&self, created: i64, updated: i64) -> bool {
        self.terms.iter().filter(|term| term.is_time()).all(|term| {
            let time = if term.field == "updated_at" { updated } else { created };
            let wanted = term.seconds;
            match term.comparison {
                Comparison::Is => time == wanted,
                Comparison::From => time >= wanted,
                Comparison::After => time > wanted,
                Comparison::To => time <= wanted,
                Comparison::Before => time < wanted,
            }
        })
    }

    pub(super) fn takes(&self, object: &Value) -> bool {
        self.terms
            .iter()
            .filter(|term| !term.is_time())
            .all(|term| term.takes(object))
    }
}

impl Term {
    fn is_time(&self) -> bool {
        self.field.ends_with("_at")
    }

    fn takes(&self, object: &Value) -> bool {
        let same = |value: &Value, wanted: &str| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted));
        let value = self.value.as_str();
        match self.field.as_str() {
            "name" => same(&object["name"], value) || same(&object["name"], &format!("#{value}")),
            "id" | "customer_id" => {
                let field = if self.field == "id" { "id" } else { "customer" };
                let id = object[field].as_str().and_then(|id| id.rsplit('/').next());
                let wanted = value.rsplit('/').next();
                match (
                    self.comparison,
                    id.and_then(|id| id.parse::<u64>().ok()),
                    wanted.and_then(|id| id.parse().ok()),
                ) {
                    (Comparison::Is, id, wanted) => id == wanted,
                    (comparison, Some(id), Some(wanted)) => match comparison {
                        Comparison::From => id >= wanted,
                        Comparison::After => id > wanted,
                        Comparison::To => id <= wanted,
                        _ => id < wanted,
                    },
                    _ => false,
                }
            }
            "status" => match value {
                "any" => true,
                "open" => object["closedAt"].is_null() && object["cancelledAt"].is_null(),
                "closed" => !object["closedAt"].is_null(),
                "cancelled" => !object["cancelledAt"].is_null(),
                _ => same(&object["status"], value),
            },
            "tag" => object["tags"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|tag| same(tag, value)),
            field => same(&object[field], value),
        }
    }
}

/// Seconds of a time; a day is its beginning.
fn seconds(text: &str) -> i64 {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp());
    let day = || {
        let day = text.parse::<NaiveDate>().expect("a time or a day");
        day.and_hms_opt(0, 0, 0).expect("midnight").and_utc().timestamp()
    };
    time.unwrap_or_else(|_| day())
}

/// The words of a text. A quotation may contain spaces, and loses its marks.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(mark) if c == mark => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().expect("one").push(c),
        }
    }
    words
}
