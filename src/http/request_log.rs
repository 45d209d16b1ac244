//! Logs each request in one line and one span, and measures it. The path is logged as it is registered and never as it was sent, because
//! order numbers are personal data.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, field::Empty};

use super::{REQUEST_ID, access::ACCESS};
use crate::telemetry::{self, Answer, Metrics};

/// The limit that refused a request. It is stored in the response's extensions.
#[derive(Clone, Copy)]
pub struct Limited(pub &'static str);

pub async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (method, route) = (method(request.method()), route(&request));
    let id = request.headers().get(REQUEST_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let span = tracing::info_span!(
        "request",
        request_id = id,
        method,
        route,
        tenant = Empty,
        status = Empty
    );
    telemetry::traces::continue_trace(request.headers(), &span);
    let response = telemetry::in_request(&id, next.run(request).instrument(span.clone())).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    span.record("status", status);
    span.in_scope(|| tracing::info!(status, ms = took.as_millis() as u64, "answered"));
    if let Some(Limited(limit)) = response.extensions().get() {
        metrics.limited(limit);
    }
    metrics.answered(Answer {
        method,
        route,
        status,
        took,
    });
    response
}

/// The request's path as it is registered, or `other`.
fn route(request: &Request) -> &'static str {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let row = ACCESS.iter().find(|(_, known, _)| Some(*known) == path);
    row.map_or("other", |(_, known, _)| known)
}

/// The request's method, or `other`, because a client can send any method.
fn method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}
