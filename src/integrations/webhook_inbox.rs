//! The events that other systems sent, as staff see them. Their bodies are not shown, because they hold shoppers' data.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event_source::Source;
use crate::{
    jobs,
    tenancy::{Tx, Web},
};

/// The state of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ReceivedState {
    Queued,
    Done,
    /// An unknown topic, or older than what is stored.
    Ignored,
    /// Given up; staff may try it again.
    Dead,
}

/// An event.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct IncomingEvent {
    pub id: Uuid,
    pub source: Source,
    #[schema(example = "orders/updated")]
    pub topic: String,
    pub state: ReceivedState,
    pub attempts: i32,
    /// Why the last attempt failed, or what of the event could not be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub received_at: DateTime<Utc>,
}

/// Events, newest first; with `before`, only those before it.
pub async fn list(
    tx: &mut Tx<Web>,
    limit: u32,
    state: Option<ReceivedState>,
    before: Option<Uuid>,
) -> Result<Vec<IncomingEvent>, sqlx::Error> {
    sqlx::query_as!(
        IncomingEvent,
        r#"SELECT id, source AS "source: Source", topic, state AS "state: ReceivedState", attempts, last_error, received_at
        FROM incoming_webhooks WHERE ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $1"#,
        i64::from(limit),
        state as Option<ReceivedState> as _,
        before
    )
    .fetch_all(&mut **tx)
    .await
}

/// Tries an event that was given up again, with all attempts. False when there is no such event.
pub async fn retry(tx: &mut Tx<Web>, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let revived = sqlx::query!(
        "UPDATE incoming_webhooks SET state = 'queued', attempts = 0, due_at = $2 WHERE id = $1 AND state = 'dead'",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    let found = revived.rows_affected() == 1;
    if found {
        jobs::enqueue_processing(tx, 0).await?;
    }
    Ok(found)
}
