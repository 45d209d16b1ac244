//! The job queue: graphile_worker on Postgres. A job is queued in the transaction that causes the work.
//!
//! A job holds only ids, so that the queue's own tables hold no personal data.

mod backoff;
pub mod backlog;
pub mod outbox;
pub mod retrying_driver;

pub use backoff::backoff;

use sqlx::{
    AssertSqlSafe,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    ids::ProposalId,
    tenancy::{Role, Tx, bootstrap::OWNER},
};

/// The schema of the queue's tables.
pub const SCHEMA: &str = "graphile_worker";
/// The job that executes an approved proposal: `{"tenant", "proposal"}`.
pub const EXECUTE: &str = "execute_proposal";
/// The job that processes a tenant's incoming events: `{"tenant"}`.
pub const PROCESS_EVENTS: &str = "process_events";
/// The job that fetches a tenant's records from the platform of its shop: `{"tenant"}`.
pub const SYNC_PLATFORM: &str = "sync_platform";
/// The job that expires proposals, recovers lost work and deletes what has expired.
pub const HOUSEKEEPING: &str = "housekeeping";

#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the job queue: {0}")]
    Queue(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Queues the execution of an approved proposal. The key makes it one job, however often it is queued. The database refuses it for a
/// proposal that is not approved.
pub async fn enqueue_execution<R: Role>(tx: &mut Tx<R>, proposal: ProposalId) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT queue_execution($1)", proposal.as_uuid())
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// Queues the processing of a tenant's incoming events. One job serves all events that arrive before it runs. `shard`, 0 to 7, keeps
/// concurrent callers from waiting for one another's commit.
pub async fn enqueue_processing<R: Role>(tx: &mut Tx<R>, shard: usize) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT queue_processing($1)", shard as i32)
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// Migrates the queue's schema as the owner, and lets the executor run jobs. The web role adds jobs only through functions that check what
/// a job is about (`queue_execution` and its like).
pub async fn migrate(admin: &PgConnectOptions) -> Result<(), QueueError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(format!("SET ROLE {OWNER}")))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .connect_with(admin.clone())
        .await?;
    graphile_worker_migrations::migrate(&pool, SCHEMA.to_owned())
        .await
        .map_err(|error| QueueError::Queue(error.to_string()))?;
    // The library enables row-level security without a policy, which shuts out everybody but the owner.
    let grants = r#"DO $$
        DECLARE tbl record;
        BEGIN
            REVOKE ALL ON SCHEMA graphile_worker FROM countersign_web;
            REVOKE ALL ON ALL FUNCTIONS IN SCHEMA graphile_worker FROM PUBLIC, countersign_web;
            REVOKE ALL ON ALL SEQUENCES IN SCHEMA graphile_worker FROM countersign_web;
            REVOKE ALL ON ALL TABLES IN SCHEMA graphile_worker FROM countersign_web;
            GRANT USAGE ON SCHEMA graphile_worker TO countersign_executor;
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA graphile_worker TO countersign_executor;
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA graphile_worker TO countersign_executor;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA graphile_worker TO countersign_executor;
            FOR tbl IN SELECT c.oid::regclass AS name FROM pg_class c WHERE relnamespace = 'graphile_worker'::regnamespace AND relkind = 'r' AND relrowsecurity
                AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid) LOOP
                EXECUTE format('CREATE POLICY queue ON %s TO countersign_executor USING (true) WITH CHECK (true)', tbl.name);
            END LOOP;
        END $$"#;
    sqlx::raw_sql(grants).execute(&pool).await?;
    pool.close().await;
    Ok(())
}
