//! `/health`, which tells load balancers and monitors whether the service works.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::{
    drain::Drain,
    problem::{Problem, ProblemDetails},
};
use crate::tenancy::{Pool, Web};

/// How long the database may take to answer.
const HEALTH_QUERY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a result is reused, so that many health requests cause one query.
const CACHE_TTL: Duration = Duration::from_secs(1);

/// Checks whether the database answers, and caches the result for [`CACHE_TTL`].
#[derive(Clone)]
pub struct HealthCheck {
    web: Pool<Web>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl HealthCheck {
    pub fn new(web: Pool<Web>) -> Self {
        Self {
            web,
            last: Arc::default(),
        }
    }

    pub async fn is_up(&self) -> bool {
        // The lock is held while the database is asked, so that concurrent callers share one result.
        let mut last = self.last.lock().await;
        if let Some((at, is_up)) = *last
            && at.elapsed() < CACHE_TTL
        {
            return is_up;
        }
        let is_up = tokio::time::timeout(HEALTH_QUERY_TIMEOUT, self.web.is_reachable())
            .await
            .unwrap_or(false);
        *last = Some((Instant::now(), is_up));
        is_up
    }
}

#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`. A service that is not healthy answers 503 instead.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version of this service.
    version: &'static str,
}

/// Whether the service can do its work.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", tag = "operations", security(()), responses(
    (status = 200, body = Health),
    (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "The database does not answer, or the replica is stopping; `detail` says which")))]
pub async fn health(
    State(health_check): State<HealthCheck>,
    State(drain): State<Drain>,
) -> Result<Json<Health>, Problem> {
    if drain.has_begun() {
        return Err(unavailable("This replica is stopping."));
    }
    match health_check.is_up().await {
        true => Ok(Json(Health {
            status: "ok",
            version: crate::VERSION,
        })),
        false => Err(unavailable("The database is away.")),
    }
}

fn unavailable(detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}
