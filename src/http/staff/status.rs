//! Routes that show staff whether the service works, and its rate limits.

use axum::{Json, extract::State};

use crate::{
    http::Limits,
    http::{
        operations::{Internal, Readiness},
        responses::{Role, Unauthenticated},
    },
    identity::StaffMember,
};

/// Shows whether the service works, and which dependencies are not called right now.
#[utoipa::path(get, path = "/v1/staff/status", tag = "staff", responses((status = 200, body = Readiness), Role, Unauthenticated))]
pub async fn status(_: StaffMember, State(internal): State<Internal>) -> Json<Readiness> {
    Json(internal.readiness().await)
}

/// Shows the rate limits of each replica. They are set for the whole server and not by a store: see `docs/limits.md`.
#[utoipa::path(get, path = "/v1/staff/limits", tag = "staff", responses((status = 200, body = Limits), Role, Unauthenticated))]
pub async fn limits(_: StaffMember, State(limits): State<Limits>) -> Json<Limits> {
    Json(limits)
}
