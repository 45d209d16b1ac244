//! What every turn shares: models, tools, pools, limits.

use std::sync::Arc;

use super::Limits;
use crate::{
    clock::Clock,
    keyring::Keyring,
    model::{Chain, StoreModels},
    telemetry::Metrics,
    tenancy::{Pool, Web},
    tools::Registry,
};

pub struct Engine {
    pub web: Pool<Web>,
    pub registry: Arc<Registry>,
    pub chain: Chain,
    /// The models that stores can choose as their first model.
    pub store_models: StoreModels,
    pub keyring: Arc<Keyring>,
    pub metrics: Metrics,
    pub limits: Limits,
    pub clock: Clock,
}
