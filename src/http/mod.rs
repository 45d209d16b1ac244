//! The HTTP API: the routes, and the middleware that every request passes.
//!
//! Rule: a handler parses the request, calls one function and shapes the answer. The proof that it takes says who may call it.

pub mod access;
mod body_limits;
mod chat;
mod client_ip;
mod conversations;
mod cookie;
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
mod router;
mod routes;
pub mod server;
mod settings;
mod sessions;
mod sign_in;
mod staff;
mod state;
mod webhooks;

use axum::http::HeaderName;

pub use access::staff_may;
pub use client_ip::Peer;
pub use cookie::Cookie;
pub use credentials::{cookies, is_same_site};
pub use drain::Drain;
pub use health::HealthCheck;
pub use router::{openapi_json, router, routes};
pub use settings::{AddressHeader, Connections, Limits, MAX_REQUESTS, Proxies, Rate};
pub use staff::doctor::{Doctor, Finding, Level};
pub use staff::model::{OfferedModel, StoreModel};
pub use staff::shop::Shop;
pub use state::{App, SecureCookies, WebhookState};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, which audit entries carry.
fn request_id(headers: &axum::http::HeaderMap) -> Option<String> {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
}
