//! Integration tests: the real server over HTTP with a real Postgres. Each test has a database of its own.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

mod support;

mod approvals;
mod browser;
mod chat;
mod conformance;
mod identity;
mod integrations;
mod laws;
mod mail;
mod ops;
mod security;
