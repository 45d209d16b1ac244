//! What goes out and what comes in: mail, webhooks, other systems' calls; and trying again.

use axum::{
    Router,
    extract::{Path, Query},
    http::Method,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Console, Failure, Visitor, done, query,
    view::{Act, Cell, Section, Table, list, string, when},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/deliveries", get(deliveries))
        .route("/console/deliveries/{id}/retry", post(retry))
        .route("/console/deliveries/{id}/drop", post(discard))
        .route("/console/incoming", get(incoming))
        .route("/console/incoming/{id}/retry", post(take_again))
}

/// Which rows to show.
#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    before: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    channel: String,
}

/// How a row's state is coloured.
fn tone(state: &str) -> &'static str {
    match state {
        "done" => "good",
        "dead" => "bad",
        _ => "plain",
    }
}

/// The views of a page, and the way to older rows of the one that is shown.
fn links(page: &str, views: &[(&str, &str)], which: &Which, rows: &[Value]) -> Vec<(String, String)> {
    let mut links: Vec<_> = views
        .iter()
        .map(|(query, text)| (format!("{page}{query}"), (*text).to_owned()))
        .collect();
    if let Some(last) = rows.last().filter(|_| rows.len() == 50) {
        let before = string(last, "id");
        let query = query(&[
            ("state", &which.state),
            ("channel", &which.channel),
            ("before", &before),
        ]);
        links.push((format!("{page}?{query}"), "Older".into()));
    }
    links
}

async fn deliveries(visitor: Visitor, Query(page): Query<Which>) -> Result<Response, Failure> {
    let query = query(&[
        ("limit", "50"),
        ("before", &page.before),
        ("state", &page.state),
        ("channel", &page.channel),
    ]);
    let found: Value = visitor.get(&format!("/v1/staff/deliveries?{query}")).await?;
    let deliveries = list(&found, "deliveries");
    let row = |delivery: &Value| {
        let (id, state, kind) = (
            string(delivery, "id"),
            string(delivery, "state"),
            string(delivery, "kind"),
        );
        let act = |label, act: &str, calls| Act {
            to: format!("/console/deliveries/{id}/{act}"),
            label,
            about: kind.clone(),
            fields: vec![],
            calls,
        };
        let again = || act("Send again", "retry", ("POST", "/v1/staff/deliveries/{id}/retry"));
        let drop = || act("Drop", "drop", ("DELETE", "/v1/staff/deliveries/{id}"));
        let acts = match state.as_str() {
            "dead" => vec![again(), drop()],
            "queued" => vec![drop()],
            _ => vec![],
        };
        vec![
            Cell::text(when(&delivery["created_at"])),
            Cell::text(string(delivery, "channel")),
            Cell::text(&kind),
            Cell::tone(tone(&state), &state),
            Cell::text(delivery["attempts"].as_i64().unwrap_or_default()),
            Cell::text(string(delivery, "last_error")),
            Cell::Acts(acts),
        ]
    };
    let table = Table {
        caption: "Deliveries to other systems, newest first",
        head: vec!["Made", "Channel", "What", "State", "Tries", "Last fault", "Do"],
        rows: deliveries.iter().map(row).collect(),
        empty: "Nothing.",
    };
    let views = [
        ("", "All"),
        ("?channel=mail", "Mail"),
        ("?channel=webhook", "Webhooks"),
        ("?state=dead", "Given up"),
        ("?state=queued", "Waiting"),
    ];
    let links = links("/console/deliveries", &views, &page, deliveries);
    visitor
        .page("Deliveries", vec![Section::Links(links), Section::Table(table)])
        .await
}

async fn retry(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .post(&format!("/v1/staff/deliveries/{id}/retry"), Value::Null)
        .await?;
    Ok(done("/console/deliveries", "sent-again"))
}

async fn discard(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .change(Method::DELETE, &format!("/v1/staff/deliveries/{id}"), None)
        .await?;
    Ok(done("/console/deliveries", "dropped"))
}

async fn incoming(visitor: Visitor, Query(page): Query<Which>) -> Result<Response, Failure> {
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

async fn take_again(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .post(&format!("/v1/staff/incoming/{id}/retry"), Value::Null)
        .await?;
    Ok(done("/console/incoming", "tried-again"))
}
