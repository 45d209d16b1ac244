//! `/health`: fast, without detail, apart from everything else.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, ProblemDetails};
use crate::tenancy::{Pool, Web};

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`; anything else is a 503.
    #[schema(example = "ok")]
    status: &'static str,
    /// The release that answers.
    version: &'static str,
}

/// Whether the service can do its work.
#[utoipa::path(get, path = "/health", tag = "operations", security(()), responses(
    (status = 200, body = Health),
    (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "A dependency is away; `detail` names it")))]
pub async fn health(State(web): State<Pool<Web>>) -> Result<Json<Health>, Problem> {
    match tokio::time::timeout(PATIENCE, web.is_reachable()).await {
        Ok(true) => Ok(Json(Health {
            status: "ok",
            version: env!("CARGO_PKG_VERSION"),
        })),
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The database is away.",
        )),
    }
}
