//! The inbox page, which shows caught mail. A server that really sends mail does not have it.

use askama::Template;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::mail::{CaughtMail, Inbox};

#[derive(Template)]
#[template(path = "inbox.html")]
struct Page {
    mails: Vec<CaughtMail>,
}

/// The page `/inbox`, and the same as JSON at `/inbox.json`.
pub fn page<S: Clone + Send + Sync + 'static>(inbox: Inbox) -> Router<S> {
    // The page has inline styles and no script.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    Router::new()
        .route("/inbox", get(show))
        .route(
            "/inbox.json",
            get(|State(inbox): State<Inbox>| async move { Json(inbox.mails()) }),
        )
        .layer(SetResponseHeaderLayer::overriding(
            header::CONTENT_SECURITY_POLICY,
            policy,
        ))
        .with_state(inbox)
}

async fn show(State(inbox): State<Inbox>) -> Response {
    match (Page { mails: inbox.mails() }).render() {
        Ok(page) => Html(page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
