//! The routes for staff. Each file has the routes of one topic.

pub mod approval_queue;
pub mod audit;
pub mod business_hours;
pub mod conversations;
pub mod deliveries;
pub mod doctor;
pub mod help;
pub mod incoming_events;
pub mod members;
pub mod model;
pub mod origins;
pub mod payments;
pub mod policies;
pub mod sessions;
pub mod shop;
pub mod status;
pub mod store_keys;
pub mod usage;
pub mod webhook_endpoints;

use axum::{extract::FromRequestParts, http::request::Parts};
use chrono::{DateTime, Utc};

use crate::{
    http::{App, problem::Problem, request_id},
    identity::StaffMember,
    ledger::Statement,
    tenancy::{
        Pool, Tx, Web,
        audit::{Actor, Entry, append},
    },
};

/// An extractor for routes by which staff change something: one transaction that ends with an audit entry.
pub struct StaffChange {
    pub staff: StaffMember,
    pub now: DateTime<Utc>,
    web: Pool<Web>,
    request: Option<String>,
}

impl FromRequestParts<App> for StaffChange {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self {
            staff: StaffMember::from_request_parts(parts, app).await?,
            now: app.clock.now(),
            web: app.web.clone(),
            request: request_id(&parts.headers),
        })
    }
}

impl StaffChange {
    /// Begins the change's transaction, which sees only the store of the member of staff.
    async fn begin(&self) -> Result<Tx<Web>, Problem> {
        Ok(self.web.begin(self.staff.scope()).await?)
    }

    /// The one who makes it, for the audit.
    fn actor(&self) -> Actor {
        self.staff.actor().in_request(self.request.clone())
    }

    /// In which session this caller speaks, where the database demands one: about money, a parcel, or the store's rules.
    fn statement(&self) -> Statement<'_> {
        Statement {
            session: self.staff.session(),
            request: self.request.as_deref(),
            at: self.now,
        }
    }

    /// Commits what the database has noted in the audit by itself. Where nothing was found nothing was done: 404.
    async fn finish_noted(tx: Tx<Web>, found: bool) -> Result<(), Problem> {
        match found {
            true => Ok(tx.commit().await?),
            false => Err(Problem::not_found()),
        }
    }

    /// Notes in the audit what was done, and commits. Where nothing was found nothing was done: 404.
    async fn finish(
        self,
        mut tx: Tx<Web>,
        found: bool,
        action: &str,
        target: (&str, impl ToString),
    ) -> Result<(), Problem> {
        if !found {
            return Err(Problem::not_found());
        }
        append(&mut tx, Entry::new(&self.actor(), action, target, self.now)).await?;
        Ok(tx.commit().await?)
    }
}
