//! The application state that handlers extract from.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::Semaphore;

use super::{Doctor, Drain, HealthCheck, Limits, operations::Internal};
use crate::{
    chat::Chat,
    clock::Clock,
    identity::Identity,
    integrations::challenge::Challenge,
    keyring::Keyring,
    model::StoreModels,
    tenancy::{Pool, Reader, Web},
    tools::Registry,
};

/// How many incoming webhooks are stored at once. The others wait, so that database connections remain for shoppers.
const MAX_CONCURRENT_WEBHOOKS: usize = 4;

/// The application state. Each handler extracts only the parts that it uses.
#[derive(Clone, FromRef)]
pub struct App {
    pub reader: Pool<Reader>,
    pub web: Pool<Web>,
    pub identity: Identity,
    pub chat: Chat,
    pub registry: Arc<Registry>,
    /// The models that stores can choose among.
    pub store_models: StoreModels,
    pub clock: Clock,
    pub secure_cookies: SecureCookies,
    pub webhooks: WebhookState,
    /// The challenge that a browser solves before it gets a guest session, if there is one.
    pub challenge: Option<Challenge>,
    pub health_check: HealthCheck,
    pub drain: Drain,
    pub doctor: Doctor,
    pub internal: Internal,
    /// The rate limits.
    pub limits: Limits,
}

/// Whether cookies are sent only over HTTPS.
#[derive(Clone, Copy)]
pub struct SecureCookies(pub bool);

/// What the handlers of incoming webhooks and of webhook endpoints need.
#[derive(Clone)]
pub struct WebhookState {
    pub keyring: Arc<Keyring>,
    /// Whether webhook endpoints may be on this machine.
    pub allow_loopback: bool,
    /// Limits how many incoming webhooks are stored at once.
    pub(super) places: Arc<Semaphore>,
}

impl WebhookState {
    pub fn new(keyring: Arc<Keyring>, allow_loopback: bool) -> Self {
        Self {
            keyring,
            allow_loopback,
            places: Arc::new(Semaphore::new(MAX_CONCURRENT_WEBHOOKS)),
        }
    }
}
