//! Drives the real server over HTTP against a real Postgres; each test has a database of its own.

mod support;

mod adversary;
mod approvals;
mod chat;
mod checklist;
mod commands;
mod database_laws;
mod import;
mod model_failures;
mod openapi;
mod orders;
mod problems;
mod replay;
mod restart;
mod sessions;
mod write_tools;
