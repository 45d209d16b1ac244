//! What handlers can ask for.

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

/// Events that are stored at once. The rest waits, and leaves connections to the database for shoppers.
const WEBHOOKS_AT_ONCE: usize = 4;

/// What handlers can ask for. Each takes only the piece it uses.
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
    pub outside: Outside,
    /// What stands before a guest's session, if anything.
    pub challenge: Option<Challenge>,
    pub health_check: HealthCheck,
    pub drain: Drain,
    pub doctor: Doctor,
    pub internal: Internal,
    /// How often requests are taken.
    pub limits: Limits,
}

/// Whether cookies are for HTTPS alone.
#[derive(Clone, Copy)]
pub struct SecureCookies(pub bool);

/// What is needed to deal with other systems.
#[derive(Clone)]
pub struct Outside {
    pub keyring: Arc<Keyring>,
    /// Whether webhooks may be told on this machine.
    pub allow_loopback: bool,
    /// Places for events that are being stored.
    pub(super) places: Arc<Semaphore>,
}

impl Outside {
    pub fn new(keyring: Arc<Keyring>, allow_loopback: bool) -> Self {
        Self {
            keyring,
            allow_loopback,
            places: Arc::new(Semaphore::new(WEBHOOKS_AT_ONCE)),
        }
    }
}
