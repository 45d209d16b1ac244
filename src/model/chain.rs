//! Who is asked, in which order: the model, another one if there is one, and the rules that answer without any.

use std::sync::Arc;

use futures::{StreamExt, stream};

use super::{Chunk, ChunkStream, Model, ModelError, OfflineModel, Prompt, Source, budget::Meter};
use crate::breaker::Breaker;

/// A model, what counts its cost, and the breaker before it.
pub struct Link {
    /// In metrics: `first`, `second` or `rules`.
    pub name: &'static str,
    /// None where answers cost nothing.
    pub meter: Option<Meter>,
    model: Arc<dyn Model>,
    breaker: Breaker,
}

impl Link {
    /// Starts an answer, unless the model has failed too often just now.
    pub fn answer(&self, prompt: Prompt) -> ChunkStream {
        if !self.breaker.allows_call() {
            return stream::iter([Err(ModelError::Resting)]).boxed();
        }
        let breaker = self.breaker.clone();
        let watched = self.model.answer(prompt).inspect(move |chunk| match chunk {
            Ok(Chunk::End(_)) => breaker.record(true),
            Err(fault) if fault.is_outage() => breaker.record(false),
            _ => {}
        });
        watched.boxed()
    }

    pub fn source(&self) -> Source {
        self.model.source()
    }

    pub fn is_resting(&self) -> bool {
        self.breaker.is_open()
    }
}

/// Links in the order in which they are asked.
pub struct Chain(Vec<Link>);

impl Chain {
    /// One model and nothing behind it.
    pub fn of(model: Arc<dyn Model>) -> Self {
        Self(vec![link("first", model, None)])
    }

    /// Metered models, and the rules when none of them answers.
    pub fn with_rules(models: impl IntoIterator<Item = (Arc<dyn Model>, Meter)>) -> Self {
        let models = ["first", "second"].into_iter().zip(models);
        let mut links: Vec<Link> = models
            .map(|(name, (model, meter))| link(name, model, Some(meter)))
            .collect();
        links.push(link("rules", Arc::new(OfflineModel), None));
        Self(links)
    }

    pub fn get(&self, position: usize) -> Option<&Link> {
        self.0.get(position)
    }

    /// The place of what costs nothing and is there whatever else is not.
    pub fn last(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.0.iter()
    }
}

fn link(name: &'static str, model: Arc<dyn Model>, meter: Option<Meter>) -> Link {
    Link {
        name,
        meter,
        model,
        breaker: Breaker::default(),
    }
}
