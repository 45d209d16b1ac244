//! Operating the service: commands, deployment, monitoring, backups and failures of dependencies.

mod alerts;
mod backup;
mod commands;
mod demo_model;
mod dependency_failures;
mod doctor;
mod doctor_live;
mod migrations;
mod model_check;
mod model_outage;
mod observability;
pub mod probe;
mod restart;
