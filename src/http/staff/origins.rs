//! Routes for the allowed origins: the websites that may call the API from a browser.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    http::{
        extract::Body,
        problem::Problem,
        responses::{BadBody, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    tenancy::{Pool, Web, origins},
    validation::FieldError,
};

#[derive(Serialize, ToSchema)]
pub struct AllowedOrigins {
    #[schema(example = json!(["https://shop.example"]))]
    origins: Vec<String>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Scheme and host, such as `https://shop.example`.
    #[validate(length(min = 1, max = 300), custom(function = crate::text::single_line))]
    #[schema(example = "https://shop.example")]
    origin: String,
}

impl Origin {
    fn parse(&self) -> Result<String, Problem> {
        origins::parse(&self.origin).map_err(|message| {
            Problem::fields(vec![FieldError {
                field: "origin".into(),
                code: "unfit".into(),
                message: message.into(),
            }])
        })
    }
}

/// Lists the origins that may call the API from a browser.
#[utoipa::path(get, path = "/v1/staff/origins", operation_id = "listOrigins", tag = "staff", responses((status = 200, body = AllowedOrigins), Role, Unauthenticated))]
pub async fn list(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<AllowedOrigins>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let origins = origins::list(&mut tx).await?;
    Ok(Json(AllowedOrigins { origins }))
}

/// Allows an origin to call the API. All replicas know it within ten seconds.
#[utoipa::path(put, path = "/v1/staff/origins", operation_id = "addOrigin", tag = "staff", request_body = Origin,
    responses((status = 204), Role, Unauthenticated, BadBody))]
pub async fn allow(change: StaffChange, Body(origin): Body<Origin>) -> Result<StatusCode, Problem> {
    let origin = origin.parse()?;
    let mut tx = change.begin().await?;
    let said = change.statement();
    origins::set(&mut tx, (&origin, true), (said.session, said.request), said.at).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an allowed origin.
#[utoipa::path(delete, path = "/v1/staff/origins", operation_id = "removeOrigin", tag = "staff", request_body = Origin,
    responses((status = 204), NotFound, Role, Unauthenticated, BadBody))]
pub async fn forbid(change: StaffChange, Body(origin): Body<Origin>) -> Result<StatusCode, Problem> {
    let origin = origin.parse()?;
    let mut tx = change.begin().await?;
    let said = change.statement();
    let found = origins::set(&mut tx, (&origin, false), (said.session, said.request), said.at).await?;
    StaffChange::finish_noted(tx, found).await?;
    Ok(StatusCode::NO_CONTENT)
}
