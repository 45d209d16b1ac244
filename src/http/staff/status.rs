//! Whether everything works, for people.

use axum::{Json, extract::State};

use crate::{
    http::Limits,
    http::{
        operations::{Internal, Readiness},
        responses::{Role, Unauthenticated},
    },
    identity::StaffMember,
};

/// Says what works and what is left alone just now.
#[utoipa::path(get, path = "/v1/staff/status", tag = "staff", responses((status = 200, body = Readiness), Role, Unauthenticated))]
pub async fn status(_: StaffMember, State(internal): State<Internal>) -> Json<Readiness> {
    Json(internal.readiness().await)
}

/// Says how often requests are taken, by each replica. Set for the whole server, not by a store: see `docs/limits.md`.
#[utoipa::path(get, path = "/v1/staff/limits", tag = "staff", responses((status = 200, body = Limits), Role, Unauthenticated))]
pub async fn limits(_: StaffMember, State(limits): State<Limits>) -> Json<Limits> {
    Json(limits)
}
