//! A system that sends us events by webhook: how it signs them, what it names them and what they mean.
//!
//! A vendor is added as a folder with an implementation of this trait, and a line in `vendors.rs`.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use super::credentials::{Credential, Kind};
use crate::{
    store::{
        orders::{Shipment, ShipmentStatus},
        records::{Record, VariantRecord},
        upsert::UpsertError,
    },
    tenancy::{Executor, Tenant, Tx},
};

/// The system that sends events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
// Renamed, because `Source` alone would say nothing in the API's document.
#[schema(as = IncomingSource)]
pub enum Source {
    Shopify,
    Woocommerce,
    Stripe,
    /// The store's own system (Standard Webhooks).
    Store,
    /// The mail relay (Standard Webhooks).
    Mail,
}

impl Source {
    /// Its name as people know it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Shopify => "Shopify",
            Self::Woocommerce => "WooCommerce",
            Self::Stripe => "Stripe",
            Self::Store => "Your own system",
            Self::Mail => "Mail relay",
        }
    }
}

/// A stored event that is to be processed.
pub struct Event {
    pub id: Uuid,
    pub source: Source,
    pub topic: String,
    pub body: Value,
    pub received_at: DateTime<Utc>,
    pub attempts: i32,
}

/// The result of processing an event.
pub enum Outcome {
    Done,
    /// It was taken, but for what staff should know of.
    DoneWith(String),
    Ignored(&'static str),
    /// The event is tried again later, such as one that arrived before what it refers to.
    Later(String),
}

/// The id and the topic of an event.
pub(super) struct Name {
    /// The same whenever the same event is sent again.
    pub id: String,
    pub topic: String,
}

/// What an event means.
pub(super) enum Meaning {
    /// The state of a thing at a version, after the records that it depends on.
    Records {
        kind: &'static str,
        id: String,
        version: i64,
        records: Vec<Record>,
    },
    /// A variant of a product, where the platform tells of each variant by itself.
    Variant {
        product: String,
        variant: VariantRecord,
        version: i64,
    },
    /// Whether a variant can be ordered.
    Stock {
        item_id: String,
        available: bool,
        version: i64,
    },
    /// Nothing may be mailed to this address any more.
    Suppress {
        email: String,
        reason: &'static str,
    },
    /// A privacy request of a customer: to get all data, or to be erased.
    Privacy {
        shopper: String,
        erase: bool,
    },
    /// The parcels of one fulfilment of the order with the reference `order`.
    Parcels {
        order: String,
        fulfillment: String,
        version: i64,
        shipments: Vec<Shipment>,
    },
    /// What the carrier says of a fulfilment.
    ParcelStatus {
        order: String,
        fulfillment: String,
        status: ShipmentStatus,
        version: i64,
    },
    /// Two shoppers, by the platform's ids, are one person. The orders go to the one that is kept.
    Merge {
        kept: String,
        deleted: String,
    },
    OrderDeleted {
        reference: String,
    },
    ProductDeleted {
        product: String,
    },
    /// The vendor's own code has processed it.
    Applied(Outcome),
    /// A topic that is not handled here.
    Unknown,
    /// It cannot be parsed, and why.
    Unreadable(String),
}

/// The webhooks of a vendor.
pub(super) trait EventSource: Sync {
    /// The kind of the secrets that it signs with.
    fn secrets(&self) -> Kind;

    /// Whether this is the sender's test that the address answers: not signed, and not an event.
    fn is_test(&self, _body: &[u8]) -> bool {
        false
    }

    /// Whether one of the secrets signed the raw body, recently.
    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool;

    /// The event's id and topic; none where the sender gave none.
    fn name(&self, headers: &HeaderMap, body: &[u8], json: &Value) -> Option<Name>;

    /// What an event of a store means, by its body alone.
    fn meaning(&self, topic: &str, body: &Value, store: &Tenant) -> Meaning;

    /// The same, for events that depend on stored data. By default the body is enough.
    fn read<'a>(
        &'a self,
        _: &'a mut Tx<Executor>,
        store: &'a Tenant,
        event: &'a Event,
        _: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Meaning, UpsertError>> {
        Box::pin(async { Ok(self.meaning(&event.topic, &event.body, store)) })
    }
}

/// A short text without control characters; none when nothing is left.
pub(super) fn short(text: &str) -> Option<String> {
    let short: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(short).filter(|text| !text.is_empty())
}
