//! The outbox: messages to other systems, one row for each receiver, written in the transaction that caused them.
//!
//! Law: the sender of a row holds it locked until the result is stored. A sender that dies loses the lock with its connection, and the row
//! is sent again with the same idempotency key, which the other side recognises.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::backoff::backoff;
use crate::{
    ids::TenantId,
    tenancy::{Executor, Pool, Role, Scope, Tx, Web},
};

/// The job that sends a row: `{"tenant", "id"}`.
pub const DELIVER: &str = "deliver";

/// How many attempts a row gets before it is given up: with the waits below about two days.
const MAX_ATTEMPTS: i32 = 14;
const FIRST_WAIT: Duration = Duration::seconds(15);
const MAX_WAIT: Duration = Duration::hours(6);

/// The channel over which a row is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Channel {
    Mail,
    Webhook,
    Payment,
    Shop,
    Crm,
}

impl Channel {
    pub const ALL: [Self; 5] = [Self::Mail, Self::Webhook, Self::Payment, Self::Shop, Self::Crm];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Payment => "payment",
            Self::Shop => "shop",
            Self::Crm => "crm",
        }
    }
}

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeliveryState {
    Queued,
    Done,
    /// Given up.
    Dead,
    Dropped,
}

/// Queues a row and the job that sends it. A key that exists already queues nothing. Payloads hold ids, never personal text.
pub async fn queue<R: Role>(
    tx: &mut Tx<R>,
    channel: Channel,
    kind: &str,
    key: &str,
    payload: Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    queue_for_later(tx, channel, kind, key, payload, (now, Duration::zero())).await
}

/// The same, but it is sent no sooner than `wait` after `now`.
pub async fn queue_for_later<R: Role>(
    tx: &mut Tx<R>,
    channel: Channel,
    kind: &str,
    key: &str,
    payload: Value,
    (now, wait): (DateTime<Utc>, Duration),
) -> Result<(), sqlx::Error> {
    let id = Uuid::now_v7();
    let queued = sqlx::query!(
        "INSERT INTO outbox (tenant_id, id, channel, kind, idempotency_key, payload, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (tenant_id, idempotency_key) DO NOTHING",
        tx.tenant_id().as_uuid(),
        id,
        channel as Channel as _,
        kind,
        key,
        payload,
        now,
        now + wait
    )
    .execute(&mut **tx)
    .await?;
    match queued.rows_affected() {
        0 => Ok(()),
        _ => enqueue(tx, id, wait).await,
    }
}

/// Queues the job that sends a row after `wait`.
async fn enqueue<R: Role>(tx: &mut Tx<R>, id: Uuid, wait: Duration) -> Result<(), sqlx::Error> {
    let seconds = wait.num_milliseconds() as f64 / 1000.0;
    sqlx::query!("SELECT queue_delivery($1, $2)", id, seconds)
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// A claimed row: nobody else can send it while this is held.
pub struct ClaimedDelivery {
    pub tx: Tx<Executor>,
    pub id: Uuid,
    pub channel: Channel,
    pub kind: String,
    /// The idempotency key, by which the other side recognises a row that is sent twice.
    pub key: String,
    pub payload: Value,
    attempts: i32,
}

/// The result of an attempt.
pub enum Sent {
    /// Delivered, perhaps with the other side's reference.
    Done(Option<String>),
    /// There is nobody to send it to, or it is no longer needed.
    Dropped(&'static str),
    /// Failed, and may be tried again, no sooner than the other side asks for.
    Retry {
        error: String,
        not_before: Option<Duration>,
    },
    /// The delivery was not tried, because the receiver has failed too often lately. It does not count as an attempt.
    Postponed,
    /// Failed for good: another attempt would not help.
    Never(String),
}

impl Sent {
    /// The name of the result in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Dropped(_) => "dropped",
            Self::Retry { .. } => "failed",
            Self::Postponed => "postponed",
            Self::Never(_) => "refused",
        }
    }
}

/// Claims a row to send. None when it was sent, or is being sent.
pub async fn claim(pool: &Pool<Executor>, tenant: TenantId, id: Uuid) -> Result<Option<ClaimedDelivery>, sqlx::Error> {
    let mut tx = pool.begin(Scope::tenant(tenant)).await?;
    let row = sqlx::query!(
        r#"SELECT channel AS "channel: Channel", kind, idempotency_key AS key, payload, attempts FROM outbox
        WHERE id = $1 AND state = 'queued' FOR UPDATE SKIP LOCKED"#,
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| ClaimedDelivery {
        tx,
        id,
        channel: row.channel,
        kind: row.kind,
        key: row.key,
        payload: row.payload,
        attempts: row.attempts,
    }))
}

impl ClaimedDelivery {
    /// Parses the row's payload. A payload that cannot be parsed is not tried again.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Sent> {
        let read = T::deserialize(&self.payload);
        read.map_err(|error| Sent::Never(format!("the row cannot be read: {error}")))
    }

    /// Records the result of the attempt, and queues another where that makes sense. True when the row was given up.
    pub async fn finish(mut self, sent: Sent, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let attempts = self.attempts + i32::from(!matches!(sent, Sent::Postponed));
        let (state, error, reference, wait) = match sent {
            Sent::Done(reference) => (DeliveryState::Done, None, reference, None),
            Sent::Dropped(reason) => (DeliveryState::Dropped, Some(reason.to_owned()), None, None),
            Sent::Never(error) => (DeliveryState::Dead, Some(error), None, None),
            Sent::Postponed => {
                let error = "not tried: the other side failed too often just now";
                (
                    DeliveryState::Queued,
                    Some(error.to_owned()),
                    None,
                    Some(backoff(1, FIRST_WAIT, MAX_WAIT)),
                )
            }
            Sent::Retry { error, .. } if attempts >= MAX_ATTEMPTS => (DeliveryState::Dead, Some(error), None, None),
            Sent::Retry { error, not_before } => {
                let wait = backoff(attempts, FIRST_WAIT, MAX_WAIT)
                    .max(not_before.unwrap_or_default())
                    .min(MAX_WAIT * 4);
                (DeliveryState::Queued, Some(error), None, Some(wait))
            }
        };
        sqlx::query!(
            "UPDATE outbox SET state = $2, attempts = $3, last_error = left($4, 500), reference = left($5, 200), due_at = $6,
                sent_at = CASE WHEN $2 = 'done' THEN $7::timestamptz END WHERE id = $1",
            self.id,
            state as DeliveryState as _,
            attempts,
            error,
            reference,
            wait.map(|wait| now + wait),
            now
        )
        .execute(&mut *self.tx)
        .await?;
        if let Some(wait) = wait {
            enqueue(&mut self.tx, self.id, wait).await?;
        }
        self.tx.commit().await?;
        Ok(state == DeliveryState::Dead)
    }
}

/// A row of the outbox, as staff see it.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Delivery {
    pub id: Uuid,
    pub channel: Channel,
    #[schema(example = "proposal_executed")]
    pub kind: String,
    /// The idempotency key that the other side sees.
    #[schema(example = "mail:proposal_executed:019a…")]
    pub key: String,
    pub state: DeliveryState,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The time of the next attempt.
    pub due_at: Option<DateTime<Utc>>,
    pub sent_at: Option<DateTime<Utc>>,
    pub reference: Option<String>,
}

/// Rows that the transaction may see, newest first; with `before`, only those before it.
pub async fn list(
    tx: &mut Tx<Web>,
    limit: u32,
    (state, channel): (Option<DeliveryState>, Option<Channel>),
    before: Option<Uuid>,
) -> Result<Vec<Delivery>, sqlx::Error> {
    sqlx::query_as!(
        Delivery,
        r#"SELECT id, channel AS "channel: Channel", kind, idempotency_key AS key, state AS "state: DeliveryState", attempts, last_error, created_at, due_at, sent_at, reference
        FROM outbox WHERE ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id < $3) AND ($4::text IS NULL OR channel = $4) ORDER BY id DESC LIMIT $1"#,
        i64::from(limit),
        state as Option<DeliveryState> as _,
        before,
        channel as Option<Channel> as _
    )
    .fetch_all(&mut **tx)
    .await
}

/// Tries a row that was given up again, with all attempts. False when there is no such row.
pub async fn retry(tx: &mut Tx<Web>, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let revived = sqlx::query!(
        "UPDATE outbox SET state = 'queued', attempts = 0, due_at = $2 WHERE id = $1 AND state = 'dead'",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    if revived.rows_affected() == 1 {
        enqueue(tx, id, Duration::zero()).await?;
    }
    Ok(revived.rows_affected() == 1)
}

/// Drops a row that has not been sent. False when there is no such row.
pub async fn discard(tx: &mut Tx<Web>, id: Uuid) -> Result<bool, sqlx::Error> {
    let dropped = sqlx::query!(
        "UPDATE outbox SET state = 'dropped', due_at = NULL WHERE id = $1 AND state IN ('queued', 'dead')",
        id
    )
    .execute(&mut **tx)
    .await?;
    Ok(dropped.rows_affected() == 1)
}
