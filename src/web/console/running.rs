//! How it runs: what was spent, what was done, what is wrong.

use axum::{Router, extract::Query, response::Response, routing::get};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Console, Failure, Visitor,
    drawing::Chart,
    query,
    view::{Cell, Section, Table, list, string, when, words},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/usage", get(usage))
        .route("/console/audit", get(audit))
        .route("/console/doctor", get(doctor))
}

/// Millionths as an amount.
fn spent(micros: i64) -> String {
    format!("{:.2}", micros as f64 / 1e6)
}

async fn usage(visitor: Visitor) -> Result<Response, Failure> {
    let mut sections = Vec::new();
    for (by, caption) in [
        ("day", "By day, last thirty"),
        ("model", "By model"),
        ("tool", "By tool"),
        ("shopper", "By shopper"),
    ] {
        let found: Value = visitor.get(&format!("/v1/staff/usage?by={by}")).await?;
        let mut rows: Vec<&Value> = list(&found, "usage").iter().collect();
        if by == "day" {
            rows.sort_by_key(|row| std::cmp::Reverse(string(row, "key")));
        }
        let number = |row: &Value, field: &str| row[field].as_i64().unwrap_or_default();
        let most = rows
            .iter()
            .map(|row| number(row, "spent_micros"))
            .max()
            .unwrap_or(0)
            .max(1);
        let share = |row: &Value| (number(row, "spent_micros") * 100 / most) as u32;
        if by == "day" && !rows.is_empty() {
            let column = |row: &&Value| (string(row, "key"), share(row), spent(number(row, "spent_micros")));
            sections.push(Section::Chart(Chart {
                caption: "Spent by day",
                columns: rows.iter().take(30).rev().map(column).collect(),
            }));
        }
        let row = |row: &&Value| {
            let money = number(row, "spent_micros");
            vec![
                Cell::text(string(row, "key")),
                Cell::Bar {
                    share: share(row),
                    text: spent(money),
                },
                Cell::text(number(row, "calls")),
                Cell::text(number(row, "input_tokens") + number(row, "output_tokens")),
            ]
        };
        sections.push(Section::Table(Table {
            caption,
            head: vec!["What", "Spent", "Answers", "Tokens"],
            rows: rows.iter().take(30).map(row).collect(),
            empty: "Nothing was spent yet.",
        }));
    }
    visitor.page("Usage and spend", sections).await
}

#[derive(Deserialize)]
struct Before {
    #[serde(default)]
    before: String,
}

async fn audit(visitor: Visitor, Query(page): Query<Before>) -> Result<Response, Failure> {
    let query = query(&[("limit", "50"), ("before", &page.before)]);
    let found: Value = visitor.get(&format!("/v1/staff/audit?{query}")).await?;
    let chain: Value = visitor.get("/v1/staff/audit/chain").await?;
    let state = match chain["broken_at"].as_i64() {
        None => Section::note(
            "good",
            format!(
                "The chain is whole: {} entries, each bound to the one before it.",
                chain["entries"]
            ),
        ),
        Some(at) => Section::note(
            "bad",
            format!("The chain is BROKEN at entry {at}: somebody changed the record."),
        ),
    };
    let entries = list(&found, "entries");
    let row = |entry: &Value| {
        vec![
            Cell::text(entry["seq"].as_i64().unwrap_or_default()),
            Cell::text(when(&entry["at"])),
            Cell::text(string(entry, "actor_kind")),
            Cell::text(string(entry, "action")),
            Cell::text(format!(
                "{} {}",
                string(entry, "target_kind"),
                string(entry, "target_id")
            )),
            Cell::text(words(&entry["before"])),
            Cell::text(words(&entry["after"])),
        ]
    };
    let table = Table {
        caption: "What was done, newest first",
        head: vec!["No.", "When", "By", "What", "To what", "Before", "After"],
        rows: entries.iter().map(row).collect(),
        empty: "Nothing was done yet.",
    };
    let older = entries.last().filter(|_| entries.len() == 50);
    let links = older.map(|last| vec![(format!("/console/audit?before={}", last["seq"]), "Older".to_owned())]);
    visitor
        .page(
            "Audit",
            vec![state, Section::Table(table), Section::Links(links.unwrap_or_default())],
        )
        .await
}

async fn doctor(visitor: Visitor) -> Result<Response, Failure> {
    let status: Value = visitor.get("/v1/staff/status").await?;
    let fields = status.as_object().into_iter().flatten();
    let parts = fields
        .map(|(part, state)| vec![Cell::text(part.replace('_', " ")), Cell::text(words(state))])
        .collect();
    let mut sections = vec![Section::Table(Table {
        caption: "Right now",
        head: vec!["Part", "State"],
        rows: parts,
        empty: "",
    })];
    match visitor.get::<Value>("/v1/staff/doctor").await {
        Ok(found) => {
            let row = |finding: &Value| {
                let tone = match finding["level"].as_str() {
                    Some("green") => "good",
                    Some("red") => "bad",
                    _ => "warn",
                };
                let publish = finding["publish"].as_str().map(|record| format!(" Publish: {record}"));
                let text = format!("{}{}", string(finding, "finding"), publish.unwrap_or_default());
                vec![Cell::tone(tone, string(finding, "level")), Cell::text(string(finding, "check")), Cell::text(text)]
            };
            sections.push(Section::Table(Table {
                caption: "What the doctor finds of this installation",
                head: vec!["", "Check", "Finding, and what to do"],
                rows: list(&found, "findings").iter().map(row).collect(),
                empty: "Nothing.",
            }));
        }
        Err(failure) if matches!(failure.refusal.status, 403 | 404) => sections.push(Section::note(
            "plain",
            "What the doctor finds is shown to admins of the store that OPERATOR_STORE names; `countersign doctor` says the same.",
        )),
        Err(failure) => return Err(failure),
    }
    visitor.page("Doctor", sections).await
}
