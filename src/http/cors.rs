//! CORS: only the web pages that a store lists may call the API from a browser.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header, request::Parts};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::credentials;
use crate::{
    identity::{ApiKeyToken, SessionToken, StaffToken},
    ids::TenantId,
    tenancy::{StoreKey, origins::Origins},
};

/// How long a browser may cache a preflight's answer. Chromium caches it for at most two hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// The layer that answers preflights and lets allowed pages read answers. Credentials mode is never allowed, so no cookie crosses: pages
/// of other sites send a bearer token.
pub fn layer(origins: Origins) -> CorsLayer {
    let allow = AllowOrigin::async_predicate(move |origin: HeaderValue, parts: &Parts| {
        let (tenant, origins) = (tenant(parts), origins.clone());
        async move {
            match origin.to_str() {
                Ok(origin) => origins.allow(origin, tenant).await,
                Err(_) => false,
            }
        }
    });
    CorsLayer::new()
        .allow_origin(allow)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-store-key"),
            HeaderName::from_static("challenge-token"),
        ])
        .expose_headers([
            super::REQUEST_ID,
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
        ])
        .max_age(PREFLIGHT_MAX_AGE)
}

/// The store that the request claims to be for. The claim is not checked here: CORS only decides whether a page may read the answer, and
/// the credential decides what the answer is.
fn tenant(parts: &Parts) -> Option<TenantId> {
    let token = credentials::single_bearer(&parts.headers).ok().flatten();
    let key = || {
        parts
            .headers
            .get("x-store-key")?
            .to_str()
            .ok()?
            .parse::<StoreKey>()
            .ok()
    };
    let shopper = token.and_then(SessionToken::parse).map(|token| token.tenant());
    let staff = || Some(StaffToken::parse(token?)?.tenant());
    let machine = || Some(ApiKeyToken::parse(token?)?.tenant());
    shopper
        .or_else(staff)
        .or_else(machine)
        .or_else(|| key().map(|key| key.tenant()))
}
