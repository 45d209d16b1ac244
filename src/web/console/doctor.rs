//! The page *Doctor*: how the service is, and what is wrong with the installation.

use axum::{Router, response::Response, routing::get};
use serde_json::Value;

use super::{
    Console, Failure, Visitor,
    view::{Cell, Section, Table, list, string, words},
};

pub fn routes() -> Router<Console> {
    Router::new().route("/console/doctor", get(doctor))
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
