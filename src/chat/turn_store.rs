//! Stores a turn: its start, the renewal of its lease, its end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::{
    ChatError,
    events::{Author, Event, Message, Numbered},
};
use crate::{
    ids::{ConversationId, MessageId, TurnId},
    language::{Language, TextKey},
    model::AnswerSource,
    tenancy::{Tx, Web},
    tools::{
        Outcome,
        write::{WriteTool, hand_off::HandOff},
    },
};

/// How long a turn may go without renewing its lease before another process closes it.
pub(super) const LEASE: Duration = Duration::from_secs(6);

/// The message that closes an interrupted turn.
const INTERRUPTED: TextKey = TextKey("answer-interrupted");

/// A turn that was started before with the same key.
pub(super) struct KnownTurn {
    pub id: TurnId,
    pub request_hash: Vec<u8>,
}

pub(super) async fn find_by_key(tx: &mut Tx<Web>, key: &str) -> Result<Option<KnownTurn>, sqlx::Error> {
    sqlx::query_as!(
        KnownTurn,
        r#"SELECT id AS "id: TurnId", request_hash FROM turns WHERE idempotency_key = $1"#,
        key
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A turn that is about to run.
pub(super) struct NewTurn<'a> {
    pub id: TurnId,
    pub conversation: ConversationId,
    pub message: MessageId,
    pub text: &'a str,
    pub key: Option<&'a str>,
    pub request_hash: [u8; 32],
    pub now: DateTime<Utc>,
}

/// Stores the turn and the shopper's message together. False when another request has taken the key meanwhile.
pub(super) async fn start(
    tx: &mut Tx<Web>,
    shopper: crate::ids::ShopperId,
    new: &NewTurn<'_>,
) -> Result<bool, ChatError> {
    let stored = sqlx::query!(
        r#"WITH turn AS (
            INSERT INTO turns (tenant_id, shopper_id, id, conversation_id, idempotency_key, request_hash, status, lease_until, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $8)
            ON CONFLICT (tenant_id, shopper_id, idempotency_key) DO NOTHING RETURNING id)
        INSERT INTO messages (tenant_id, shopper_id, id, conversation_id, turn_id, author, source, body, created_at)
        SELECT $1, $2, $9, $4, turn.id, 'shopper', 'shopper', $10, $8 FROM turn"#,
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        new.id.as_uuid(),
        new.conversation.as_uuid(),
        new.key,
        &new.request_hash[..],
        new.now + LEASE,
        new.now,
        new.message.as_uuid(),
        new.text
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("turns_running") => ChatError::TurnInProgress,
        _ => error.into(),
    })?;
    Ok(stored.rows_affected() == 1)
}

/// Renews the lease of a running turn. False when it was closed by somebody else.
pub(super) async fn renew(tx: &mut Tx<Web>, turn: TurnId, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query!(
        "UPDATE turns SET lease_until = $2 WHERE id = $1 AND status = 'running'",
        turn.as_uuid(),
        now + LEASE
    )
    .execute(&mut **tx)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// One tool call, as it is stored.
pub(super) struct CallRecord {
    pub tool: String,
    pub arguments: String,
    pub outcome: Outcome,
    pub reason: Option<&'static str>,
    pub at: DateTime<Utc>,
}

impl CallRecord {
    /// Whether the call asked for a person of the staff.
    pub fn called_a_person(&self) -> bool {
        self.outcome == Outcome::Proposed && self.tool == HandOff::CONTRACT.name
    }
}

/// Text of a model, cut to a length and without NUL, which Postgres text cannot hold.
pub(super) fn bounded(text: &str, characters: usize) -> String {
    text.chars().filter(|&c| c != '\0').take(characters).collect()
}

/// How a turn ended.
pub(super) struct Ending<'a> {
    pub turn: TurnId,
    pub conversation: ConversationId,
    pub message: &'a Message,
    pub calls: &'a [CallRecord],
    pub events: &'a [Numbered],
    pub interrupted: bool,
}

/// Stores a turn's answer, calls and events, all or nothing. False when another process has closed the turn.
pub(super) async fn end(
    tx: &mut Tx<Web>,
    shopper: crate::ids::ShopperId,
    ending: &Ending<'_>,
) -> Result<bool, sqlx::Error> {
    let ids: Vec<_> = ending.calls.iter().map(|_| uuid::Uuid::now_v7()).collect();
    let tools: Vec<_> = ending.calls.iter().map(|call| call.tool.clone()).collect();
    let arguments: Vec<_> = ending.calls.iter().map(|call| call.arguments.clone()).collect();
    let outcomes: Vec<_> = ending
        .calls
        .iter()
        .map(|call| call.outcome.as_str().to_owned())
        .collect();
    let reasons: Vec<_> = ending
        .calls
        .iter()
        .map(|call| call.reason.unwrap_or_default().to_owned())
        .collect();
    let times: Vec<_> = ending.calls.iter().map(|call| call.at).collect();
    let ended = sqlx::query!(
        r#"WITH turn AS (
            UPDATE turns SET status = $4, events = $5, finished_at = $6 WHERE id = $3 AND status = 'running' RETURNING id),
        calls AS (
            INSERT INTO tool_calls (tenant_id, shopper_id, id, turn_id, tool, arguments, outcome, reason, created_at)
            SELECT $1, $2, c.id, turn.id, c.tool, c.arguments, c.outcome, nullif(c.reason, ''), c.at
            FROM turn, unnest($7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[])
                AS c(id, tool, arguments, outcome, reason, at)),
        touched AS (UPDATE conversations SET updated_at = $6 FROM turn WHERE conversations.id = $13)
        INSERT INTO messages (tenant_id, shopper_id, id, conversation_id, turn_id, author, source, body, created_at, citations, suggestions)
        SELECT $1, $2, $14, $13, turn.id, $15, $16, $17, $6, nullif($18::jsonb, '[]'), $19 FROM turn"#,
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        ending.turn.as_uuid(),
        if ending.interrupted { "interrupted" } else { "done" },
        Json(ending.events) as _,
        ending.message.created_at,
        &ids,
        &tools,
        &arguments,
        &outcomes,
        &reasons,
        &times,
        ending.conversation.as_uuid(),
        ending.message.id.as_uuid(),
        ending.message.author as Author as _,
        ending.message.source as AnswerSource as _,
        ending.message.text,
        Json(&ending.message.citations) as _,
        &ending.message.suggestions
    )
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// A turn as it is stored.
pub(super) struct StoredTurn {
    pub conversation: ConversationId,
    pub status: String,
    pub lease_until: DateTime<Utc>,
    pub events: Json<Vec<Numbered>>,
}

pub(super) async fn load(tx: &mut Tx<Web>, turn: TurnId) -> Result<Option<StoredTurn>, sqlx::Error> {
    sqlx::query_as!(
        StoredTurn,
        r#"SELECT conversation_id AS "conversation: ConversationId", status, lease_until, events AS "events: Json<Vec<Numbered>>"
        FROM turns WHERE id = $1"#,
        turn.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A turn whose process is gone, and the language of its conversation.
pub(super) struct Orphan {
    pub turn: TurnId,
    pub language: Language,
}

/// The conversation's running turn, if its lease has run out.
pub(super) async fn find_orphan(
    tx: &mut Tx<Web>,
    conversation: ConversationId,
    now: DateTime<Utc>,
) -> Result<Option<Orphan>, sqlx::Error> {
    sqlx::query_as!(
        Orphan,
        r#"SELECT t.id AS "turn: TurnId", c.language AS "language: Language"
        FROM turns t JOIN conversations c ON (c.tenant_id, c.id) = (t.tenant_id, t.conversation_id)
        WHERE t.conversation_id = $1 AND t.status = 'running' AND t.lease_until < $2"#,
        conversation.as_uuid(),
        now
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The message and events that close a turn without an answer.
pub(super) fn interruption(turn: TurnId, language: Language, now: DateTime<Utc>) -> (Message, Vec<Event>) {
    let text = INTERRUPTED.in_language(language);
    let message = Message {
        id: MessageId::new(),
        author: Author::System,
        source: AnswerSource::System,
        text: text.clone(),
        created_at: now,
        citations: Vec::new(),
        suggestions: Vec::new(),
    };
    let error = Event::Error {
        code: "interrupted".into(),
        detail: text,
    };
    (
        message.clone(),
        vec![error, Event::Message(message), Event::Done { turn_id: turn }],
    )
}
