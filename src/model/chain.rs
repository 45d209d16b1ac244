//! Who is asked, in which order: the model, another one if there is one, and the rules that answer without any.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::{sync::Notify, time::Instant};

use super::{
    AnswerSource, Chunk, ChunkStream, FallbackRules, Model, ModelError, Prompt, budget::Meter, per_model::PerModel,
};
use crate::{breaker::Breaker, clock::Clock};

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

/// A link's model does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    pub since: DateTime<Utc>,
    /// How it failed last.
    pub error: ModelError,
    /// It failed at a question of the watch too, so no shopper's conversation is the reason.
    pub is_confirmed: bool,
}

/// The recent health of a link's model: its breaker, the pause its provider asked for and its context window. Clones share it.
#[derive(Clone, Default)]
struct LinkState {
    breaker: Breaker,
    clock: Clock,
    outage: Arc<Mutex<Option<Outage>>>,
    /// Notified when an outage begins, and when a confirmed one ends.
    changed: Arc<Notify>,
    /// Until when the provider asked to be left alone.
    paused_until: Arc<Mutex<Option<Instant>>>,
    /// How many tokens the model can read and write together; 0 while it is not known.
    window: Arc<AtomicU32>,
}

impl LinkState {
    fn answered(&self) {
        self.breaker.record(true);
        if lock(&self.outage).take().is_some_and(|outage| outage.is_confirmed) {
            self.changed.notify_one();
        }
    }

    fn failed(&self, error: ModelError) {
        if error.is_outage() {
            self.breaker.record(false);
            self.record_outage(error, false);
        }
        match error {
            ModelError::RateLimited(Some(seconds)) => {
                *lock(&self.paused_until) = Some(Instant::now() + Duration::from_secs(seconds.into()));
            }
            ModelError::ContextTooLong(Some(tokens)) => self.window.store(tokens, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Records a failure. An outage keeps its start until the model answers.
    fn record_outage(&self, error: ModelError, is_confirmed: bool) {
        let mut outage = lock(&self.outage);
        let known = *outage;
        *outage = Some(Outage {
            since: known.map_or_else(|| self.clock.now(), |known| known.since),
            error,
            is_confirmed: is_confirmed || known.is_some_and(|known| known.is_confirmed),
        });
        if known.is_none() {
            self.changed.notify_one();
        }
    }

    /// Whether the provider asked not to be called for now.
    fn is_paused(&self) -> bool {
        lock(&self.paused_until).is_some_and(|until| Instant::now() < until)
    }

    fn allows_call(&self) -> bool {
        !self.is_paused() && self.breaker.allows_call()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    fn new(
        name: &'static str,
        model: Arc<dyn Model>,
        meter: Option<Meter>,
        (clock, changed): (Clock, Arc<Notify>),
    ) -> Self {
        let state = LinkState {
            clock,
            changed,
            ..LinkState::default()
        };
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

    /// A copy of the prompt for this link. Only the first link honours the store's choice of model.
    pub fn for_link(&self, prompt: &Prompt) -> Prompt {
        let mut prompt = prompt.clone();
        prompt.model = prompt.model.filter(|_| self.name == FIRST);
        prompt
    }

    /// Starts an answer, unless the model has failed too often just now, or its provider has asked to be left alone.
    pub fn answer(&self, prompt: Prompt) -> ChunkStream {
        let state = self.state_of(&prompt);
        if !state.allows_call() {
            return stream::iter([Err(ModelError::CircuitOpen)]).boxed();
        }
        let watched = self.model.answer(prompt).inspect(move |chunk| match chunk {
            Ok(Chunk::End(..)) => state.answered(),
            Err(error) => state.failed(*error),
            Ok(_) => {}
        });
        watched.boxed()
    }

    /// Asks the link's own model a question past the breaker, and records whether it answered. A provider that asked not to be called is
    /// not asked.
    pub async fn probe(&self, prompt: Prompt) {
        let state = self.state.own();
        if state.is_paused() {
            return;
        }
        match self.model.answer(prompt).try_for_each(|_| async { Ok(()) }).await {
            Ok(()) => state.answered(),
            Err(error) => {
                state.failed(error);
                state.record_outage(error, true);
            }
        }
    }

    /// None while the model answers.
    pub fn outage(&self) -> Option<Outage> {
        *lock(&self.state.own().outage)
    }

    pub fn source(&self) -> AnswerSource {
        self.model.source()
    }

    pub fn is_circuit_open(&self) -> bool {
        self.state.any(|state| state.breaker.is_open())
    }

    /// How many tokens the model that `prompt` goes to can read and write together, set beforehand or learnt from a refusal.
    pub fn window(&self, prompt: &Prompt) -> Option<u32> {
        let window = self.state_of(prompt).window.load(Ordering::Relaxed);
        Some(window).filter(|tokens| *tokens > 0)
    }

    /// The health of the model that answers `prompt`. Each chosen model has its own, so that one failing model does not block the others.
    fn state_of(&self, prompt: &Prompt) -> LinkState {
        let chosen = prompt.model.as_ref().filter(|_| self.name == FIRST);
        self.state.of(chosen, LinkState::default)
    }
}

/// Links in the order in which they are asked. Clones share them.
#[derive(Clone)]
pub struct Chain {
    links: Arc<[Link]>,
    changed: Arc<Notify>,
}

impl Chain {
    /// One model and nothing behind it.
    pub fn of(model: Arc<dyn Model>) -> Self {
        let changed = Arc::new(Notify::new());
        let link = Link::new(FIRST, model, None, (Clock::system(), changed.clone()));
        Self {
            links: Arc::new([link]),
            changed,
        }
    }

    /// Metered models, and the rules when none of them answers.
    pub fn with_rules(models: impl IntoIterator<Item = (Arc<dyn Model>, Meter)>, clock: &Clock) -> Self {
        let changed = Arc::new(Notify::new());
        let shared = || (clock.clone(), changed.clone());
        let models = [FIRST, "second"].into_iter().zip(models);
        let mut links: Vec<Link> = models
            .map(|(name, (model, meter))| Link::new(name, model, Some(meter), shared()))
            .collect();
        links.push(Link::new("rules", Arc::new(FallbackRules), None, shared()));
        Self {
            links: links.into(),
            changed,
        }
    }

    pub fn get(&self, position: usize) -> Option<&Link> {
        self.links.get(position)
    }

    /// The position of the fallback rules, the last link. They cost nothing and are always available.
    pub fn last(&self) -> usize {
        self.links.len().saturating_sub(1)
    }

    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Notified when a link begins to fail, and when one that failed answers again.
    pub(super) fn changed(&self) -> Arc<Notify> {
        self.changed.clone()
    }
}
