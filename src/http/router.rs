//! The router: the layers that every request passes, from the outside in, and the documents of the API.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
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
use utoipa_axum::router::OpenApiRouter;

use super::{
    Proxies, REQUEST_ID, access, body_limits, client_ip, cors, drain, limits, openapi,
    problem::{self, Problem},
    request_log,
    routes::{RateClass, of_class},
    state::App,
};
use crate::{telemetry::Metrics, tenancy::origins::Origins};

/// The largest request body, in bytes. A chat message is at most 4,000 characters; nothing else comes near.
const LARGEST_BODY: usize = 64 * 1024;
/// The longest a handler may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// The same for a whole turn, whose own deadline is a little shorter, so that its answer is the turn's.
const TURN_DEADLINE: Duration = Duration::from_secs(70);

/// The largest event of another system's, in bytes: Shopify's orders of many lines come near.
const LARGEST_HOOK: usize = 1024 * 1024;

/// Every route there is, with its documentation.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::document())
        .merge(of_class(RateClass::Open))
        .merge(of_class(RateClass::SignIn))
        .merge(of_class(RateClass::Account))
        .merge(of_class(RateClass::Turn))
        .merge(of_class(RateClass::Webhook))
}

fn documented() -> utoipa::openapi::OpenApi {
    let mut document = routes().into_openapi();
    openapi::complete(&mut document);
    document
}

/// The OpenAPI document as JSON.
pub fn openapi_json() -> String {
    documented().to_pretty_json().unwrap_or_default()
}

/// The service, with `pages` for people beside the API.
pub fn router(app: App, proxies: Proxies, pages: Router<App>) -> Router {
    let limits = app.limits;
    let document = documented();
    let quiet = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let described = |name: &'static str, rate| {
        middleware::map_response(
            move |response: Response| async move { limits::standard_headers(name, rate, response) },
        )
    };
    let sign_in = of_class(RateClass::SignIn)
        .route_layer(limits::sign_in(limits.sign_in))
        .route_layer(described("sign_in", limits.sign_in));
    // One layer for both, so that they share their buckets.
    let by_account = limits::by_account(limits.account);
    let [api, turns] = [RateClass::Account, RateClass::Turn].map(|class| {
        of_class(class)
            .route_layer(by_account.clone())
            .route_layer(described("account", limits.account))
    });
    let authorise = middleware::from_fn_with_state(app.clone(), access::authorise);
    let webhooks = of_class(RateClass::Webhook)
        .route_layer(DefaultBodyLimit::max(LARGEST_HOOK))
        .route_layer(limits::webhooks(limits.webhook))
        .route_layer(described("webhook", limits.webhook));
    let (router, _) = of_class(RateClass::Open)
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
