//! The staff's side, a file for each thing they do.

pub mod audit;
pub mod conversations;
pub mod doctor;
pub mod help;
pub mod hours;
pub mod incoming;
pub mod members;
pub mod origins;
pub mod outgoing;
pub mod payments;
pub mod policies;
pub mod queue;
pub mod sessions;
pub mod status;
pub mod store_keys;
pub mod usage;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};

use crate::{
    http::{problem::Problem, request_id},
    identity::StaffMember,
    tenancy::{
        Tx, Web,
        audit::{Entry, append},
    },
};

/// Notes in the audit what was done and commits; nothing was done where nothing was found.
async fn finish(
    mut tx: Tx<Web>,
    found: bool,
    staff: &StaffMember,
    action: &str,
    target: (&str, impl ToString),
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if !found {
        return Err(Problem::not_found());
    }
    let actor = staff.actor().in_request(request_id(headers));
    append(&mut tx, Entry::new(&actor, action, target, now)).await?;
    Ok(tx.commit().await?)
}
