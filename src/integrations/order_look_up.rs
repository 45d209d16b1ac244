//! Asks the shop's platform for an order that is not here: its event may be late or lost, or the order older than the history that was fetched.
//!
//! What the platform answers is stored like an event of it, by the worker. The look-up waits for that, so that whoever asked reads the order
//! as it is stored and bound to its owner.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::{sleep, timeout};

use super::{
    OutboundSettings, guarded_client, incoming_webhooks,
    outbound_http::OutboundError,
    platform::{self, Api, Connection, Entity, PlatformError, Throttle},
    vendors,
};
use crate::{
    breaker::Breaker,
    ids::TenantId,
    keyring::Keyring,
    tenancy::{Pool, Scope, Tx, Web},
};

/// How long the platform may take, and then the worker.
const PLATFORM_DEADLINE: Duration = Duration::from_secs(4);
const STORE_DEADLINE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(50);

/// Asks platforms for orders.
#[derive(Clone)]
pub struct OrderLookUp {
    web: Pool<Web>,
    keyring: Arc<Keyring>,
    client: reqwest::Client,
    /// One for each store: a platform that is down holds up nobody's turn.
    breakers: Arc<Mutex<HashMap<TenantId, Breaker>>>,
}

impl OrderLookUp {
    pub fn new(web: Pool<Web>, keyring: Arc<Keyring>, settings: &OutboundSettings) -> Result<Self, OutboundError> {
        Ok(Self {
            web,
            keyring,
            client: guarded_client(settings)?,
            breakers: Arc::default(),
        })
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The platform of a store, if calls to it are allowed just now.
    pub async fn connection(&self, tx: &mut Tx<Web>) -> Result<Option<Connection>, sqlx::Error> {
        let connection = platform::connection(tx, &self.keyring).await?;
        Ok(connection.filter(|_| self.breaker(tx.tenant_id()).allows_call()))
    }

    /// Fetches the order with the number and has it stored. False where the platform has none, or does not answer in time.
    pub async fn fetch(
        &self,
        tenant: TenantId,
        connection: &Connection,
        number: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let Some(platform) = vendors::platform(connection.kind) else {
            return Ok(false);
        };
        let throttle = Throttle::default();
        let api = Api {
            client: &self.client,
            connection,
            throttle: &throttle,
        };
        let asked = timeout(PLATFORM_DEADLINE, platform.order(&api, number))
            .await
            .unwrap_or_else(|_| Err(PlatformError::busy("the shop did not answer in time")));
        self.breaker(tenant)
            .record(!asked.as_ref().is_err_and(PlatformError::is_transient));
        let body = match asked {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::warn!(%error, "an order was not looked up at the shop");
                return Ok(false);
            }
        };
        let text = body.to_string();
        let event = incoming_webhooks::id_of_fetched(&text);
        let topic = platform.topic(Entity::Orders);
        let mut tx = self.web.begin(Scope::tenant(tenant)).await?;
        incoming_webhooks::store(&mut tx, (platform.source(), &event), topic, &text, now).await?;
        tx.commit().await?;
        let stored = timeout(STORE_DEADLINE, async {
            loop {
                let mut tx = self.web.begin(Scope::tenant(tenant)).await?;
                match incoming_webhooks::state(&mut tx, platform.source(), &event).await? {
                    Some(state) if state == "queued" => {}
                    state => return Ok(matches!(state.as_deref(), Some("done" | "ignored"))),
                }
                drop(tx);
                sleep(POLL).await;
            }
        });
        stored.await.unwrap_or(Ok(false))
    }

    fn breaker(&self, tenant: TenantId) -> Breaker {
        let mut all = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(tenant).or_default().clone()
    }
}
