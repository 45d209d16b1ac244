//! Whether everything works, for people.

use axum::{Json, extract::State};

use crate::{
    http::{
        documented::{Role, Unauthenticated},
        internal::{Internal, Readiness},
    },
    identity::StaffMember,
};

/// Says what works and what is left alone just now.
#[utoipa::path(get, path = "/v1/staff/status", tag = "staff", responses((status = 200, body = Readiness), Role, Unauthenticated))]
pub async fn status(_: StaffMember, State(internal): State<Internal>) -> Json<Readiness> {
    Json(internal.readiness().await)
}
