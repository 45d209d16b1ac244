//! Conversations and their messages, as the shopper reads them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;

use super::{
    ChatError,
    events::{Author, Message},
};
use crate::{
    ids::{ConversationId, MessageId},
    model::{AnswerSource, PromptMessage},
    store::help::Citation,
    tenancy::{Tx, Web},
};

/// An entry in a shopper's list of conversations.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConversationSummary {
    pub id: ConversationId,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The newest message, cut to 200 characters.
    pub last_message: String,
}

/// What this server said in a conversation about proposals, and the hosts of the store's own pages.
pub(super) async fn facts(
    tx: &mut Tx<Web>,
    conversation: ConversationId,
) -> Result<(Vec<String>, Vec<String>), sqlx::Error> {
    let facts = sqlx::query_scalar!(
        "SELECT body FROM messages WHERE tenant_id = $2 AND conversation_id = $1 AND author = 'system' ORDER BY created_at DESC LIMIT 50",
        conversation.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    let origins = sqlx::query_scalar!(
        "SELECT origin FROM origins WHERE tenant_id = $1 ORDER BY origin LIMIT 50",
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    let host = |origin: &String| Some(url::Url::parse(origin).ok()?.host_str()?.to_owned());
    Ok((facts, origins.iter().filter_map(host).collect()))
}

/// The bound shopper's conversations, most recently used first; with `before`, those used before it.
pub async fn conversations(
    tx: &mut Tx<Web>,
    limit: u32,
    before: Option<(DateTime<Utc>, ConversationId)>,
) -> Result<Vec<ConversationSummary>, ChatError> {
    let (used_before, id_before) = before.unzip();
    Ok(sqlx::query_as!(
        ConversationSummary,
        r#"SELECT c.id AS "id: ConversationId", c.created_at, c.updated_at, coalesce(m.body, '') AS "last_message!"
        FROM conversations c LEFT JOIN LATERAL (
            SELECT left(body, 200) AS body FROM messages m
            WHERE (m.tenant_id, m.conversation_id) = (c.tenant_id, c.id) ORDER BY m.created_at DESC, m.id DESC LIMIT 1) m ON true
        WHERE $2::timestamptz IS NULL OR (c.updated_at, c.id) < ($2, $3)
        ORDER BY c.updated_at DESC, c.id DESC LIMIT $1"#,
        i64::from(limit),
        used_before,
        id_before.map(ConversationId::as_uuid)
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Who answers in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttendedBy {
    Assistant,
    /// The assistant, until the person whom the shopper asked for comes.
    AssistantForNow,
    Staff,
}

/// Who answers in a conversation of the bound shopper.
pub async fn attended_by(tx: &mut Tx<Web>, conversation: ConversationId) -> Result<AttendedBy, ChatError> {
    let found = sqlx::query!(
        r#"SELECT held_by IS NOT NULL AS "held!", waiting_since IS NOT NULL AS "waits!" FROM conversations WHERE id = $1"#,
        conversation.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(ChatError::NoConversation)?;
    Ok(match (found.held, found.waits) {
        (true, _) => AttendedBy::Staff,
        (false, true) => AttendedBy::AssistantForNow,
        (false, false) => AttendedBy::Assistant,
    })
}

/// The messages of an existing conversation, oldest first; with `after`, those after it.
pub async fn messages(
    tx: &mut Tx<Web>,
    conversation: ConversationId,
    limit: u32,
    after: Option<MessageId>,
) -> Result<Vec<Message>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: MessageId", author AS "author: Author", source AS "source: AnswerSource", body, created_at,
            citations AS "citations: Json<Vec<Citation>>", suggestions FROM messages
        WHERE conversation_id = $1 AND ($3::uuid IS NULL OR (created_at, id) > (SELECT created_at, id FROM messages WHERE id = $3))
        ORDER BY created_at, id LIMIT $2"#,
        conversation.as_uuid(),
        i64::from(limit),
        after.map(MessageId::as_uuid)
    )
    .fetch_all(&mut **tx)
    .await?;
    let messages = rows.into_iter().map(|row| Message {
        id: row.id,
        author: row.author,
        source: row.source,
        text: row.body,
        created_at: row.created_at,
        citations: row.citations.map(|citations| citations.0).unwrap_or_default(),
        suggestions: row.suggestions,
    });
    Ok(messages.collect())
}

/// The newest message of one of the bound shopper's conversations.
pub async fn newest(tx: &mut Tx<Web>, conversation: ConversationId) -> Result<MessageId, ChatError> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: MessageId" FROM messages WHERE conversation_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1"#,
        conversation.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(ChatError::NoConversation)
}

/// The newest `limit` messages of a conversation, oldest first, as the model is shown them.
pub(super) async fn for_prompt(
    tx: &mut Tx<Web>,
    conversation: ConversationId,
    limit: usize,
) -> Result<Vec<PromptMessage>, ChatError> {
    let rows = sqlx::query!(
        "SELECT author, body FROM messages WHERE conversation_id = $1 AND author <> 'system' ORDER BY created_at DESC, id DESC LIMIT $2",
        conversation.as_uuid(),
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .rev()
        .map(|row| match row.author.as_str() {
            "shopper" => PromptMessage::Shopper(row.body),
            _ => PromptMessage::Assistant {
                text: row.body,
                calls: Vec::new(),
                echo: None,
            },
        })
        .collect())
}

/// Deletes a conversation of the shopper. False when there is none; an error when other rows depend on it.
pub async fn delete(tx: &mut Tx<Web>, id: ConversationId) -> Result<bool, DeleteError> {
    let id = id.as_uuid();
    let rests = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM proposals WHERE conversation_id = $1)
            OR EXISTS (SELECT FROM turns WHERE conversation_id = $1 AND status = 'running') AS "rests!""#,
        id
    )
    .fetch_one(&mut **tx)
    .await?;
    if rests {
        return Err(DeleteError::InUse);
    }
    sqlx::query!(
        "DELETE FROM tool_calls WHERE turn_id IN (SELECT id FROM turns WHERE conversation_id = $1)",
        id
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("DELETE FROM messages WHERE conversation_id = $1", id)
        .execute(&mut **tx)
        .await?;
    sqlx::query!("DELETE FROM turns WHERE conversation_id = $1", id)
        .execute(&mut **tx)
        .await?;
    let deleted = sqlx::query!("DELETE FROM conversations WHERE id = $1", id)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Why a conversation cannot be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("a proposal came out of it, or it is still being answered")]
    InUse,
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for DeleteError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            // A message that came meanwhile belongs to the conversation.
            Some(cause) if cause.is_foreign_key_violation() => Self::InUse,
            _ => Self::Database(error),
        }
    }
}
