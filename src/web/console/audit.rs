//! The page *Audit* shows what was done, by whom, and whether the record is whole.

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Console, Failure, Page, Visitor,
    filters::{amount_of, in_words},
    last_of_full, query, render,
};
use crate::{
    money::{Currency, Money},
    tenancy::audit::AuditEntry,
};

pub fn routes() -> Router<Console> {
    Router::new().route("/console/audit", get(audit))
}

#[derive(Deserialize)]
struct Before {
    #[serde(default)]
    before: String,
}

#[derive(Deserialize)]
struct Audit {
    entries: Vec<AuditEntry>,
}

/// The API's answer about the audit's hash chain.
#[derive(Deserialize)]
struct Chain {
    entries: i64,
    broken_at: Option<i64>,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    page: Page,
    chain: Chain,
    entries: Vec<AuditEntry>,
    older: Option<String>,
    currency: Currency,
}

impl AuditPage {
    fn by(&self, entry: &AuditEntry) -> String {
        match entry.actor_kind.as_str() {
            "machine" => "API key".into(),
            "model" => "Assistant".into(),
            "policy" => "Rule".into(),
            kind => in_words(kind),
        }
    }

    /// What an entry is about. The console calls a proposal a request.
    fn on(&self, entry: &AuditEntry) -> String {
        match entry.target_kind.as_str() {
            "proposal" => "Request".into(),
            kind => in_words(kind),
        }
    }

    /// The page of what an entry is about, if it has one.
    fn link(&self, entry: &AuditEntry) -> Option<String> {
        let id = &entry.target_id;
        match entry.target_kind.as_str() {
            "proposal" => Some(format!("/console/proposals/{id}")),
            "conversation" => Some(format!("/console/conversations/{id}")),
            _ => None,
        }
    }

    fn words(&self, value: &Option<Value>) -> String {
        value.as_ref().map_or_else(String::new, |value| {
            words(value, self.currency, &|at| self.page.when(&at))
        })
    }
}

/// Formats a JSON value of the audit for people. Money becomes an amount, and lists and fields are joined in one line.
fn words(value: &Value, currency: Currency, when: &dyn Fn(DateTime<Utc>) -> String) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.parse().map_or_else(|_| text.clone(), when),
        Value::Array(all) => {
            let all = all.iter().map(|value| words(value, currency, when));
            all.collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) => match Money::deserialize(value) {
            Ok(money) => money.to_string(),
            Err(_) => {
                let fields = fields.iter().filter(|(_, value)| !value.is_null() && *value != "");
                let fields = fields.map(|(name, value)| field(name, value, currency, when));
                fields.collect::<Vec<_>>().join(", ")
            }
        },
    }
}

/// Formats a field of a JSON value. The field's name says whether a number is money, in minor units or in millionths.
fn field(name: &str, value: &Value, currency: Currency, when: &dyn Fn(DateTime<Utc>) -> String) -> String {
    let money = value.as_i64().and_then(|units| {
        let minor = name
            .strip_suffix("_minor")
            .map(|name| (name, Money::new(units, currency).to_string()));
        let micros = || Some((name.strip_suffix("_micros")?, amount_of(units)));
        minor.or_else(micros)
    });
    let (name, value) = money.unwrap_or_else(|| (name, words(value, currency, when)));
    format!("{}: {value}", name.replace('_', " "))
}

async fn audit(visitor: Visitor, Query(page): Query<Before>) -> Result<Response, Failure> {
    const LIMIT: usize = 50;
    let before = query(&[("before", page.before.trim())]);
    let Audit { entries } = visitor.get(&format!("/v1/staff/audit?limit={LIMIT}&{before}")).await?;
    let older = last_of_full(&entries, LIMIT).map(|last| format!("/console/audit?before={}", last.seq));
    Ok(render(&AuditPage {
        page: visitor.page("Audit").await?,
        chain: visitor.get("/v1/staff/audit/chain").await?,
        entries,
        older,
        currency: visitor.currency().await?,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::local_text;

    #[test]
    fn the_record_is_written_in_the_units_of_people() {
        let usd = "USD".parse().expect("a currency");
        let when = |at| local_text(at, "Europe/Berlin");
        let policy = json!({ "mode": "automatic", "automatic_below_minor": 1250, "automatic_per_day": 3, "two_deciders_from_minor": null });
        assert_eq!(
            words(&policy, usd, &when),
            "automatic below: 12.50 USD, automatic per day: 3, mode: automatic"
        );
        assert_eq!(
            words(&json!({ "conversation_micros": 500_000 }), usd, &when),
            "conversation: 0.50"
        );
        assert_eq!(
            words(&json!({ "amount": "28.00", "currency": "USD" }), usd, &when),
            "28.00 USD"
        );
        let rest = json!(["a", true, "2026-12-27T17:16:24.474946Z"]);
        assert_eq!(words(&rest, usd, &when), "a; yes; 2026-12-27 18:16 (Europe/Berlin)");
    }
}
