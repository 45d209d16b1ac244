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
pub use credentials::{cookies, is_same_site};
pub use drain::Drain;
pub use health::HealthCheck;
pub use router::{openapi_json, router, routes};
pub use settings::{AddressHeader, Connections, Limits, MOST_REQUESTS, Proxies, Rate};
pub use staff::doctor::{Doctor, Finding, Level};
pub use staff::model::{OfferedModel, StoreModel};
pub use state::{App, Outside, SecureCookies};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of this request, for the audit.
fn request_id(headers: &axum::http::HeaderMap) -> Option<String> {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
}
