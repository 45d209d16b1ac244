//! Integrations: what other systems are told, asked to do, and tell us.
//!
//! Law: no request and no executed change calls another system directly. A call is queued in the outbox with the change that caused it, and
//! sent from there with an idempotency key, by which the other side recognises a repetition.

mod breakers;
pub mod challenge;
mod connector;
pub mod credentials;
pub mod crm;
pub mod event_source;
pub mod incoming_events;
pub mod incoming_webhooks;
pub mod html;
mod json_fields;
mod mail_relay;
pub mod outbound_http;
pub mod order_look_up;
pub mod payments;
pub mod platform;
pub mod platform_connect;
pub mod platform_effects;
pub mod platform_sync;
mod shopify;
mod signatures;
mod standard_webhooks;
mod store_api;
mod stripe;
mod vendors;
pub mod webhook_delivery;
pub mod webhook_inbox;
mod woocommerce;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::json;
use tracing::Instrument;
use uuid::Uuid;

use breakers::Breakers;

use crate::{
    clock::Clock,
    ids::TenantId,
    jobs::outbox::{self, Channel, ClaimedDelivery, Sent},
    keyring::Keyring,
    mail::Mailer,
    telemetry::Metrics,
    tenancy::{Executor, Pool, Scope},
};

/// How other systems are reached.
#[derive(Clone, Debug)]
pub struct OutboundSettings {
    /// The address of Stripe's API; tests set another one.
    pub stripe_url: String,
    /// Whether outgoing webhooks and the CRM may be on this machine. For tests only: otherwise a store could make the server call its
    /// neighbours.
    pub allow_loopback: bool,
    /// How long one call may take.
    pub deadline: Duration,
    /// The DNS server for their addresses; none uses the system's.
    pub dns: Option<SocketAddr>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            stripe_url: "https://api.stripe.com".into(),
            allow_loopback: false,
            deadline: Duration::from_secs(15),
            dns: None,
        }
    }
}

/// The HTTP client for addresses that a store chose: it refuses private networks.
pub fn guarded_client(settings: &OutboundSettings) -> Result<reqwest::Client, outbound_http::OutboundError> {
    outbound_http::client(Some(settings.allow_loopback), settings)
}

/// Sends what the outbox holds, each row over its channel.
#[derive(Clone)]
pub struct Outgoing {
    mailer: Mailer,
    keyring: std::sync::Arc<Keyring>,
    /// The HTTP client for addresses that the operator chose.
    trusted: reqwest::Client,
    /// The HTTP client for addresses that a store chose: it refuses private networks.
    guarded: reqwest::Client,
    settings: OutboundSettings,
    /// The address that shoppers return to after paying at the provider's page.
    public_url: String,
    breakers: Breakers,
    metrics: Metrics,
}

impl Outgoing {
    pub fn new(
        mailer: Mailer,
        keyring: std::sync::Arc<Keyring>,
        settings: OutboundSettings,
        public_url: String,
        metrics: Metrics,
    ) -> Result<Self, outbound_http::OutboundError> {
        Ok(Self {
            mailer,
            keyring,
            trusted: outbound_http::client(None, &settings)?,
            guarded: guarded_client(&settings)?,
            settings,
            public_url,
            breakers: Breakers::default(),
            metrics,
        })
    }

    /// Sends one row, unless it was sent or is being sent. The result is stored in the row, so only a database error makes this fail.
    pub async fn deliver(
        &self,
        pool: &Pool<Executor>,
        tenant: TenantId,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let Some(mut claimed) = outbox::claim(pool, tenant, id).await? else {
            return Ok(());
        };
        let (channel, kind) = (claimed.channel, claimed.kind.clone());
        let breaker = self.breakers.of(channel, tenant, &claimed.payload);
        let sent = match breaker.allows_call() {
            true => {
                let began = Instant::now();
                let span = tracing::info_span!("deliver", channel = channel.name(), kind);
                let sent = self.send(&mut claimed, now).instrument(span).await?;
                breaker.record(!matches!(sent, Sent::Retry { .. }));
                self.metrics.delivered(channel.name(), sent.name(), began.elapsed());
                sent
            }
            false => Sent::Postponed,
        };
        if let Sent::Retry { error, .. } | Sent::Never(error) = &sent {
            tracing::warn!(delivery = %id, ?channel, kind, error, "a delivery failed");
        }
        if claimed.finish(sent, now).await? {
            tracing::error!(delivery = %id, ?channel, kind, "a delivery was given up");
            let mut tx = pool.begin(Scope::tenant(tenant)).await?;
            let data = json!({ "delivery_id": id, "channel": channel, "kind": kind });
            // Failed webhooks are not announced by webhook: an endpoint that is gone would be sent each of its own failures.
            if channel != Channel::Webhook {
                webhook_delivery::announce(&mut tx, "delivery.dead", &format!("dead:{id}"), data, now).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Fetches a store's records from the platform of its shop, unless another process does.
    pub async fn sync(
        &self,
        pool: &Pool<Executor>,
        tenant: TenantId,
        clock: &Clock,
    ) -> Result<Vec<platform_sync::Progress>, platform_sync::SyncError> {
        let sync = platform_sync::Sync {
            pool,
            keyring: &self.keyring,
            client: &self.guarded,
            clock,
            take_over: false,
        };
        sync.run(tenant, |_| ()).await
    }

    /// Each channel, and whether a circuit breaker of it is open.
    pub fn open_circuits(&self) -> Vec<(&'static str, bool)> {
        self.breakers.open_circuits()
    }

    async fn send(&self, claimed: &mut ClaimedDelivery, now: DateTime<Utc>) -> Result<Sent, sqlx::Error> {
        match claimed.channel {
            Channel::Mail => self.mailer.send(claimed, now).await,
            Channel::Webhook => webhook_delivery::send(&self.guarded, &self.keyring, claimed, now).await,
            Channel::Payment => {
                let api = stripe::api::Api {
                    client: &self.trusted,
                    base: &self.settings.stripe_url,
                    public_url: &self.public_url,
                };
                stripe::api::send(api, &self.keyring, claimed, now).await
            }
            Channel::Crm => crm::send(&self.guarded, &self.keyring, claimed, now).await,
            Channel::Shop => platform_effects::send(&self.guarded, &self.keyring, claimed, now).await,
        }
    }
}
