//! From a message to its answer.

mod budget;
mod business_hours;
mod handoff;
mod languages;
mod model_failures;
mod orders;
mod rules;
mod sending;
