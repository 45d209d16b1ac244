//! A system that signs and names its events as Standard Webhooks does. Only the meaning of its events is its own.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    credentials::{Credential, Kind},
    event_source::{EventSource, Meaning, Name, short},
    signatures::{self, text},
};

/// A sender of Standard Webhooks.
use crate::tenancy::Tenant;

pub(super) struct StandardWebhooks {
    /// The kind of the secrets that it signs with.
    pub secrets: Kind,
    /// What an event of this topic means, by its body.
    pub meaning: fn(&str, &Value) -> Meaning,
}

impl EventSource for StandardWebhooks {
    fn secrets(&self) -> Kind {
        self.secrets
    }

    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
        signatures::standard(secrets, headers, body, now)
    }

    /// The id is in a header, the topic is the body's `type`.
    fn name(&self, headers: &HeaderMap, _: &[u8], json: &Value) -> Option<Name> {
        Some(Name {
            id: short(text(headers, "webhook-id")?)?,
            topic: short(json["type"].as_str()?)?,
        })
    }

    fn meaning(&self, topic: &str, body: &Value, _: &Tenant) -> Meaning {
        (self.meaning)(topic, body)
    }
}
