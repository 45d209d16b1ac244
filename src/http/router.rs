//! Builds the router with the layers that every request passes, and the API's OpenAPI document.

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

/// The largest request body, in bytes. Webhooks may be larger: [`MAX_WEBHOOK_BYTES`].
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a handler may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// How long a handler may take that waits for a whole turn. A turn's own deadline is shorter, so the turn can still answer.
const TURN_DEADLINE: Duration = Duration::from_secs(70);

/// The largest webhook body, in bytes. A Shopify order with many lines comes close to it.
const MAX_WEBHOOK_BYTES: usize = 1024 * 1024;

/// All routes, with their documentation.
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

/// The whole service: the API, and `pages` for people.
pub fn router(app: App, proxies: Proxies, pages: Router<App>) -> Router {
    let limits = app.limits;
    let document = documented();
    let default_header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let rate_headers = |name: &'static str, rate| {
        middleware::map_response(
            move |response: Response| async move { limits::standard_headers(name, rate, response) },
        )
    };
    let sign_in = of_class(RateClass::SignIn)
        .route_layer(limits::sign_in(limits.sign_in))
        .route_layer(rate_headers("sign_in", limits.sign_in));
    // One layer for both, so that they share their buckets.
    let by_account = limits::by_account(limits.account);
    let [api, turns] = [RateClass::Account, RateClass::Turn].map(|class| {
        of_class(class)
            .route_layer(by_account.clone())
            .route_layer(rate_headers("account", limits.account))
    });
    let authorise = middleware::from_fn_with_state(app.clone(), access::authorise);
    let webhooks = of_class(RateClass::Webhook)
        .route_layer(DefaultBodyLimit::max(MAX_WEBHOOK_BYTES))
        .route_layer(limits::webhooks(limits.webhook))
        .route_layer(rate_headers("webhook", limits.webhook));
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
        .route_layer(rate_headers("address", limits.address))
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
    let shedding = (Arc::new(Semaphore::new(limits.max_requests)), metrics.clone());
    router
        .merge(openapi::pages(document))
        .merge(pages)
        .with_state(app)
        .fallback(|| async { StatusCode::NOT_FOUND })
        // The layers are listed from the inside out: the last one sees the request first.
        .layer(CatchPanicLayer::custom(problem::on_panic))
        .layer(middleware::from_fn_with_state(shedding, shed))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            TURN_DEADLINE,
        ))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(axum::Extension(body_limits::IncomingBodies::default()))
        .layer(middleware::from_fn_with_state(proxies, client_ip::establish))
        .layer(middleware::from_fn_with_state(metrics.clone(), problem::render))
        .layer(cors::layer(origins))
        .layer(default_header(header::CACHE_CONTROL, "no-store"))
        .layer(default_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(default_header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(default_header(header::REFERRER_POLICY, "no-referrer"))
        .layer(default_header(header::STRICT_TRANSPORT_SECURITY, strict_transport))
        .layer(default_header(
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ))
        .layer(default_header(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
        .layer(default_header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(middleware::from_fn_with_state(drain, drain::close_connections))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(middleware::from_fn_with_state(metrics.clone(), request_log::observe))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        // A request id from the client is replaced, because it would let the client write into the logs.
        .layer(middleware::map_request(|mut request: Request| async {
            request.headers_mut().remove(REQUEST_ID);
            request
        }))
        .layer(SetSensitiveRequestHeadersLayer::new([
            header::AUTHORIZATION,
            header::COOKIE,
        ]))
}

/// Refuses a request with 503 while as many are being handled as are allowed, before its body is read. An event stream stops counting
/// once its response has begun, and `/health` is answered in any case.
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
