//! WooCommerce: its webhooks come in, its history is fetched, and what is changed here is changed there.

mod amounts;
mod body;
mod connection;
mod customers;
mod history;
mod lines;
mod operations;
mod orders;
mod parcels;
mod products;
mod rest;
mod topics;

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

pub(super) struct Woocommerce;

impl EventSource for Woocommerce {
    fn secrets(&self) -> Kind {
        Kind::WoocommerceWebhook
    }

    /// WooCommerce posts the form `webhook_id=123` when a webhook is saved. It is not signed, and a webhook whose address refuses it counts
    /// as broken (woocommerce/woocommerce 15642).
    fn is_test(&self, body: &[u8]) -> bool {
        body.strip_prefix(b"webhook_id=")
            .is_some_and(|id| (1..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
    }

    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], _: DateTime<Utc>) -> bool {
        signatures::of_body(secrets, headers, "x-wc-webhook-signature", body)
    }

    /// WooCommerce signs only the body, so the id of a delivery could be changed, and the same body would be accepted twice. The class of
    /// the topic is part of the id: `{"id": 5}` is the deletion of a customer, an order and a coupon alike.
    fn name(&self, headers: &HeaderMap, body: &[u8], _: &Value) -> Option<Name> {
        let topic = short(text(headers, "x-wc-webhook-topic")?)?;
        let mut id = Sha256::new();
        id.update(topics::class(&topic));
        id.update([0]);
        id.update(body);
        Some(Name {
            id: hex::encode(id.finalize()),
            topic,
        })
    }

    fn meaning(&self, topic: &str, body: &Value, store: &Tenant) -> Meaning {
        topics::meaning(topic, body, store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_that_woocommerce_posts_is_a_test() {
        for (body, expected) in [
            ("webhook_id=123", true),
            ("webhook_id=", false),
            ("webhook_id=1&x=2", false),
            ("webhook_id=1a", false),
            ("{\"webhook_id\":1}", false),
            ("webhook_id=123456789012345678901", false),
        ] {
            assert_eq!(Woocommerce.is_test(body.as_bytes()), expected, "{body}");
        }
    }
}
