//! State kept separately for the endpoint's default model and for each model that stores choose, because one model's failures say nothing
//! about another.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::PricedModel;

/// Clones share what is kept. There are as many entries as the operator has priced models, at most.
#[derive(Clone)]
pub struct PerModel<T> {
    own: T,
    chosen: Arc<Mutex<BTreeMap<Arc<str>, T>>>,
}

impl<T: Clone> PerModel<T> {
    /// With what is kept for the endpoint's own model.
    pub fn new(own: T) -> Self {
        Self {
            own,
            chosen: Arc::default(),
        }
    }

    /// What is kept for the endpoint's own model.
    pub fn own(&self) -> &T {
        &self.own
    }

    /// What is kept for `model`, which is the endpoint's own where a store has chosen none. A model that is met for the first
    /// time begins with `new`.
    pub fn of(&self, model: Option<&PricedModel>, new: impl FnOnce() -> T) -> T {
        let Some(model) = model else { return self.own.clone() };
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.entry(model.name.clone()).or_insert_with(new).clone()
    }

    /// Whether `holds` is true for the state of any model.
    pub fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        holds(&self.own) || chosen.values().any(holds)
    }
}
