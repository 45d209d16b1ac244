//! Payments that only people can make: what waits, and the buttons that say what became of it.

use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Console, Failure, Visitor, done, query,
    view::{Act, Cell, Section, Table, list, string, when, words},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/payments", get(payments))
        .route("/console/payments/{id}/confirm", post(confirm))
        .route("/console/payments/{id}/fail", post(fail))
}

/// Where the list goes on.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    after: String,
}

async fn payments(visitor: Visitor, Query(page): Query<Page>) -> Result<Response, Failure> {
    let query = query(&[("limit", "100"), ("after", page.after.trim())]);
    let found: Value = visitor.get(&format!("/v1/staff/payments?{query}")).await?;
    let row = |payment: &Value| {
        let id = string(payment, "id");
        let (amount, order) = (words(&payment["amount"]), string(payment, "order_number"));
        let (what, moved) = match payment["direction"].as_str() {
            Some("in") => ("Collect from", "Mark as collected"),
            _ => ("Pay to", "Mark as paid"),
        };
        let act = |to: &str, label, calls| Act {
            to: format!("/console/payments/{id}/{to}"),
            label,
            about: format!("{amount} for order {order}"),
            fields: vec![],
            calls,
        };
        let acts = vec![
            act("confirm", moved, ("POST", "/v1/staff/payments/{id}/confirm")),
            act("fail", "Mark as not possible", ("POST", "/v1/staff/payments/{id}/fail")),
        ];
        vec![
            Cell::text(&amount),
            Cell::text(format!("{what} {}", string(payment, "payment_method_id"))),
            match payment["proposal_id"].as_str() {
                Some(proposal) => Cell::link(format!("/console/proposals/{proposal}"), &order),
                None => Cell::text(&order),
            },
            Cell::text(when(&payment["created_at"])),
            Cell::Acts(acts),
        ]
    };
    let rows = list(&found, "payments");
    let more = rows.last().filter(|_| rows.len() == 100).map(|last| {
        let to = format!("/console/payments?after={}", string(last, "id"));
        Section::Links(vec![(to, "More".to_owned())])
    });
    let sections = vec![
        Section::note(
            "plain",
            "No payment provider can make these payments. Make each one yourself, then mark it. A change that waits for money is made once its payment is marked as collected.",
        ),
        Section::Table(Table {
            caption: "Payments to make by hand",
            head: vec!["Amount", "What to do", "Order", "Since", ""],
            rows: rows.iter().map(row).collect(),
            empty: "No payment waits.",
        }),
    ];
    visitor
        .page("Payments", sections.into_iter().chain(more).collect())
        .await
}

async fn confirm(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    let path = format!("/v1/staff/payments/{id}/confirm");
    visitor.post(&path, Value::Null).await?;
    Ok(done("/console/payments", "saved"))
}

async fn fail(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    let path = format!("/v1/staff/payments/{id}/fail");
    visitor.post(&path, Value::Null).await?;
    Ok(done("/console/payments", "saved"))
}
