//! Fetches a store's records from the platform of its shop: once the whole history, then every night, or when staff ask, what has changed.
//!
//! A page of records is stored with the cursor of the next in one transaction, so that a run goes on where it ended, wherever it was cut off.
//! Records are the bodies of the platform's own events and mean the same (`event_source.rs`). What an event has brought already, by its
//! version, is passed over; in a later run, a record that is newer than what is known is one whose event was lost: it is counted as repaired.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    credentials::Kind,
    event_source::{Meaning, Source},
    incoming_events, incoming_webhooks,
    platform::{self, Api, Connection, Entity, Next, Page, Platform, PlatformError, Throttle},
    vendors,
};
use crate::{
    clock::Clock,
    ids::TenantId,
    keyring::Keyring,
    store::{
        records::{Record, VariantRecord},
        upsert::{self, UpsertError},
    },
    tenancy::{self, Executor, Pool, Role, Scope, Tenant, Tx},
};

/// How long before the last run's beginning a run looks for changes: clocks differ, and what is changing just then may be shown late.
const OVERLAP: chrono::Duration = chrono::Duration::minutes(10);
/// How long a run belongs to its runner after a page.
const LEASE: chrono::Duration = chrono::Duration::minutes(5);
/// How old a finished run is when the next begins.
pub const RUN_EVERY: chrono::Duration = chrono::Duration::hours(24);
/// How long the worker leaves a run alone that ended with an error. Whoever asks for it is not kept waiting.
const REST: chrono::Duration = chrono::Duration::minutes(15);
/// How often a page is tried when the platform is busy.
const TRIES: u32 = 6;
/// How often a file that the platform prepares may be lost before the run ends with an error.
const RESTARTS: u32 = 200;

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("the store is not connected with a shop; `countersign connect` does that")]
    NotConnected,
    #[error("another process fetches this store's records already")]
    Taken,
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error("the database: {}", crate::telemetry::cause(.0))]
    Database(#[from] sqlx::Error),
}

/// How far the records of a kind were fetched.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    pub entity: Entity,
    /// Whether the whole history is fetched, rather than what has changed.
    pub is_history: bool,
    pub fetched: i64,
    /// How many there will be, where the platform says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// How many were new, or newer than what was known.
    pub changed: i64,
    /// How many could not be stored. They are listed as incoming events that were given up.
    pub failed: i64,
    pub started_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How many records all runs after the history found changed that no event had told of.
    pub repaired: i64,
}

/// How far the store's records were fetched from its platform; empty where it has none.
pub async fn progress<R: Role>(tx: &mut Tx<R>) -> Result<Vec<Progress>, sqlx::Error> {
    sqlx::query_as!(
        Progress,
        r#"SELECT s.entity AS "entity: Entity", s.history_at IS NULL AS "is_history!", s.fetched, s.total, s.changed, s.failed, s.started_at, s.finished_at, s.last_error, s.repaired
        FROM platform_syncs s WHERE s.tenant_id = $1 AND s.platform = (SELECT i.kind FROM integrations i
            WHERE i.tenant_id = $1 AND i.is_platform AND i.revoked_at IS NULL ORDER BY i.created_at DESC, i.id DESC LIMIT 1)
        ORDER BY array_position(ARRAY['products', 'customers', 'orders'], s.entity)"#,
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await
}

/// The platform that a store is connected with.
pub struct Connected {
    pub source: Source,
    pub address: Option<String>,
    pub newest_event_at: Option<DateTime<Utc>>,
    pub connected_at: DateTime<Utc>,
}

/// The platform that the store is connected with; none where it has none.
pub async fn connected<R: Role>(tx: &mut Tx<R>) -> Result<Option<Connected>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT kind AS "kind: Kind", url, created_at FROM integrations WHERE tenant_id = $1 AND is_platform AND revoked_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT 1"#,
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some((platform, found)) = found.and_then(|found| Some((vendors::platform(found.kind)?, found))) else {
        return Ok(None);
    };
    let newest_event_at = sqlx::query_scalar!(
        "SELECT received_at FROM incoming_webhooks WHERE tenant_id = $1 AND source = $2 AND event_id NOT LIKE 'fetched:%' ORDER BY id DESC LIMIT 1",
        tx.tenant_id().as_uuid(),
        platform.source() as Source as _
    )
    .fetch_optional(&mut **tx)
    .await?;
    let url = found.url.as_deref().and_then(|url| reqwest::Url::parse(url).ok());
    Ok(Some(Connected {
        source: platform.source(),
        address: url.and_then(|url| url.host_str().map(str::to_owned)),
        newest_event_at,
        connected_at: found.created_at,
    }))
}

/// Whether a run is to be begun or gone on with by the worker: the history is not there yet, or the last run is a day old. A run that
/// somebody is working on is theirs.
pub async fn is_due(tx: &mut Tx<Executor>, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM platform_syncs s JOIN integrations i ON i.tenant_id = s.tenant_id AND i.kind = s.platform
                AND i.is_platform AND i.revoked_at IS NULL
            WHERE s.tenant_id = $1 AND (s.runner_until IS NULL OR s.runner_until < $2) AND (s.finished_at IS NULL OR s.finished_at < $3)) AS "due!""#,
        tx.tenant_id().as_uuid(),
        now,
        now - RUN_EVERY
    )
    .fetch_one(&mut **tx)
    .await
}

/// Queues a run for the worker.
pub async fn request<R: Role>(tx: &mut Tx<R>) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT queue_platform_sync()")
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// What a run works with.
pub struct Sync<'a> {
    pub pool: &'a Pool<Executor>,
    pub keyring: &'a Keyring,
    pub client: &'a reqwest::Client,
    pub clock: &'a Clock,
    /// Whether a run that another process works on is taken over from it, rather than left to it.
    pub take_over: bool,
}

/// A run of one kind of record.
struct Run {
    runner: Uuid,
    entity: Entity,
    since: Option<DateTime<Utc>>,
    cursor: Option<Value>,
}

impl Sync<'_> {
    /// Fetches the history if it is not there, else what has changed since the last run. Goes on with a run that was cut off. `on_page` hears
    /// of the progress after each page.
    pub async fn run(
        &self,
        tenant: TenantId,
        mut on_page: impl FnMut(&Progress) + Send,
    ) -> Result<Vec<Progress>, SyncError> {
        let mut tx = self.pool.begin(Scope::tenant(tenant)).await?;
        let store = tenancy::current(&mut tx).await?;
        let connection = platform::connection(&mut tx, self.keyring)
            .await?
            .ok_or(SyncError::NotConnected)?;
        drop(tx);
        let platform = vendors::platform(connection.kind).ok_or(SyncError::NotConnected)?;
        let throttle = Throttle::default();
        let api = Api {
            client: self.client,
            connection: &connection,
            throttle: &throttle,
        };
        for entity in Entity::ALL {
            let run = self.begin(tenant, &connection, entity).await?;
            let ended = self.fetch(&store, platform, &api, run, &mut on_page).await;
            if let Err(error) = &ended {
                let mut tx = self.pool.begin(Scope::tenant(tenant)).await?;
                sqlx::query!(
                    "UPDATE platform_syncs SET last_error = left($4, 500), runner = NULL, runner_until = $5 WHERE tenant_id = $1 AND platform = $2 AND entity = $3",
                    tenant.as_uuid(),
                    connection.kind.name(),
                    entity as Entity as _,
                    error.to_string(),
                    self.clock.now() + REST
                )
                .execute(&mut *tx)
                .await?;
                tx.commit().await?;
            }
            ended?;
        }
        let mut tx = self.pool.begin(Scope::tenant(tenant)).await?;
        Ok(progress(&mut tx).await?)
    }

    /// Takes the run of a kind of record that is under way, or begins the next.
    async fn begin(&self, tenant: TenantId, connection: &Connection, entity: Entity) -> Result<Run, SyncError> {
        let (runner, now) = (Uuid::now_v7(), self.clock.now());
        let mut tx = self.pool.begin(Scope::tenant(tenant)).await?;
        let taken = sqlx::query!(
            "INSERT INTO platform_syncs AS s (tenant_id, platform, entity, started_at, runner, runner_until) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (tenant_id, platform, entity) DO UPDATE SET runner = $5, runner_until = $6, last_error = NULL,
                since = CASE WHEN s.finished_at IS NULL THEN s.since ELSE s.started_at - $8::interval END,
                started_at = CASE WHEN s.finished_at IS NULL THEN s.started_at ELSE $4 END,
                cursor = CASE WHEN s.finished_at IS NULL THEN s.cursor END,
                total = CASE WHEN s.finished_at IS NULL THEN s.total END,
                fetched = CASE WHEN s.finished_at IS NULL THEN s.fetched ELSE 0 END,
                changed = CASE WHEN s.finished_at IS NULL THEN s.changed ELSE 0 END,
                failed = CASE WHEN s.finished_at IS NULL THEN s.failed ELSE 0 END,
                finished_at = NULL
            WHERE $7 OR s.runner IS NULL OR s.runner_until < $4
            RETURNING since, cursor",
            tenant.as_uuid(),
            connection.kind.name(),
            entity as Entity as _,
            now,
            runner,
            now + LEASE,
            self.take_over,
            sqlx::postgres::types::PgInterval::try_from(OVERLAP).map_err(sqlx::Error::Encode)?
        )
        .fetch_optional(&mut *tx)
        .await?;
        let taken = taken.ok_or(SyncError::Taken)?;
        tx.commit().await?;
        Ok(Run {
            runner,
            entity,
            since: taken.since,
            cursor: taken.cursor,
        })
    }

    async fn fetch(
        &self,
        store: &Tenant,
        platform: &dyn Platform,
        api: &Api<'_>,
        mut run: Run,
        on_page: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<(), SyncError> {
        let mut restarts = 0;
        loop {
            let page = patiently(|| platform.page(api, run.entity, run.since, run.cursor.as_ref())).await?;
            let wait = match &page.next {
                Next::Page { wait, .. } => *wait,
                Next::StartOver { wait } => {
                    restarts += 1;
                    if restarts > RESTARTS {
                        return Err(
                            PlatformError::busy("the shop did not prepare the records; try again later").into(),
                        );
                    }
                    *wait
                }
                Next::End => Duration::ZERO,
            };
            let progress = self.store(store, platform, api.connection, &run, &page).await?;
            on_page(&progress);
            run.cursor = match page.next {
                Next::Page { cursor, .. } => Some(cursor),
                Next::StartOver { .. } => None,
                Next::End => return Ok(()),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Stores a page and where the run goes on, in one transaction.
    async fn store(
        &self,
        store: &Tenant,
        platform: &dyn Platform,
        connection: &Connection,
        run: &Run,
        page: &Page,
    ) -> Result<Progress, SyncError> {
        let now = self.clock.now();
        let mut tx = self.pool.begin(Scope::tenant(store.id)).await?;
        let (mut changed, mut failed) = (0_i64, 0_i64);
        for body in &page.items {
            match self.store_one(&mut tx, store, platform, run, body, now).await? {
                Stored::Changed => changed += 1,
                Stored::Known => {}
                Stored::Failed => failed += 1,
            }
        }
        let (cursor, is_end) = match &page.next {
            Next::Page { cursor, .. } => (Some(cursor), false),
            Next::StartOver { .. } => (None, false),
            Next::End => (None, true),
        };
        let stored = sqlx::query_as!(
            Progress,
            r#"UPDATE platform_syncs SET cursor = $5, runner_until = CASE WHEN $6 THEN NULL ELSE $7::timestamptz END, runner = CASE WHEN $6 THEN NULL ELSE runner END,
                fetched = CASE WHEN $8 THEN 0 ELSE fetched END + $9, changed = changed + $10, failed = failed + $11, total = coalesce($12, total),
                repaired = repaired + CASE WHEN history_at IS NULL THEN 0 ELSE $10 END,
                finished_at = CASE WHEN $6 THEN $13::timestamptz END, history_at = CASE WHEN $6 THEN coalesce(history_at, $13) ELSE history_at END
            WHERE tenant_id = $1 AND platform = $2 AND entity = $3 AND runner = $4
            RETURNING entity AS "entity: Entity", since IS NULL AS "is_history!", fetched, total, changed, failed, started_at, finished_at, last_error, repaired"#,
            store.id.as_uuid(),
            connection.kind.name(),
            run.entity as Entity as _,
            run.runner,
            cursor,
            is_end,
            now + LEASE,
            matches!(page.next, Next::StartOver { .. }),
            i64::try_from(page.items.len()).unwrap_or(0),
            changed,
            failed,
            page.total.and_then(|total| i64::try_from(total).ok()),
            now
        )
        .fetch_optional(&mut *tx)
        .await?;
        // Another process has taken the run over: what it stores counts.
        let stored = stored.ok_or(SyncError::Taken)?;
        tx.commit().await?;
        Ok(stored)
    }

    async fn store_one(
        &self,
        tx: &mut Tx<Executor>,
        store: &Tenant,
        platform: &dyn Platform,
        run: &Run,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<Stored, SyncError> {
        let topic = platform.topic(run.entity);
        let (kind, id, version, records) = match vendors::of(platform.source()).meaning(topic, body, store) {
            Meaning::Records {
                kind,
                id,
                version,
                records,
            } => (kind, id, version, Records::Of(records)),
            Meaning::Variant {
                product,
                variant,
                version,
            } => (
                "product",
                variant.id.clone(),
                version,
                Records::Variant(product, variant),
            ),
            Meaning::Unreadable(reason) => {
                self.set_aside(tx, platform, topic, body, &reason, now).await?;
                return Ok(Stored::Failed);
            }
            _ => return Ok(Stored::Known),
        };
        sqlx::query("SAVEPOINT record").execute(&mut **tx).await?;
        if !incoming_webhooks::is_later(tx, kind, &id, version).await? {
            sqlx::query("RELEASE SAVEPOINT record").execute(&mut **tx).await?;
            return Ok(Stored::Known);
        }
        let stored = match &records {
            Records::Of(records) => incoming_events::store_records(tx, store, records).await.map(|_| true),
            Records::Variant(product, variant) => upsert::variant(tx, store, product, variant).await,
        };
        match stored {
            Ok(false) => {
                sqlx::query("ROLLBACK TO SAVEPOINT record").execute(&mut **tx).await?;
                self.set_aside(tx, platform, topic, body, "there is no such product", now)
                    .await?;
                Ok(Stored::Failed)
            }
            Ok(true) => {
                sqlx::query("RELEASE SAVEPOINT record").execute(&mut **tx).await?;
                Ok(Stored::Changed)
            }
            Err(error) => {
                let reason = match (incoming_events::fault_of_record(&error), error) {
                    (Some(reason), _) => reason,
                    (None, UpsertError::Database(error)) => return Err(error.into()),
                    (None, error) => error.to_string(),
                };
                sqlx::query("ROLLBACK TO SAVEPOINT record").execute(&mut **tx).await?;
                self.set_aside(tx, platform, topic, body, &reason, now).await?;
                Ok(Stored::Failed)
            }
        }
    }

    /// Lists a record that could not be stored as an event that was given up: staff see why, and may try it again.
    async fn set_aside(
        &self,
        tx: &mut Tx<Executor>,
        platform: &dyn Platform,
        topic: &str,
        body: &Value,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let event = incoming_webhooks::id_of_fetched(&body.to_string());
        incoming_webhooks::set_aside(tx, (platform.source(), &event), topic, body, reason, now).await
    }
}

/// What a record is stored as.
enum Records {
    Of(Vec<Record>),
    /// A variant of the product, which is known by its id at the platform.
    Variant(String, VariantRecord),
}

enum Stored {
    Changed,
    /// An event, or an earlier run, has brought it.
    Known,
    Failed,
}

/// Tries again while the platform is busy, with growing waits.
async fn patiently<'a, T>(
    ask: impl Fn() -> futures::future::BoxFuture<'a, Result<T, PlatformError>>,
) -> Result<T, PlatformError> {
    let mut wait = Duration::from_secs(1);
    for _ in 1..TRIES {
        match ask().await {
            Err(error) if error.is_transient() => {
                let asked_for = match &error {
                    PlatformError::Busy { retry_after, .. } => retry_after.unwrap_or_default(),
                    _ => Duration::ZERO,
                };
                tracing::warn!(%error, "the shop did not answer; it is asked again");
                tokio::time::sleep(wait.max(asked_for).min(Duration::from_secs(60))).await;
                wait *= 2;
            }
            ended => return ended,
        }
    }
    ask().await
}
