//! The operator's endpoints, on a separate listener: metrics, and whether this process is ready.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::net::TcpListener;

use super::health::HealthCheck;
use crate::{
    chat::Chat,
    clock::Clock,
    integrations::Outgoing,
    jobs::backlog,
    language::Language,
    model::{ModelHealth, budget::Caps},
    telemetry::Metrics,
    tenancy::Pools,
};

/// How long a request waits for the database. Metrics are then served without it, and the process is not ready.
const STATUS_QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// A client of external systems that are behind circuit breakers.
pub trait Dependency: Send + Sync {
    /// The name of each external system, and whether its circuit breaker is open.
    fn open_circuits(&self) -> Vec<(&'static str, bool)>;
}

impl Dependency for Chat {
    fn open_circuits(&self) -> Vec<(&'static str, bool)> {
        self.open_circuits()
    }
}

impl Dependency for Outgoing {
    fn open_circuits(&self) -> Vec<(&'static str, bool)> {
        self.open_circuits()
    }
}

#[derive(Clone)]
pub struct Internal {
    pub metrics: Metrics,
    pub pools: Pools,
    pub health_check: HealthCheck,
    pub dependencies: Arc<[Arc<dyn Dependency>]>,
    /// None in a process that asks no model.
    pub model_health: Option<ModelHealth>,
    pub clock: Clock,
}

/// Whether this process can do its work, and which dependencies it works without.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Readiness {
    pub ready: bool,
    pub version: &'static str,
    pub database: bool,
    /// Whether the database schema is up to date for this release.
    pub schema: bool,
    /// Dependencies that failed so often that they are not called for a moment. The service works without them.
    pub open_circuits: Vec<&'static str>,
    /// The first language model does not answer; nothing while it does.
    pub model_outage: Option<ModelOutage>,
}

/// Why the first language model does not answer, and who answers instead.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ModelOutage {
    pub since: DateTime<Utc>,
    /// The same by the store's clock, with its time zone; nothing where no store asks.
    #[schema(example = "2026-11-02 10:42 (Europe/Berlin)")]
    pub local_since: Option<String>,
    /// A stable name.
    #[schema(example = "key_refused")]
    pub error: &'static str,
    #[schema(example = "the provider refuses the key")]
    pub reason: String,
    /// What to do about it.
    pub mend: String,
    /// `second`, the other model, or `rules`.
    #[schema(example = "rules")]
    pub answered_by: &'static str,
}

impl ModelOutage {
    fn of(health: &ModelHealth) -> Option<Self> {
        let outage = health.outage()?;
        Some(Self {
            since: outage.since,
            local_since: None,
            error: outage.error.code(),
            reason: outage.error.reason(Language::EN),
            mend: outage.error.mend(health.names(), Language::EN),
            answered_by: outage.answered_by,
        })
    }
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, internal: Internal) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/ready", get(ready))
        .with_state(internal);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are served no more");
    }
}

async fn metrics(State(internal): State<Internal>) -> Response {
    internal.measure().await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], internal.metrics.text()).into_response()
}

async fn ready(State(internal): State<Internal>) -> Response {
    let readiness = internal.readiness().await;
    let status = match readiness.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness)).into_response()
}

impl Internal {
    async fn measure(&self) {
        let caps = Caps::default();
        let caps = (caps.store_day_micros, caps.store_month_micros);
        let measuring = backlog::measure(&self.pools.executor, &self.metrics, caps, self.clock.now());
        let measured = tokio::time::timeout(STATUS_QUERY_TIMEOUT, measuring).await;
        self.metrics.database_up(matches!(measured, Ok(Ok(()))));
        self.pools
            .connections()
            .into_iter()
            .for_each(|(role, idle, used)| self.metrics.connections(role, idle, used));
        for (name, is_open) in self.dependencies() {
            self.metrics.breaker(name, is_open);
        }
    }

    pub async fn readiness(&self) -> Readiness {
        let database = self.health_check.is_up().await;
        let schema = database
            && tokio::time::timeout(STATUS_QUERY_TIMEOUT, self.pools.web.has_schema())
                .await
                .unwrap_or(false);
        let open = self.dependencies().into_iter().filter(|(_, is_open)| *is_open);
        Readiness {
            ready: database && schema,
            version: crate::VERSION,
            database,
            schema,
            open_circuits: open.map(|(name, _)| name).collect(),
            model_outage: self.model_health.as_ref().and_then(ModelOutage::of),
        }
    }

    fn dependencies(&self) -> Vec<(&'static str, bool)> {
        let all = self
            .dependencies
            .iter()
            .flat_map(|dependency| dependency.open_circuits());
        all.collect()
    }
}
