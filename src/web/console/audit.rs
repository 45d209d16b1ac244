//! The page *Audit*: what was done, and whether the chain is whole.

use axum::{Router, extract::Query, response::Response, routing::get};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Console, Failure, Visitor, query,
    view::{Cell, Section, Table, list, string, when, words},
};

pub fn routes() -> Router<Console> {
    Router::new().route("/console/audit", get(audit))
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
