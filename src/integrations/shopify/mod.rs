//! Shopify: its webhooks come in, its history is fetched from its Admin API, and changes of orders go out to it.

mod body;
mod connection;
mod customers;
pub(super) mod documents;
mod fulfillments;
mod graphql;
mod history;
mod operations;
mod lines;
mod order_body;
mod orders;
mod products;
mod refunds;
mod topics;
mod webhook_shape;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    credentials::{Credential, Kind},
    event_source::{EventSource, Meaning, Name, short},
    signatures::{self, text},
};
use crate::tenancy::Tenant;

pub(super) struct Shopify;

impl EventSource for Shopify {
    fn secrets(&self) -> Kind {
        Kind::ShopifyWebhook
    }

    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], _: DateTime<Utc>) -> bool {
        signatures::of_body(secrets, headers, "x-shopify-hmac-sha256", body)
    }

    /// Shopify signs only the body. An id from a header could be changed, so that the same body would be accepted twice.
    fn name(&self, headers: &HeaderMap, body: &[u8], _: &Value) -> Option<Name> {
        Some(Name {
            id: hex::encode(Sha256::digest(body)),
            topic: short(text(headers, "x-shopify-topic")?)?,
        })
    }

    fn meaning(&self, topic: &str, body: &Value, store: &Tenant) -> Meaning {
        topics::meaning(topic, body, store)
    }
}
