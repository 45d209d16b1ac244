//! Operating the service: commands, deployment, monitoring, backups and failures of dependencies.

mod alerts;
mod backup;
mod commands;
mod dependency_failures;
mod doctor;
mod doctor_live;
mod migrations;
mod observability;
pub mod probe;
mod restart;
