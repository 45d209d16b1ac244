//! Whether the first model answers, and who does instead.

use chrono::{DateTime, Utc};

use super::{Chain, ModelError, Outage, SettingNames, Wire};

/// Whether the first model answers, for whoever is told of it.
#[derive(Clone)]
pub struct ModelHealth {
    chain: Chain,
    names: SettingNames,
}

/// The first model does not answer, and somebody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOutage {
    pub since: DateTime<Utc>,
    pub error: ModelError,
    /// The link that answers: `second` or `rules`.
    pub answered_by: &'static str,
}

impl ModelHealth {
    /// `wire` is that of the first model; what its settings are called depends on it.
    pub fn new(chain: Chain, wire: Wire) -> Self {
        Self {
            chain,
            names: SettingNames::first(wire),
        }
    }

    /// None while the first model answers, and until its failure is confirmed.
    pub fn outage(&self) -> Option<ModelOutage> {
        let confirmed = |outage: &Outage| outage.is_confirmed;
        let mut links = self.chain.links();
        let outage = links.next()?.outage().filter(confirmed)?;
        let answers = links.find(|link| !link.outage().is_some_and(|outage| confirmed(&outage)));
        Some(ModelOutage {
            since: outage.since,
            error: outage.error,
            answered_by: answers.map_or("rules", |link| link.name),
        })
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What the first model's settings are called.
    pub fn names(&self) -> &SettingNames {
        &self.names
    }
}
