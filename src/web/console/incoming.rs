//! The page *Incoming events* lists what other systems have sent, without its contents. Staff can try an event again.

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

use super::{Console, Failure, Page, Visitor, done, last_of_full, query, render};
use crate::integrations::{
    event_source::Source,
    webhook_inbox::{IncomingEvent, ReceivedState},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/incoming", get(list))
        .route("/console/incoming/{id}/retry", post(retry))
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    before: String,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<IncomingEvent>,
}

#[derive(Template)]
#[template(path = "console/incoming.html")]
struct IncomingPage {
    page: Page,
    events: Vec<IncomingEvent>,
    older: Option<String>,
}

impl IncomingPage {
    fn source(&self, event: &IncomingEvent) -> &'static str {
        match event.source {
            Source::Shopify => "Shopify",
            Source::Woocommerce => "WooCommerce",
            Source::Stripe => "Stripe",
            Source::Store => "Your own system",
            Source::Mail => "Mail relay",
        }
    }
}

async fn list(visitor: Visitor, Query(filter): Query<Filter>) -> Result<Response, Failure> {
    const LIMIT: usize = 50;
    let before = |id: &str| query(&[("state", &filter.state), ("before", id)]);
    let path = format!("/v1/staff/incoming?limit={LIMIT}&{}", before(&filter.before));
    let Events { events } = visitor.get(&path).await?;
    let older = last_of_full(&events, LIMIT).map(|last| before(&last.id.to_string()));
    Ok(render(&IncomingPage {
        page: visitor.page("Incoming events").await?,
        events,
        older: older.map(|query| format!("/console/incoming?{query}")),
    }))
}

async fn retry(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    let path = format!("/v1/staff/incoming/{id}/retry");
    visitor.post(&path, Value::Null).await?;
    Ok(done("/console/incoming", "tried-again"))
}
