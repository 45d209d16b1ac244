//! Routes for the business hours, when staff answer shoppers.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    chat::business_hours::{self, Hours},
    http::{
        extract::Body,
        problem::Problem,
        responses::{BadBody, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    tenancy::{Pool, Web},
    validation::FieldError,
};

#[derive(Serialize, ToSchema)]
pub struct StaffHours {
    /// Null if the store has set none. Staff then count as always available.
    hours: Option<Hours>,
}

/// Shows the business hours.
#[utoipa::path(get, path = "/v1/staff/hours", operation_id = "getBusinessHours", tag = "staff", responses((status = 200, body = StaffHours), Role, Unauthenticated))]
pub async fn read(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<StaffHours>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let hours = business_hours::read(&mut tx).await?;
    Ok(Json(StaffHours { hours }))
}

/// Sets the business hours. A shopper who asks for a person at another time is told when staff are back.
#[utoipa::path(put, path = "/v1/staff/hours", operation_id = "setBusinessHours", tag = "staff", request_body = Hours, responses((status = 204), Role, Unauthenticated, BadBody))]
pub async fn write(change: StaffChange, Body(hours): Body<Hours>) -> Result<StatusCode, Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    if !business_hours::is_time_zone(&mut tx, &hours.time_zone).await? {
        return Err(Problem::fields(vec![FieldError {
            field: "time_zone".into(),
            code: "unknown".into(),
            message: "must be a name such as Europe/Berlin or UTC".into(),
        }]));
    }
    business_hours::write(&mut tx, &hours, now).await?;
    change
        .finish(tx, true, "hours.change", ("hours", &hours.time_zone))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the business hours. Staff then count as always available.
#[utoipa::path(delete, path = "/v1/staff/hours", operation_id = "deleteBusinessHours", tag = "staff", responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn remove(change: StaffChange) -> Result<StatusCode, Problem> {
    let mut tx = change.begin().await?;
    let found = business_hours::remove(&mut tx).await?;
    change.finish(tx, found, "hours.remove", ("hours", "")).await?;
    Ok(StatusCode::NO_CONTENT)
}
