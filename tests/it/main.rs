//! Drives the real server over HTTP against a real Postgres; each test has a database of its own.

mod support;

mod access;
mod adversary;
mod alerts;
mod approvals;
mod assertions;
mod budget;
mod calm;
mod chat;
mod checklist;
mod commands;
mod database_laws;
mod doctor;
mod doctor_live;
mod end_to_end;
mod import;
mod incoming;
mod integration_target;
mod limits;
mod logs;
mod model_failures;
mod injection;
mod openapi;
mod orders;
mod outgoing;
mod privacy;
mod probe;
mod problems;
mod replay;
mod restart;
mod sessions;
mod sign_in;
mod staff_sign_in;
mod watched;
mod write_tools;
