//! HTTP: the table of contents of the service, and what every request passes on its way in.
//!
//! Law: handlers parse, call one function and shape the answer. Who may call a route is said by the proof it takes.

mod body;
mod chat;
mod conversations;
mod documented;
mod extract;
mod health;
mod openapi;
mod orders;
mod problem;
mod proposals;
mod sessions;
mod staff;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    chat::Chat,
    clock::Clock,
    identity::sessions::Lifetimes,
    tenancy::{Pool, Pools, Reader, Web},
    tools::Registry,
};

/// The largest request body, in bytes. A chat message is at most 4,000 characters; nothing else comes near.
const LARGEST_BODY: usize = 64 * 1024;
/// The longest a handler may take. A turn's own deadline is a little shorter, so that its answer is the turn's.
const REQUEST_DEADLINE: Duration = Duration::from_secs(70);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers can ask for. Each takes only the piece it uses.
#[derive(Clone, FromRef)]
pub struct App {
    reader: Pool<Reader>,
    web: Pool<Web>,
    chat: Chat,
    registry: Arc<Registry>,
    rules: SessionRules,
}

/// How sessions are kept.
#[derive(Clone)]
pub struct SessionRules {
    pub clock: Clock,
    pub lifetimes: Lifetimes,
    pub secure_cookies: bool,
}

impl App {
    pub fn new(pools: &Pools, chat: Chat, registry: Arc<Registry>, rules: SessionRules) -> Self {
        Self {
            reader: pools.reader.clone(),
            web: pools.web.clone(),
            chat,
            registry,
            rules,
        }
    }
}

/// Every route there is, with its documentation.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(health::health))
        .routes(routes!(sessions::register))
        .routes(routes!(sessions::log_in))
        .routes(routes!(sessions::current, sessions::log_out))
        .routes(routes!(chat::send))
        .routes(routes!(chat::events))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::messages))
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(proposals::list))
        .routes(routes!(proposals::get))
        .routes(routes!(proposals::confirm))
        .routes(routes!(proposals::withdraw))
        .routes(routes!(staff::log_in))
        .routes(routes!(staff::queue))
        .routes(routes!(staff::events))
        .routes(routes!(staff::proposal))
        .routes(routes!(staff::approve))
        .routes(routes!(staff::reject))
        .routes(routes!(staff::withdraw))
        .routes(routes!(staff::read_policy, staff::change_policy))
        .routes(routes!(staff::audit))
}

/// The OpenAPI document as JSON.
pub fn openapi_json() -> String {
    let mut document = routes().into_openapi();
    openapi::complete(&mut document);
    document.to_pretty_json().unwrap_or_default()
}

/// The service.
pub fn router(app: App) -> Router {
    let (router, mut document) = routes().split_for_parts();
    openapi::complete(&mut document);
    let quiet = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    router
        .merge(openapi::pages(document))
        .with_state(app)
        .fallback(|| async { StatusCode::NOT_FOUND })
        // From the inside out: the last layer sees the request first.
        .layer(CatchPanicLayer::custom(problem::on_panic))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_DEADLINE,
        ))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(problem::render))
        .layer(quiet(header::CACHE_CONTROL, "no-store"))
        .layer(quiet(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(quiet(header::REFERRER_POLICY, "no-referrer"))
        .layer(quiet(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(log_response)
                .on_failure(()),
        )
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        // A stranger's request id would let it write into our logs: ours replaces it.
        .layer(middleware::map_request(|mut request: Request| async {
            request.headers_mut().remove(REQUEST_ID);
            request
        }))
        .layer(SetSensitiveRequestHeadersLayer::new([
            header::AUTHORIZATION,
            header::COOKIE,
        ]))
}

/// The id of this request, for the audit.
fn request_id(headers: &axum::http::HeaderMap) -> Option<String> {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
}

/// The path as it is registered, never as it was sent: order numbers are personal.
fn span(request: &Request) -> tracing::Span {
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or("unknown", |path| path.as_str());
    let request_id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", %request_id, method = %request.method(), route)
}

fn log_response(response: &axum::response::Response, took: Duration, _: &tracing::Span) {
    tracing::info!(
        status = response.status().as_u16(),
        ms = took.as_millis() as u64,
        "answered"
    );
}
