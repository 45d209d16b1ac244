//! `/health`: fast, without detail, apart from everything else.

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

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer is good for everybody who asks meanwhile: a flood of questions is one question to the database.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// Whether the database answers, remembered for a moment.
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
        // Held while the database is asked: whoever comes meanwhile gets the same answer.
        let mut last = self.last.lock().await;
        if let Some((at, is_up)) = *last
            && at.elapsed() < GOOD_FOR
        {
            return is_up;
        }
        let is_up = tokio::time::timeout(PATIENCE, self.web.is_reachable())
            .await
            .unwrap_or(false);
        *last = Some((Instant::now(), is_up));
        is_up
    }
}

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
    (status = 503, body = ProblemDetails, content_type = "application/problem+json", description = "A dependency is away, or the replica is stopping; `detail` says which")))]
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
