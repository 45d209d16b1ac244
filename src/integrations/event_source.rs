//! A system that tells us of events by webhooks: how it signs them, what it calls them and what they mean.
//!
//! A vendor is added by its folder, with one of these, and its line in `vendors.rs`.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;

use uuid::Uuid;

use super::{
    credentials::{Credential, Kind},
    signatures::text,
};
use crate::{
    store::{records::Record, upsert::UpsertError},
    tenancy::{Executor, Tx},
};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
// In the API's document a model's `Source` has the name.
#[schema(as = IncomingSource)]
pub enum Source {
    Shopify,
    Stripe,
    /// The store's own system (Standard Webhooks).
    Store,
    /// The mail relay (Standard Webhooks).
    Mail,
}

/// An event to be worked off.
pub struct Event {
    pub id: Uuid,
    pub source: Source,
    pub topic: String,
    pub body: Value,
    pub received_at: DateTime<Utc>,
    pub attempts: i32,
}

/// What became of an event.
pub enum Outcome {
    Done,
    Ignored(&'static str),
    /// The event is tried again later, as when it came before what it is about.
    Later(String),
}

/// What an event is called, and what kind it is.
pub(super) struct Name {
    /// The same for the same event, however often it is sent.
    pub id: String,
    pub topic: String,
}

/// What an event says.
pub(super) enum Meaning {
    /// A thing as it is at a version, and what must be there before it.
    Records {
        kind: &'static str,
        id: String,
        version: i64,
        records: Vec<Record>,
    },
    /// Whether a variant can be had.
    Stock {
        item_id: String,
        available: bool,
        version: i64,
    },
    /// Nothing is to be mailed to an address any more.
    Suppress { email: String, reason: &'static str },
    /// A customer's right: to have everything, or to be forgotten.
    Privacy { shopper: String, erase: bool },
    /// The vendor has applied it itself.
    Applied(Outcome),
    /// A topic that nothing here is about.
    Unknown,
    /// It cannot be read: what is wrong with it.
    Unreadable(String),
}

/// A vendor's webhooks.
pub(super) trait EventSource: Sync {
    /// The secrets that it signs with.
    fn secrets(&self) -> Kind;

    /// Whether one of the secrets signed the raw body, now.
    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool;

    /// What the event is called; none where the sender has not said.
    fn name(&self, headers: &HeaderMap, body: &[u8], json: &Value) -> Option<Name>;

    /// What an event means, by its body alone.
    fn meaning(&self, topic: &str, body: &Value) -> Meaning;

    /// The same, for events that must look at what is stored. By default the body says all.
    fn read<'a>(
        &'a self,
        _: &'a mut Tx<Executor>,
        event: &'a Event,
        _: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Meaning, UpsertError>> {
        Box::pin(async { Ok(self.meaning(&event.topic, &event.body)) })
    }
}

/// A short text without control characters; none when nothing is left.
pub(super) fn short(text: &str) -> Option<String> {
    let short: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(short).filter(|text| !text.is_empty())
}

/// The name of an event of the Standard Webhooks: a header is its id, and the body's `type` its topic.
pub(super) fn standard_name(headers: &HeaderMap, json: &Value) -> Option<Name> {
    Some(Name {
        id: short(text(headers, "webhook-id")?)?,
        topic: short(json["type"].as_str()?)?,
    })
}
