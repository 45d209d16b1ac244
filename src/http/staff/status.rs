//! Routes that show staff whether the service works, and its rate limits.

use axum::{Json, extract::State};

use crate::{
    clock::local_text,
    http::{
        Limits,
        operations::{Internal, Readiness},
        problem::Problem,
        responses::{Role, Unauthenticated},
    },
    identity::StaffMember,
    tenancy::{self, Pool, Web},
};

/// Shows whether the service works, and which dependencies are not called right now.
#[utoipa::path(get, path = "/v1/staff/status", operation_id = "getStatus", tag = "staff", responses((status = 200, body = Readiness), Role, Unauthenticated))]
pub async fn status(
    staff: StaffMember,
    State(internal): State<Internal>,
    State(web): State<Pool<Web>>,
) -> Result<Json<Readiness>, Problem> {
    let mut readiness = internal.readiness().await;
    if let Some(outage) = &mut readiness.model_outage {
        let mut tx = web.begin(staff.scope()).await?;
        outage.local_since = Some(local_text(outage.since, &tenancy::time_zone(&mut tx).await?));
    }
    Ok(Json(readiness))
}

/// Shows the rate limits of each replica. They are set for the whole server and not by a store: see `docs/limits.md`.
#[utoipa::path(get, path = "/v1/staff/limits", operation_id = "getLimits", tag = "staff", responses((status = 200, body = Limits), Role, Unauthenticated))]
pub async fn limits(_: StaffMember, State(limits): State<Limits>) -> Json<Limits> {
    Json(limits)
}
