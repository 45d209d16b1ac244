//! Chat: from a message to its answer.

mod budget;
mod business_hours;
mod handoff;
mod languages;
mod model_dialects;
mod model_failures;
mod model_streams;
mod orders;
mod rules;
mod sending;
mod store_model;
