//! Who is asked, in which order: the model, another one if there is one, and the rules that answer without any.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::{Chunk, ChunkStream, Model, ModelError, OfflineModel, Prompt, Source, budget::Meter, per_model::PerModel};
use crate::breaker::Breaker;

/// The name of the link that is asked first.
const FIRST: &str = "first";

/// A model, what counts its cost, and the breaker before it.
pub struct Link {
    /// In metrics: `first`, `second` or `rules`.
    pub name: &'static str,
    /// None where answers cost nothing.
    pub meter: Option<Meter>,
    model: Arc<dyn Model>,
    state: PerModel<LinkState>,
}

/// How a link's model has answered of late. Clones share it.
#[derive(Clone, Default)]
struct LinkState {
    breaker: Breaker,
    /// Until when the provider asked to be left alone.
    rests_until: Arc<Mutex<Option<Instant>>>,
    /// How many tokens the model can read and write together; 0 while it is not known.
    window: Arc<AtomicU32>,
}

impl LinkState {
    fn answered(&self) {
        self.breaker.record(true);
    }

    fn failed(&self, error: ModelError) {
        if error.is_outage() {
            self.breaker.record(false);
        }
        match error {
            ModelError::RateLimited(Some(seconds)) => {
                *lock(&self.rests_until) = Some(Instant::now() + Duration::from_secs(seconds.into()));
            }
            ModelError::ContextTooLong(Some(tokens)) => self.window.store(tokens, Ordering::Relaxed),
            _ => {}
        }
    }

    fn allows_call(&self) -> bool {
        let rests = lock(&self.rests_until).is_some_and(|until| Instant::now() < until);
        !rests && self.breaker.allows_call()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    fn new(name: &'static str, model: Arc<dyn Model>, meter: Option<Meter>) -> Self {
        let state = LinkState::default();
        state
            .window
            .store(model.context_tokens().unwrap_or(0), Ordering::Relaxed);
        Self {
            name,
            meter,
            model,
            state: PerModel::new(state),
        }
    }

    /// The prompt as this link is asked it. What a store chooses among is served by the first endpoint; any other link asks its own model.
    pub fn own_prompt(&self, prompt: &Prompt) -> Prompt {
        let mut prompt = prompt.clone();
        prompt.model = prompt.model.filter(|_| self.name == FIRST);
        prompt
    }

    /// Starts an answer, unless the model has failed too often just now, or its provider has asked to be left alone.
    pub fn answer(&self, prompt: Prompt) -> ChunkStream {
        let state = self.state_of(&prompt);
        if !state.allows_call() {
            return stream::iter([Err(ModelError::Resting)]).boxed();
        }
        let watched = self.model.answer(prompt).inspect(move |chunk| match chunk {
            Ok(Chunk::End(..)) => state.answered(),
            Err(error) => state.failed(*error),
            Ok(_) => {}
        });
        watched.boxed()
    }

    pub fn source(&self) -> Source {
        self.model.source()
    }

    pub fn is_resting(&self) -> bool {
        self.state.any(|state| state.breaker.is_open())
    }

    /// How many tokens the model that `prompt` goes to can read and write together, set beforehand or learnt from a refusal.
    pub fn window(&self, prompt: &Prompt) -> Option<u32> {
        let window = self.state_of(prompt).window.load(Ordering::Relaxed);
        Some(window).filter(|tokens| *tokens > 0)
    }

    /// How the model that `prompt` goes to has answered of late: one that a store has chosen and that fails is not in the way of the others.
    fn state_of(&self, prompt: &Prompt) -> LinkState {
        let chosen = prompt.model.as_ref().filter(|_| self.name == FIRST);
        self.state.of(chosen, LinkState::default)
    }
}

/// Links in the order in which they are asked.
pub struct Chain(Vec<Link>);

impl Chain {
    /// One model and nothing behind it.
    pub fn of(model: Arc<dyn Model>) -> Self {
        Self(vec![Link::new(FIRST, model, None)])
    }

    /// Metered models, and the rules when none of them answers.
    pub fn with_rules(models: impl IntoIterator<Item = (Arc<dyn Model>, Meter)>) -> Self {
        let models = [FIRST, "second"].into_iter().zip(models);
        let mut links: Vec<Link> = models
            .map(|(name, (model, meter))| Link::new(name, model, Some(meter)))
            .collect();
        links.push(Link::new("rules", Arc::new(OfflineModel), None));
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
