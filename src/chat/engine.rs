//! What every turn runs with.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Limits;
use crate::{
    clock::Clock,
    model::{Model, budget::Meter},
    tenancy::{Pool, Web},
    tools::Registry,
};

pub(super) struct Engine {
    pub web: Pool<Web>,
    pub registry: Arc<Registry>,
    pub model: Arc<dyn Model>,
    /// None where answers cost nothing.
    pub meter: Option<Meter>,
    pub limits: Limits,
    pub clock: Clock,
    /// Turns that still run are to end now.
    pub stopping: CancellationToken,
}
