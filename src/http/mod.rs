//! HTTP: the table of contents of the service, and what every request passes on its way in.
//!
//! Law: handlers parse, call one function and shape the answer. Who may call a route is said by the proof it takes.

pub mod access;
mod address;
mod body;
mod chat;
mod conversations;
mod cors;
mod credentials;
mod documented;
mod health;
mod limits;
pub mod listen;
mod openapi;
mod orders;
mod problem;
mod proposals;
mod sessions;
mod sign_in;
mod staff;
mod webhooks;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::Response,
};
use tokio::sync::Semaphore;
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
    config::{Limits, Proxies},
    identity::Identity,
    keyring::Keyring,
    tenancy::{Pool, Pools, Reader, Web, origins::Origins},
    tools::Registry,
};

/// The largest request body, in bytes. A chat message is at most 4,000 characters; nothing else comes near.
const LARGEST_BODY: usize = 64 * 1024;
/// The longest a handler may take. A turn's own deadline is a little shorter, so that its answer is the turn's.
const REQUEST_DEADLINE: Duration = Duration::from_secs(70);

/// The largest event of another system's, in bytes: Shopify's orders of many lines come near.
const LARGEST_HOOK: usize = 1024 * 1024;
/// Events that are stored at once. The rest waits, and leaves connections to the database for shoppers.
const HOOKS_AT_ONCE: usize = 4;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers can ask for. Each takes only the piece it uses.
#[derive(Clone, FromRef)]
pub struct App {
    reader: Pool<Reader>,
    web: Pool<Web>,
    identity: Identity,
    chat: Chat,
    registry: Arc<Registry>,
    clock: Clock,
    secure_cookies: SecureCookies,
    outside: Outside,
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
            places: Arc::new(Semaphore::new(HOOKS_AT_ONCE)),
        }
    }
}

impl App {
    pub fn new(
        pools: &Pools,
        identity: Identity,
        chat: Chat,
        registry: Arc<Registry>,
        clock: Clock,
        secure: bool,
        outside: Outside,
    ) -> Self {
        Self {
            reader: pools.reader.clone(),
            web: pools.web.clone(),
            identity,
            chat,
            registry,
            clock,
            secure_cookies: SecureCookies(secure),
            outside,
        }
    }
}

/// What anybody may ask.
fn public() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::document()).routes(routes!(health::health))
}

/// Where people come in: nobody is known yet. Who may call each is in [`access::ACCESS`].
fn doors() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_in::register))
        .routes(routes!(sign_in::verify))
        .routes(routes!(sign_in::log_in))
        .routes(routes!(sign_in::guest))
        .routes(routes!(sign_in::assert))
        .routes(routes!(sign_in::ask_for_code))
        .routes(routes!(sign_in::log_in_with_code))
        .routes(routes!(sign_in::ask_for_reset))
        .routes(routes!(sign_in::reset))
        .routes(routes!(staff::sessions::log_in))
        .routes(routes!(staff::sessions::join))
}

/// What is for those who are known. Who may call each is in [`access::ACCESS`].
fn rooms() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::current, sessions::log_out))
        .routes(routes!(sessions::end))
        .routes(routes!(sign_in::change_password))
        .routes(routes!(sign_in::ask_to_prove_order))
        .routes(routes!(sign_in::prove_order))
        .routes(routes!(chat::send))
        .routes(routes!(chat::events))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::messages))
        .routes(routes!(conversations::transcript))
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::export))
        .routes(routes!(proposals::list))
        .routes(routes!(proposals::get))
        .routes(routes!(proposals::confirm))
        .routes(routes!(proposals::withdraw))
        .routes(routes!(staff::sessions::log_out))
        .routes(routes!(staff::sessions::set_up))
        .routes(routes!(staff::sessions::confirm))
        .routes(routes!(staff::sessions::reauthenticate))
        .routes(routes!(staff::queue::queue))
        .routes(routes!(staff::queue::events))
        .routes(routes!(staff::queue::proposal))
        .routes(routes!(staff::queue::approve))
        .routes(routes!(staff::queue::reject))
        .routes(routes!(staff::queue::withdraw))
        .routes(routes!(staff::policies::read_policy, staff::policies::change_policy))
        .routes(routes!(staff::audit::audit))
        .routes(routes!(staff::usage::usage))
        .routes(routes!(staff::usage::caps, staff::usage::set_caps))
        .routes(routes!(staff::outgoing::list))
        .routes(routes!(staff::outgoing::retry))
        .routes(routes!(staff::outgoing::discard))
        .routes(routes!(staff::outgoing::endpoints, staff::outgoing::add_endpoint))
        .routes(routes!(staff::outgoing::disable_endpoint))
        .routes(routes!(staff::members::list))
        .routes(routes!(staff::members::disable))
        .routes(routes!(staff::members::invite))
        .routes(routes!(staff::members::api_keys, staff::members::add_api_key))
        .routes(routes!(staff::members::revoke_api_key))
}

/// Where other systems say what happened. What they may send has bounds of its own.
fn hooks() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::take))
        .route_layer(DefaultBodyLimit::max(LARGEST_HOOK))
}

/// Every route there is, with its documentation.
pub fn routes() -> OpenApiRouter<App> {
    public().merge(doors()).merge(rooms()).merge(hooks())
}

/// The OpenAPI document as JSON.
pub fn openapi_json() -> String {
    let mut document = routes().into_openapi();
    openapi::complete(&mut document);
    document.to_pretty_json().unwrap_or_default()
}

/// The service, with `pages` for people beside the API.
pub fn router(app: App, limits: Limits, proxies: Proxies, pages: Router<App>) -> Router {
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
    let doors = doors()
        .route_layer(limits::at_the_doors(limits.door))
        .route_layer(described("door", limits.door));
    let rooms = rooms()
        .route_layer(limits::by_account(limits.account))
        .route_layer(described("account", limits.account));
    let authorise = middleware::from_fn_with_state(app.clone(), access::authorise);
    // A shop's platform sends thousands at once from a few addresses: it is bounded by what is taken at once instead.
    let (router, _) = public()
        .merge(doors)
        .merge(rooms)
        .route_layer(authorise)
        .route_layer(limits::by_address(limits.address))
        .route_layer(described("address", limits.address))
        .merge(hooks())
        .split_for_parts();
    let strict_transport = if app.secure_cookies.0 {
        "max-age=63072000"
    } else {
        "max-age=0"
    };
    let origins = Origins::new(app.web.clone());
    router
        .merge(openapi::pages(document))
        .merge(pages)
        .with_state(app)
        .fallback(|| async { StatusCode::NOT_FOUND })
        // From the inside out: the last layer sees the request first.
        .layer(CatchPanicLayer::custom(problem::on_panic))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_DEADLINE,
        ))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(proxies, address::establish))
        .layer(middleware::from_fn(problem::render))
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
