//! Watches the models while the server runs: whether each answers is asked at the start, and again while it fails.
//!
//! A failed turn alone says little: the model is asked a question of our own before staff hear of an outage. What that costs is on no
//! store's budget.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{sleep, timeout};

use super::{ModelHealth, check::plain_with_a_tool, outages};
use crate::{
    clock::Clock,
    tenancy::{Executor, Pool},
};

/// The longest answer to the question. One sentence needs little of it; a model that reasons must come to the end of its reasoning,
/// where it shows how that is marked.
const MAX_OUTPUT_TOKENS: u32 = 512;
/// The least time between two questions, however often a model changes its mind.
const MIN_GAP: Duration = Duration::from_secs(10);

/// Asks models that may be away, and tells staff of an outage.
pub struct Watch {
    pub health: ModelHealth,
    pub pool: Pool<Executor>,
    pub clock: Clock,
    /// How often a model that fails is asked.
    pub every: Duration,
}

impl Watch {
    /// Watches until it is dropped.
    pub async fn run(self) {
        let gap = self.every.min(MIN_GAP);
        let changed = self.health.chain().changed();
        let (mut first_time, mut told) = (true, None);
        loop {
            self.ask(first_time).await;
            first_time = false;
            let outage = self.health.outage();
            let since = outage.map(|outage| outage.since);
            if told != Some(since) && self.settled() {
                match outages::record(&self.pool, outage.as_ref(), self.health.names(), self.clock.now()).await {
                    Ok(()) => told = Some(since),
                    Err(error) => {
                        tracing::warn!(error = %crate::telemetry::cause(&error), "staff could not be told of the model's state");
                    }
                }
            }
            sleep(gap).await;
            // Nothing is asked while every model answers and staff know it.
            let due = outage.is_some() || told != Some(since) || self.in_doubt();
            match due {
                true => drop(timeout(self.every.saturating_sub(gap), changed.notified()).await),
                false => changed.notified().await,
            }
        }
    }

    /// Asks each model whose state is in doubt, at once.
    async fn ask(&self, all: bool) {
        let links = self.health.chain().links().filter(|link| link.meter.is_some());
        let doubted = links.filter(|link| all || link.outage().is_some());
        join_all(doubted.map(|link| link.probe(plain_with_a_tool(MAX_OUTPUT_TOKENS)))).await;
    }

    fn in_doubt(&self) -> bool {
        self.health.chain().links().any(|link| link.outage().is_some())
    }

    /// Whether the first model's state is known.
    fn settled(&self) -> bool {
        let first = self.health.chain().links().next().and_then(super::Link::outage);
        first.is_none_or(|outage| outage.is_confirmed)
    }
}
