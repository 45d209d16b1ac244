//! Runs the job queue, which executes approved proposals, sends deliveries, processes incoming events and does housekeeping.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use graphile_worker::{
    Database, IntoTaskHandlerResult, LocalQueueConfig, RefetchDelayConfig, TaskHandler, WorkerContext, WorkerOptions,
    WorkerRecoveryConfig, WorkerShutdownConfig,
};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    approvals::{ProposalExecutor, expire},
    audit_heads,
    clock::Clock,
    identity,
    ids::{ProposalId, TenantId},
    integrations::{
        Outgoing, incoming_events,
        platform_sync::{self, SyncError},
    },
    jobs::{
        EXECUTE, HOUSEKEEPING, PROCESS_EVENTS, QueueError, SCHEMA, SYNC_PLATFORM, outbox::DELIVER,
        retrying_driver::RetryingDriver,
    },
    keyring::Keyring,
    model::budget,
    store::privacy,
    tenancy::{self, Pool, Scope},
};

#[derive(Deserialize, Serialize)]
struct ExecuteProposal {
    tenant: TenantId,
    proposal: ProposalId,
}

#[derive(Deserialize, Serialize)]
struct Deliver {
    tenant: TenantId,
    id: uuid::Uuid,
}

#[derive(Deserialize, Serialize)]
struct ProcessEvents {
    tenant: TenantId,
}

#[derive(Deserialize, Serialize)]
struct SyncPlatform {
    tenant: TenantId,
}

#[derive(Serialize)]
struct Housekeeping {}

impl<'de> Deserialize<'de> for Housekeeping {
    /// Ignores whatever payload the queue's cron sends.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

/// What job handlers work with.
#[derive(Clone)]
pub struct JobContext {
    pub executor: ProposalExecutor,
    pub outgoing: Outgoing,
    pub keyring: Arc<Keyring>,
    pub pool: Pool<tenancy::Executor>,
    pub clock: Clock,
    /// How long the texts of unused conversations are kept.
    pub retention: chrono::Duration,
}

impl std::fmt::Debug for JobContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobContext")
    }
}

impl TaskHandler for ExecuteProposal {
    const IDENTIFIER: &'static str = EXECUTE;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(tools) = context.get_ext::<JobContext>() else {
            return Err("the worker has no executor".to_owned());
        };
        match tools
            .executor
            .execute(self.tenant, self.proposal, tools.clock.now())
            .await
        {
            Ok(done) => {
                tracing::info!(proposal = %self.proposal, ?done, "a proposal was executed");
                Ok(())
            }
            Err(crate::approvals::ExecuteError::Database(error)) => Err(crate::telemetry::cause(&error)),
            Err(crate::approvals::ExecuteError::Ledger(error)) => {
                tracing::error!(proposal = %self.proposal, %error, "the money of a proposal cannot be moved as it was agreed");
                Err(error.to_string())
            }
        }
    }
}

impl TaskHandler for Deliver {
    const IDENTIFIER: &'static str = DELIVER;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(tools) = context.get_ext::<JobContext>() else {
            return Err("the worker delivers nothing".to_owned());
        };
        let delivered = tools
            .outgoing
            .deliver(&tools.pool, self.tenant, self.id, tools.clock.now());
        delivered.await.map_err(|error| crate::telemetry::cause(&error))
    }
}

impl TaskHandler for ProcessEvents {
    const IDENTIFIER: &'static str = PROCESS_EVENTS;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(tools) = context.get_ext::<JobContext>() else {
            return Err("the worker processes no events".to_owned());
        };
        let clock = tools.clock.clone();
        incoming_events::process_due(&tools.pool, &tools.keyring, self.tenant, || clock.now())
            .await
            .map(drop)
            .map_err(|error| crate::telemetry::cause(&error))
    }
}

impl TaskHandler for SyncPlatform {
    const IDENTIFIER: &'static str = SYNC_PLATFORM;

    /// A run that fails is begun again by the housekeeping, so that the job itself is never tried again.
    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(tools) = context.get_ext::<JobContext>() else {
            return Err("the worker fetches no records".to_owned());
        };
        match tools.outgoing.sync(&tools.pool, self.tenant, &tools.clock).await {
            Ok(progress) => {
                let changed: i64 = progress.iter().map(|progress| progress.changed).sum();
                tracing::info!(changed, "the records of a shop's platform were fetched");
            }
            Err(SyncError::Taken | SyncError::NotConnected) => {}
            Err(error) => tracing::error!(%error, "the records of a shop's platform were not fetched"),
        }
        Ok(())
    }
}

impl TaskHandler for Housekeeping {
    const IDENTIFIER: &'static str = HOUSEKEEPING;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(tools) = context.get_ext::<JobContext>() else {
            return Err("the worker has no pool".to_owned());
        };
        housekeeping(&tools.pool, &tools.keyring, &tools.clock, tools.retention)
            .await
            .map_err(|error| crate::telemetry::cause(&error))
    }
}

/// Processes waiting events, expires overdue proposals, publishes audit heads, releases lost budget reservations and deletes old data.
pub async fn housekeeping(
    pool: &Pool<tenancy::Executor>,
    keyring: &Keyring,
    clock: &Clock,
    retention: chrono::Duration,
) -> Result<(), sqlx::Error> {
    let now = clock.now();
    // Events that wait for a record that has not arrived have no job of their own, so they are processed here. A failure for one store does
    // not stop the events of other stores or the tasks below.
    let mut events = Ok(());
    for tenant in tenancy::all(pool).await? {
        let processed = incoming_events::process_due(pool, keyring, tenant, || clock.now()).await;
        events = events.and(processed.map(drop)).and(queue_sync(pool, tenant, now).await);
    }
    let done = [
        events,
        expire::expire_overdue(pool, now).await.map(drop),
        audit_heads::publish(pool, now).await.map(drop),
        budget::sweep(pool, now).await.map(drop),
        privacy::retain(pool, retention, now).await.map(drop),
        privacy::forget_guests(pool, now).await.map(drop),
        identity::delete_expired(pool, now).await,
    ];
    done.into_iter().collect()
}

/// Queues the fetching of a store's records where it is due.
async fn queue_sync(pool: &Pool<tenancy::Executor>, tenant: TenantId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin(Scope::tenant(tenant)).await?;
    if platform_sync::is_due(&mut tx, now).await? {
        platform_sync::request(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// How a worker stops. Once it is asked to, it takes no more jobs, and it has the grace period to finish running ones. Jobs that it has not
/// begun or not finished by then can be taken by another worker at once.
#[derive(Clone)]
pub struct Stop {
    pub asked: CancellationToken,
    pub grace: Duration,
}

/// Runs jobs until it is stopped. Deliveries have a worker of their own, so that a slow mail relay does not delay the execution of approved
/// proposals.
pub struct Worker {
    effects: graphile_worker::Worker,
    deliveries: graphile_worker::Worker,
}

impl Worker {
    /// Creates a worker that runs `concurrency` deliveries and as many other jobs at once. If a worker dies, others take its jobs within
    /// seconds.
    pub async fn new(tools: JobContext, concurrency: usize, stop: &Stop) -> Result<Self, QueueError> {
        let queue: PgPool = tools.pool.unscoped(|pool| async move { Ok(pool) }).await?;
        let effects = options(queue.clone(), concurrency, tools.clone(), stop)
            .define_job::<ExecuteProposal>()
            .define_job::<ProcessEvents>()
            .define_job::<SyncPlatform>()
            .define_job::<Housekeeping>()
            .with_cron(format!("* * * * * {HOUSEKEEPING}").as_str())
            .map_err(failed)?;
        let deliveries = options(queue, concurrency, tools, stop).define_job::<Deliver>();
        Ok(Self {
            effects: effects.init().await.map_err(failed)?,
            deliveries: deliveries.init().await.map_err(failed)?,
        })
    }

    /// Runs jobs until the worker has stopped.
    pub async fn run(&self) -> Result<(), QueueError> {
        tokio::try_join!(self.effects.run(), self.deliveries.run())
            .map(drop)
            .map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> QueueError {
    QueueError::Queue(error.to_string())
}

/// How long the library waits when the queue is empty. Without it, it would query thousands of times a second. A new job ends the wait.
const IDLE_REFETCH_DELAY: RefetchDelayConfig = RefetchDelayConfig {
    duration: Duration::from_millis(500),
    threshold: 0,
    max_abort_threshold: Some(1),
};

fn options(queue: PgPool, concurrency: usize, tools: JobContext, stop: &Stop) -> WorkerOptions {
    WorkerOptions::default()
        .schema(SCHEMA.to_owned())
        .concurrency(concurrency)
        .poll_interval(Duration::from_secs(1))
        // Without a local queue, a burst of jobs is processed at the pace of the poll interval. A batch whose worker dies is recovered
        // like any other job.
        .local_queue(LocalQueueConfig {
            size: 32,
            refetch_delay: Some(IDLE_REFETCH_DELAY),
            ..Default::default()
        })
        .database(Database::new(RetryingDriver::from(queue)))
        .worker_shutdown(
            WorkerShutdownConfig {
                listen_os_shutdown_signals: false,
                grace_period: stop.grace,
                interrupted_job_retry_delay: Duration::ZERO,
                shutdown_signal: None,
            }
            .shutdown_signal(stop.asked.clone().cancelled_owned()),
        )
        .worker_recovery(WorkerRecoveryConfig {
            enabled: true,
            heartbeat_interval: Duration::from_millis(500),
            sweep_interval: Duration::from_millis(500),
            sweep_threshold: Duration::from_millis(2_500),
            recovery_delay: Duration::ZERO,
            ..Default::default()
        })
        .add_extension(tools)
}
