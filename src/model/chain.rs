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

use super::{Chunk, ChunkStream, Model, ModelError, OfflineModel, Prompt, Source, budget::Meter};
use crate::{breaker::Breaker, clock::Clock};

/// A model, what counts its cost, and the breaker before it.
pub struct Link {
    /// In metrics: `first`, `second` or `rules`.
    pub name: &'static str,
    /// None where answers cost nothing.
    pub meter: Option<Meter>,
    model: Arc<dyn Model>,
    state: LinkState,
}

/// Since when a link's model fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    pub since: DateTime<Utc>,
    /// How it failed last.
    pub error: ModelError,
    /// It failed at a question of our own too, so that no shopper's conversation can be the reason.
    pub is_confirmed: bool,
}

/// How a link's model has answered of late. Clones share it.
#[derive(Clone, Default)]
struct LinkState {
    breaker: Breaker,
    clock: Clock,
    outage: Arc<Mutex<Option<Outage>>>,
    /// Told when an outage begins, and when a confirmed one ends.
    trouble: Arc<Notify>,
    /// Until when the provider asked to be left alone.
    rests_until: Arc<Mutex<Option<Instant>>>,
    /// How many tokens the model can read and write together; 0 while it is not known.
    window: Arc<AtomicU32>,
}

impl LinkState {
    fn answered(&self) {
        self.breaker.note(true);
        if lock(&self.outage).take().is_some_and(|outage| outage.is_confirmed) {
            self.trouble.notify_one();
        }
    }

    fn failed(&self, error: ModelError) {
        if error.is_outage() {
            self.breaker.note(false);
            self.note_outage(error, false);
        }
        match error {
            ModelError::RateLimited(Some(seconds)) => {
                *lock(&self.rests_until) = Some(Instant::now() + Duration::from_secs(seconds.into()));
            }
            ModelError::ContextTooLong(Some(tokens)) => self.window.store(tokens, Ordering::Relaxed),
            _ => {}
        }
    }

    /// An outage keeps its beginning for as long as nothing is answered.
    fn note_outage(&self, error: ModelError, is_confirmed: bool) {
        let mut outage = lock(&self.outage);
        let known = *outage;
        *outage = Some(Outage {
            since: known.map_or_else(|| self.clock.now(), |known| known.since),
            error,
            is_confirmed: is_confirmed || known.is_some_and(|known| known.is_confirmed),
        });
        if known.is_none() {
            self.trouble.notify_one();
        }
    }

    /// Whether the provider asked to be left alone for now.
    fn rests(&self) -> bool {
        lock(&self.rests_until).is_some_and(|until| Instant::now() < until)
    }

    fn lets_through(&self) -> bool {
        !self.rests() && self.breaker.lets_through()
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
        (clock, trouble): (Clock, Arc<Notify>),
    ) -> Self {
        let state = LinkState {
            clock,
            trouble,
            ..LinkState::default()
        };
        state
            .window
            .store(model.context_tokens().unwrap_or(0), Ordering::Relaxed);
        Self {
            name,
            meter,
            model,
            state,
        }
    }

    /// Starts an answer, unless the model has failed too often just now, or its provider has asked to be left alone.
    pub fn answer(&self, prompt: Prompt) -> ChunkStream {
        if !self.state.lets_through() {
            return stream::iter([Err(ModelError::Resting)]).boxed();
        }
        let state = self.state.clone();
        let watched = self.model.answer(prompt).inspect(move |chunk| match chunk {
            Ok(Chunk::End(..)) => state.answered(),
            Err(error) => state.failed(*error),
            Ok(_) => {}
        });
        watched.boxed()
    }

    /// Asks a question of our own, past the breaker, and notes how it went. A provider that asked to be left alone is.
    pub async fn probe(&self, prompt: Prompt) {
        if self.state.rests() {
            return;
        }
        match self.model.answer(prompt).try_for_each(|_| async { Ok(()) }).await {
            Ok(()) => self.state.answered(),
            Err(error) => {
                self.state.failed(error);
                self.state.note_outage(error, true);
            }
        }
    }

    /// None while the model answers.
    pub fn outage(&self) -> Option<Outage> {
        *lock(&self.state.outage)
    }

    pub fn source(&self) -> Source {
        self.model.source()
    }

    pub fn is_resting(&self) -> bool {
        self.state.breaker.is_open()
    }

    /// How many tokens the model can read and write together, set beforehand or learnt from a refusal.
    pub fn window(&self) -> Option<u32> {
        Some(self.state.window.load(Ordering::Relaxed)).filter(|tokens| *tokens > 0)
    }
}

/// Links in the order in which they are asked. Clones share them.
#[derive(Clone)]
pub struct Chain {
    links: Arc<[Link]>,
    trouble: Arc<Notify>,
}

impl Chain {
    /// One model and nothing behind it.
    pub fn of(model: Arc<dyn Model>) -> Self {
        let trouble = Arc::new(Notify::new());
        let link = Link::new("first", model, None, (Clock::system(), trouble.clone()));
        Self {
            links: Arc::new([link]),
            trouble,
        }
    }

    /// Metered models, and the rules when none of them answers.
    pub fn with_rules(models: impl IntoIterator<Item = (Arc<dyn Model>, Meter)>, clock: &Clock) -> Self {
        let trouble = Arc::new(Notify::new());
        let told = || (clock.clone(), trouble.clone());
        let models = ["first", "second"].into_iter().zip(models);
        let mut links: Vec<Link> = models
            .map(|(name, (model, meter))| Link::new(name, model, Some(meter), told()))
            .collect();
        links.push(Link::new("rules", Arc::new(OfflineModel), None, told()));
        Self {
            links: links.into(),
            trouble,
        }
    }

    pub fn get(&self, position: usize) -> Option<&Link> {
        self.links.get(position)
    }

    /// The place of what costs nothing and is there whatever else is not.
    pub fn last(&self) -> usize {
        self.links.len().saturating_sub(1)
    }

    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// Told when a link begins to fail, and when one that failed answers again.
    pub(super) fn trouble(&self) -> Arc<Notify> {
        self.trouble.clone()
    }
}
