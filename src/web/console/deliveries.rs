//! The page *Deliveries* lists what is sent to other systems, such as mail and webhooks. Staff can send it again or drop it.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Console, Failure, Page, Visitor, done, filters, last_of_full, query, render};
use crate::jobs::outbox::{Channel, Delivery, DeliveryState};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/deliveries", get(list))
        .route("/console/deliveries/{id}/retry", post(retry))
        .route("/console/deliveries/{id}/drop", post(discard))
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    before: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    channel: String,
}

#[derive(Deserialize)]
struct Deliveries {
    deliveries: Vec<Delivery>,
}

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct DeliveriesPage {
    page: Page,
    deliveries: Vec<Delivery>,
    older: Option<String>,
}

impl DeliveriesPage {
    fn channel(&self, delivery: &Delivery) -> &'static str {
        match delivery.channel {
            Channel::Mail => "Mail",
            Channel::Webhook => "Webhook",
            Channel::Payment => "Payment provider",
            Channel::Shop => "Shop platform",
            Channel::Crm => "CRM",
        }
    }

    fn can_retry(&self, delivery: &Delivery) -> bool {
        delivery.state == DeliveryState::Dead
    }

    fn can_drop(&self, delivery: &Delivery) -> bool {
        matches!(delivery.state, DeliveryState::Dead | DeliveryState::Queued)
    }
}

async fn list(visitor: Visitor, Query(filter): Query<Filter>) -> Result<Response, Failure> {
    const LIMIT: usize = 50;
    let before = |id: &str| query(&[("state", &filter.state), ("channel", &filter.channel), ("before", id)]);
    let path = format!("/v1/staff/deliveries?limit={LIMIT}&{}", before(&filter.before));
    let Deliveries { deliveries } = visitor.get(&path).await?;
    let older = last_of_full(&deliveries, LIMIT).map(|last| before(&last.id.to_string()));
    Ok(render(&DeliveriesPage {
        page: visitor.page("Deliveries").await?,
        deliveries,
        older: older.map(|query| format!("/console/deliveries?{query}")),
    }))
}

async fn retry(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    let path = format!("/v1/staff/deliveries/{id}/retry");
    visitor.post(&path, Value::Null).await?;
    Ok(done("/console/deliveries", "sent-again"))
}

async fn discard(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    visitor.delete(&format!("/v1/staff/deliveries/{id}")).await?;
    Ok(done("/console/deliveries", "dropped"))
}
