//! HTTP: the table of contents of the service, and what every request passes on its way in.
//!
//! Law: handlers parse, call one function and shape the answer. Who may call a route is said by the proof it takes.

pub mod access;
mod body_limits;
mod chat;
mod client_ip;
mod conversations;
mod cors;
mod credentials;
mod drain;
mod error_mapping;
mod extract;
mod health;
mod help;
mod limits;
mod openapi;
pub mod operations;
mod orders;
mod problem;
mod proposals;
mod request_log;
mod responses;
mod routes;
pub mod server;
mod settings;
mod sessions;
mod sign_in;
mod staff;
mod webhooks;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
};

pub use access::staff_may;
pub use client_ip::Peer;
pub use credentials::is_same_site;
pub use drain::Drain;
pub use health::HealthCheck;
use operations::Internal;
use problem::Problem;
use routes::{api_routes, public_routes, sign_in_routes, turn_routes, webhook_routes};
pub use routes::{openapi_json, routes};
pub use settings::{AddressHeader, Connections, Limits, MOST_REQUESTS, Proxies, Rate};
pub use staff::doctor::{Doctor, Finding, Level};

use crate::{
    chat::Chat,
    clock::Clock,
    identity::Identity,
    integrations::challenge::Challenge,
    keyring::Keyring,
    telemetry::Metrics,
    tenancy::{Pool, Reader, Web, origins::Origins},
    tools::Registry,
};

/// The largest request body, in bytes. A chat message is at most 4,000 characters; nothing else comes near.
const LARGEST_BODY: usize = 64 * 1024;
/// The longest a handler may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// The same for a whole turn, whose own deadline is a little shorter, so that its answer is the turn's.
const TURN_DEADLINE: Duration = Duration::from_secs(70);

/// Events that are stored at once. The rest waits, and leaves connections to the database for shoppers.
const WEBHOOKS_AT_ONCE: usize = 4;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers can ask for. Each takes only the piece it uses.
#[derive(Clone, FromRef)]
pub struct App {
    pub reader: Pool<Reader>,
    pub web: Pool<Web>,
    pub identity: Identity,
    pub chat: Chat,
    pub registry: Arc<Registry>,
    pub clock: Clock,
    pub secure_cookies: SecureCookies,
    pub outside: Outside,
    /// What stands before a guest's session, if anything.
    pub challenge: Option<Challenge>,
    pub pulse: HealthCheck,
    pub drain: Drain,
    pub doctor: Doctor,
    pub internal: Internal,
    /// How often requests are taken.
    pub limits: Limits,
}

/// Whether cookies are for HTTPS alone.
#[derive(Clone, Copy)]
pub struct SecureCookies(pub bool);

/// What is needed to deal with other systems.
#[derive(Clone)]
pub struct Outside {
    pub keyring: Arc<Keyring>,
    /// Whether webhooks may be told on this machine.
    pub allow_loopback: bool,
    /// Places for events that are being stored.
    places: Arc<Semaphore>,
}

impl Outside {
    pub fn new(keyring: Arc<Keyring>, allow_loopback: bool) -> Self {
        Self {
            keyring,
            allow_loopback,
            places: Arc::new(Semaphore::new(WEBHOOKS_AT_ONCE)),
        }
    }
}

/// The service, with `pages` for people beside the API.
pub fn router(app: App, proxies: Proxies, pages: Router<App>) -> Router {
    let limits = app.limits;
    let mut document = routes().into_openapi();
    openapi::complete(&mut document);
    let quiet = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let described = |name: &'static str, rate| {
        middleware::map_response(
            move |response: Response| async move { limits::standard_headers(name, rate, response) },
        )
    };
    let sign_in = sign_in_routes()
        .route_layer(limits::sign_in(limits.sign_in))
        .route_layer(described("sign_in", limits.sign_in));
    // One layer for both, so that they share their buckets.
    let by_account = limits::by_account(limits.account);
    let [api, turns] = [api_routes(), turn_routes()].map(|routes| {
        routes
            .route_layer(by_account.clone())
            .route_layer(described("account", limits.account))
    });
    let authorise = middleware::from_fn_with_state(app.clone(), access::authorise);
    let webhooks = webhook_routes()
        .route_layer(limits::webhooks(limits.webhook))
        .route_layer(described("webhook", limits.webhook));
    let (router, _) = public_routes()
        .merge(sign_in)
        .merge(api)
        .route_layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            DEADLINE,
        ))
        .merge(turns)
        .route_layer(authorise)
        .route_layer(limits::by_address(limits.address))
        .route_layer(described("address", limits.address))
        .merge(webhooks)
        .split_for_parts();
    let strict_transport = if app.secure_cookies.0 {
        "max-age=63072000"
    } else {
        "max-age=0"
    };
    let origins = Origins::new(app.web.clone());
    let metrics = app.internal.metrics.clone();
    let drain = app.drain.clone();
    let shedding = (Arc::new(Semaphore::new(limits.most_requests)), metrics.clone());
    router
        .merge(openapi::pages(document))
        .merge(pages)
        .with_state(app)
        .fallback(|| async { StatusCode::NOT_FOUND })
        // From the inside out: the last layer sees the request first.
        .layer(CatchPanicLayer::custom(problem::on_panic))
        .layer(middleware::from_fn_with_state(shedding, shed))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            TURN_DEADLINE,
        ))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::Extension(body_limits::Bodies::default()))
        .layer(middleware::from_fn_with_state(proxies, client_ip::establish))
        .layer(middleware::from_fn_with_state(metrics.clone(), problem::render))
        .layer(cors::layer(origins))
        .layer(quiet(header::CACHE_CONTROL, "no-store"))
        .layer(quiet(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(quiet(header::X_FRAME_OPTIONS, "DENY"))
        .layer(quiet(header::REFERRER_POLICY, "no-referrer"))
        .layer(quiet(header::STRICT_TRANSPORT_SECURITY, strict_transport))
        .layer(quiet(
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ))
        .layer(quiet(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
        .layer(quiet(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(middleware::from_fn_with_state(drain, drain::close_connections))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(middleware::from_fn_with_state(metrics.clone(), request_log::observe))
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

/// Turns a request away when as many are in hand as may be, before anything of it is read: each may hold a body of [`LARGEST_BODY`] and waits
/// for the same few connections. A stream no longer counts once it runs. Health answers all the same.
async fn shed(State((places, metrics)): State<(Arc<Semaphore>, Metrics)>, request: Request, next: Next) -> Response {
    let Ok(_place) = places.try_acquire() else {
        if request.uri().path() == "/health" {
            return next.run(request).await;
        }
        metrics.shed();
        return Problem::busy().into_response();
    };
    next.run(request).await
}

/// The id of this request, for the audit.
fn request_id(headers: &axum::http::HeaderMap) -> Option<String> {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
}
