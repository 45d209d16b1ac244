//! The page *Deliveries*: mail, webhooks and calls to other systems; staff can send them again or drop them.

use axum::{
    Router,
    extract::{Path, Query},
    http::Method,
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
        .route("/console/deliveries", get(deliveries))
        .route("/console/deliveries/{id}/retry", post(retry))
        .route("/console/deliveries/{id}/drop", post(discard))
}

async fn deliveries(visitor: Visitor, Query(page): Query<Filter>) -> Result<Response, Failure> {
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
