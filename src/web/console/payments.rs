//! The page *Payments* lists the payments that only people can make. Staff mark each when it is made, or is not possible.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Console, Failure, Page, Visitor, done, last_of_full, query, render};
use crate::{
    ids::MovementId,
    ledger::{Direction, ManualPayment},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/payments", get(list))
        .route("/console/payments/{id}/confirm", post(confirm))
        .route("/console/payments/{id}/fail", post(fail))
}

/// The payment after which the list continues.
#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
struct Payments {
    payments: Vec<ManualPayment>,
}

#[derive(Template)]
#[template(path = "console/payments.html")]
struct PaymentsPage {
    page: Page,
    payments: Vec<ManualPayment>,
    more: Option<String>,
}

impl PaymentsPage {
    /// Whether the money comes in; otherwise it goes out.
    fn is_collected(&self, payment: &ManualPayment) -> bool {
        payment.direction == Direction::In
    }
}

async fn list(visitor: Visitor, Query(page): Query<After>) -> Result<Response, Failure> {
    const LIMIT: usize = 100;
    let after = query(&[("after", page.after.trim())]);
    let Payments { payments } = visitor
        .get(&format!("/v1/staff/payments?limit={LIMIT}&{after}"))
        .await?;
    let more = last_of_full(&payments, LIMIT).map(|last| format!("/console/payments?after={}", last.id));
    Ok(render(&PaymentsPage {
        page: visitor.page("Payments").await?,
        payments,
        more,
    }))
}

async fn confirm(visitor: Visitor, Path(id): Path<MovementId>) -> Result<Response, Failure> {
    let path = format!("/v1/staff/payments/{id}/confirm");
    visitor.post(&path, Value::Null).await?;
    Ok(done("/console/payments", "saved"))
}

async fn fail(visitor: Visitor, Path(id): Path<MovementId>) -> Result<Response, Failure> {
    let path = format!("/v1/staff/payments/{id}/fail");
    visitor.post(&path, Value::Null).await?;
    Ok(done("/console/payments", "saved"))
}
