//! Countersign: a self-hosted chatbot backend for online stores. The model proposes, a person countersigns.
//!
//! Each module is a room; a module imports only from those below it in this list. `docs/architecture.md` shows how they hang together.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::expect_used))]

/// The version that runs: the image's tag, or the crate's version.
pub const VERSION: &str = match option_env!("COUNTERSIGN_VERSION") {
    Some(tag) => tag,
    None => env!("CARGO_PKG_VERSION"),
};

pub mod cli;
pub mod doctor;
pub mod config;
pub mod web;
pub mod http;
pub mod worker;
pub mod chat;
pub mod tools;
pub mod approvals;
pub mod model;
pub mod identity;
pub mod audit_heads;
pub mod integrations;
pub mod store;
pub mod mail;
pub mod ledger;
pub mod jobs;
pub mod tenancy;
pub mod telemetry;

pub mod breaker;
pub mod clock;
pub mod cpu_pool;
pub mod ids;
pub mod keyring;
pub mod language;
pub mod money;
pub mod network;
pub mod text;
pub mod validation;
