//! Which web pages may call from a browser: those the store lists, and no others.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header, request::Parts};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::credentials;
use crate::{
    identity::{ApiKeyToken, SessionToken, StaffToken},
    ids::TenantId,
    tenancy::{StoreKey, origins::Origins},
};

/// How long a browser may remember a preflight's answer. Chromium remembers no longer than two hours.
const REMEMBER: Duration = Duration::from_secs(3600);

/// Answers preflights, and names the page in the answers it may read. Cookies are never let across: pages of other sites
/// send a bearer token.
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
        .max_age(REMEMBER)
}

/// The store that the request is about, as far as it says. It need not be true: what is let here is only that a page reads
/// the answer, and the credential decides what the answer is.
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
