//! The page *Incoming events*: what other systems have told, without what they said; staff can try an event again.

use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde_json::Value;

use super::{
    Console, Failure, Visitor, done,
    paging::{Filter, links, tone},
    query,
    view::{Act, Cell, Section, Table, list, string, when},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/incoming", get(incoming))
        .route("/console/incoming/{id}/retry", post(retry))
}

async fn incoming(visitor: Visitor, Query(page): Query<Filter>) -> Result<Response, Failure> {
    let query = query(&[("limit", "50"), ("before", &page.before), ("state", &page.state)]);
    let found: Value = visitor.get(&format!("/v1/staff/incoming?{query}")).await?;
    let events = list(&found, "events");
    let row = |event: &Value| {
        let (state, topic) = (string(event, "state"), string(event, "topic"));
        let again = Act {
            to: format!("/console/incoming/{}/retry", string(event, "id")),
            label: "Try again",
            about: topic.clone(),
            fields: vec![],
            calls: ("POST", "/v1/staff/incoming/{id}/retry"),
        };
        vec![
            Cell::text(when(&event["received_at"])),
            Cell::text(string(event, "source")),
            Cell::text(topic),
            Cell::tone(tone(&state), &state),
            Cell::text(event["attempts"].as_i64().unwrap_or_default()),
            Cell::text(string(event, "last_error")),
            Cell::Acts(if state == "dead" { vec![again] } else { vec![] }),
        ]
    };
    let table = Table {
        caption: "What other systems have told, newest first; what they said is not shown",
        head: vec!["Came", "From", "What", "State", "Tries", "Last fault", "Do"],
        rows: events.iter().map(row).collect(),
        empty: "Nothing.",
    };
    let views = [
        ("", "All"),
        ("?state=dead", "Given up"),
        ("?state=queued", "Waiting"),
        ("?state=ignored", "Ignored"),
    ];
    let links = links("/console/incoming", &views, &page, events);
    visitor
        .page("Incoming events", vec![Section::Links(links), Section::Table(table)])
        .await
}

async fn retry(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .post(&format!("/v1/staff/incoming/{id}/retry"), Value::Null)
        .await?;
    Ok(done("/console/incoming", "tried-again"))
}
