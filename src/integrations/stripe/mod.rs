//! Stripe: charges, payment pages and refunds go out, and webhooks say what became of them.

pub(super) mod amount;
pub(super) mod api;
mod call;
mod charges;
mod disputes;
mod events;
mod refunds;
mod signature;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;

use super::{
    credentials::{Credential, Kind},
    event_source::{Event, EventSource, Meaning, Name, short},
};
use crate::{
    store::upsert::UpsertError,
    tenancy::{Executor, Tenant, Tx},
};

pub(super) struct Stripe;

impl EventSource for Stripe {
    fn secrets(&self) -> Kind {
        Kind::StripeWebhook
    }

    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
        signature::is_signed(secrets, headers, body, now)
    }

    fn name(&self, _: &HeaderMap, _: &[u8], json: &Value) -> Option<Name> {
        Some(Name {
            id: short(json["id"].as_str()?)?,
            topic: short(json["type"].as_str()?)?,
        })
    }

    /// What a payment event means depends on the ledger.
    fn meaning(&self, _: &str, _: &Value, _: &Tenant) -> Meaning {
        Meaning::Unknown
    }

    fn read<'a>(
        &'a self,
        tx: &'a mut Tx<Executor>,
        _: &'a Tenant,
        event: &'a Event,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Meaning, UpsertError>> {
        Box::pin(async move { Ok(Meaning::Applied(events::apply(tx, event, now).await?)) })
    }
}
