//! Receives the webhooks of other systems. The signature is checked on the raw bytes before anything is parsed, each event is stored once,
//! and the answer is sent before the event is processed.

use std::net::IpAddr;

use axum::{body::Bytes, http::HeaderMap};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    credentials::{self, Credential},
    event_source::{Event, EventSource, Name, Outcome, Source},
    vendors,
};
use crate::{
    cpu_pool::{Busy, WEBHOOKS},
    ids::TenantId,
    jobs,
    keyring::Keyring,
    tenancy::{Executor, Pool, Scope, Tx, Web},
};

/// Why an event is refused.
#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    /// The event is not signed with a secret of this store, or its signature is too old.
    #[error("the signature is invalid or too old")]
    Signature,
    /// The event is signed, but is not JSON.
    #[error("the body is not a JSON object")]
    Body,
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// The event is stored.
    New,
    /// The event was stored before.
    Known,
    /// The sender tested whether the address answers; there is nothing to store.
    Test,
}

/// An event whose signature is valid.
struct Signed {
    name: Name,
    /// JSON, as it was sent.
    body: String,
}

/// How many topics one body is taken under.
const MAX_TOPICS: i32 = 8;

/// Checks and stores an event, and queues its processing.
///
/// Not every sender signs the topic, so the same body under another one is the same event. It means something else there, though: where
/// nothing came of it under the topics before, it is processed under the new one (`finish`). Once it was carried out, it never is again.
pub async fn take(
    web: &Pool<Web>,
    keyring: &Keyring,
    tenant: TenantId,
    source: Source,
    (caller, headers): (IpAddr, &HeaderMap),
    body: Bytes,
    now: DateTime<Utc>,
) -> Result<Received, IncomingError> {
    let sender = vendors::of(source);
    if sender.is_test(&body) {
        return Ok(Received::Test);
    }
    let mut tx = web.begin(Scope::tenant(tenant)).await?;
    let secrets = credentials::of(&mut tx, keyring, sender.secrets()).await?;
    drop(tx);
    let headers = headers.clone();
    let Signed { name, body } = WEBHOOKS
        .run(Some(caller), move || check(sender, &secrets, &headers, &body, now))
        .await??;
    let mut tx = web.begin(Scope::tenant(tenant)).await?;
    let is_new = store(&mut tx, (source, &name.id), &name.topic, &body, now).await?;
    tx.commit().await?;
    Ok(if is_new { Received::New } else { Received::Known })
}

/// Stores an event, a JSON object as text, and queues its processing. False when it was stored before.
pub async fn store(
    tx: &mut Tx<Web>,
    (source, event): (Source, &str),
    topic: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let stored = sqlx::query!(
        "INSERT INTO incoming_webhooks AS w (tenant_id, id, source, event_id, topic, topics, body, received_at, due_at, state)
        VALUES ($1, $2, $3, $4, $5, ARRAY[$5::text], $6::text::jsonb, $7, $7, 'queued')
        ON CONFLICT (tenant_id, source, event_id) DO UPDATE SET topics = w.topics || excluded.topic,
            topic = CASE w.state WHEN 'queued' THEN w.topic ELSE excluded.topic END,
            attempts = CASE w.state WHEN 'queued' THEN w.attempts ELSE 0 END,
            due_at = CASE w.state WHEN 'queued' THEN w.due_at ELSE excluded.due_at END, state = 'queued'
        WHERE w.state <> 'done' AND excluded.topic <> ALL (w.topics) AND w.body = excluded.body AND cardinality(w.topics) < $8",
        tx.tenant_id().as_uuid(),
        Uuid::now_v7(),
        source as Source as _,
        event,
        topic,
        body,
        now,
        MAX_TOPICS
    )
    .execute(&mut **tx)
    .await?;
    let is_new = stored.rows_affected() == 1;
    if is_new {
        jobs::enqueue_processing(tx, usize::from(rand::random::<u8>() % 8)).await?;
    }
    Ok(is_new)
}

/// The state of an event; none where there is no such event.
pub async fn state(tx: &mut Tx<Web>, source: Source, event: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT state FROM incoming_webhooks WHERE tenant_id = $1 AND source = $2 AND event_id = $3",
        tx.tenant_id().as_uuid(),
        source as Source as _,
        event
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Checks the signature, and that the body is JSON that can be stored. Costs milliseconds for a large body.
fn check(
    sender: &dyn EventSource,
    secrets: &[Credential],
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Signed, IncomingError> {
    if !sender.is_signed(secrets, headers, body, now) {
        return Err(IncomingError::Signature);
    }
    let json: Value = serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or(IncomingError::Body)?;
    // Postgres text cannot hold NUL, and nothing that a store sells has one in its name.
    if body.windows(6).any(|six| six == b"\\u0000") {
        return Err(IncomingError::Body);
    }
    let name = sender.name(headers, body, &json).ok_or(IncomingError::Body)?;
    let body = String::from_utf8(body.to_vec()).map_err(|_| IncomingError::Body)?;
    Ok(Signed { name, body })
}

/// Claims events that are due, oldest first; no other worker gets them until the transaction ends.
pub async fn claim(tx: &mut Tx<Executor>, most: i64, now: DateTime<Utc>) -> Result<Vec<Event>, sqlx::Error> {
    sqlx::query_as!(
        Event,
        r#"SELECT id, source AS "source: Source", topic, body, received_at, attempts FROM incoming_webhooks
        WHERE state = 'queued' AND due_at <= $2 ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        most,
        now
    )
    .fetch_all(&mut **tx)
    .await
}

/// How many attempts an event gets before it is given up: with the waits below about an hour.
const MAX_ATTEMPTS: i32 = 10;
const FIRST_WAIT: chrono::Duration = chrono::Duration::seconds(8);
const MAX_WAIT: chrono::Duration = chrono::Duration::hours(1);

/// Records the result of processing an event.
pub async fn finish(
    tx: &mut Tx<Executor>,
    event: &Event,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let attempts = event.attempts + 1;
    let (state, error) = match outcome {
        Outcome::Done => ("done", None),
        Outcome::DoneWith(notes) => ("done", Some(notes)),
        Outcome::Ignored(reason) => ("ignored", Some(reason.to_owned())),
        Outcome::Later(error) if attempts >= MAX_ATTEMPTS => ("dead", Some(error)),
        Outcome::Later(error) => ("queued", Some(error)),
    };
    if matches!(state, "ignored" | "dead") && try_next_topic(tx, event, now).await? {
        return Ok(());
    }
    let due_at = now + jobs::backoff(attempts, FIRST_WAIT, MAX_WAIT);
    sqlx::query!(
        "UPDATE incoming_webhooks SET state = $2, attempts = $3, due_at = $4, last_error = left($5, 500) WHERE id = $1",
        event.id,
        state,
        attempts,
        due_at,
        error
    )
    .execute(&mut **tx)
    .await?;
    if state == "dead" {
        tracing::error!(event = %event.id, topic = event.topic, "an incoming event was given up");
    }
    Ok(())
}

/// Queues an event of which nothing came under the next topic that the same body was sent under. False when there is none.
async fn try_next_topic(tx: &mut Tx<Executor>, event: &Event, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let queued = sqlx::query!(
        "UPDATE incoming_webhooks SET topic = topics[array_position(topics, topic) + 1], attempts = 0, due_at = $3
        WHERE tenant_id = $1 AND id = $2 AND topics[array_position(topics, topic) + 1] IS NOT NULL",
        tx.tenant_id().as_uuid(),
        event.id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(queued.rows_affected() == 1)
}

/// Whether a version of a thing is not older than all that were seen before; if so, it is remembered. Of two with the same version the one
/// that arrives later wins, because clocks of other systems may have whole seconds.
pub async fn is_newer(tx: &mut Tx<Executor>, kind: &str, external_id: &str, version: i64) -> Result<bool, sqlx::Error> {
    remember(tx, (kind, external_id), version, true).await
}

/// Whether a version of a thing is later than all that were seen before; if so, it is remembered.
pub async fn is_later(tx: &mut Tx<Executor>, kind: &str, external_id: &str, version: i64) -> Result<bool, sqlx::Error> {
    remember(tx, (kind, external_id), version, false).await
}

/// Remembers a version that is later than all before, or as late where that counts too. False where it is not.
async fn remember(
    tx: &mut Tx<Executor>,
    (kind, external_id): (&str, &str),
    version: i64,
    same_counts: bool,
) -> Result<bool, sqlx::Error> {
    let remembered = sqlx::query!(
        "INSERT INTO record_versions AS v (tenant_id, kind, external_id, version) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, kind, external_id) DO UPDATE SET version = excluded.version
        WHERE excluded.version > v.version OR $5 AND excluded.version = v.version",
        tx.tenant_id().as_uuid(),
        kind,
        external_id,
        version,
        same_counts
    )
    .execute(&mut **tx)
    .await?;
    Ok(remembered.rows_affected() == 1)
}

/// The id of an event whose body was fetched rather than sent: the same body is the same event. No sender's ids begin so.
pub fn id_of_fetched(body: &str) -> String {
    format!("fetched:{}", hex::encode(Sha256::digest(body.as_bytes())))
}

/// Lists an event that was given up before it was ever queued. One that is listed already stays as it is.
pub async fn set_aside(
    tx: &mut Tx<Executor>,
    (source, event): (Source, &str),
    topic: &str,
    body: &Value,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO incoming_webhooks (tenant_id, id, source, event_id, topic, body, received_at, due_at, state, attempts, last_error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 'dead', $8, left($9, 500)) ON CONFLICT (tenant_id, source, event_id) DO NOTHING",
        tx.tenant_id().as_uuid(),
        Uuid::now_v7(),
        source as Source as _,
        event,
        topic,
        body,
        now,
        MAX_ATTEMPTS,
        reason
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
