//! A member of staff takes over a conversation, answers in place of the assistant, and hands it back.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::{ChatError, history};
use crate::{
    ids::{ConversationId, MessageId, ShopperId, StaffId},
    language::{Language, TextKey},
    mail::{self, Mail},
    tenancy::{
        Tx, Web,
        audit::{self, Actor, Entry},
    },
    text,
};

/// Tells the shopper that staff takes over.
const TAKEN: TextKey = TextKey("staff-takes-over");
const GIVEN_BACK: TextKey = TextKey("assistant-again");
/// The answer to a shopper's message while a person holds the conversation.
pub(super) const WITH_A_PERSON: TextKey = TextKey("with-staff");
/// A shopper who was not seen for this long is told of an answer by mail.
const AWAY_AFTER: Duration = Duration::minutes(2);

/// A conversation as staff see it.
// No `Debug`: it holds private data.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct StaffConversation {
    pub id: ConversationId,
    pub shopper_id: ShopperId,
    /// The shopper's name and address, or nothing for a guest.
    pub shopper: String,
    pub last_message: String,
    pub updated_at: DateTime<Utc>,
    /// Since when the shopper waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<DateTime<Utc>>,
    /// The member of staff who holds the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
}

/// Which conversations to list.
#[derive(Default)]
pub struct Filter<'a> {
    /// Text to find in a message, or in the shopper's name or address.
    pub search: Option<&'a str>,
    /// Only those that wait for a person or are held by one.
    pub open: bool,
    pub id: Option<ConversationId>,
    /// Only those after this one.
    pub after: Option<ConversationId>,
}

/// The store's conversations: first those that wait for a person, known shoppers before guests, then the newest.
pub async fn list(tx: &mut Tx<Web>, limit: u32, filter: &Filter<'_>) -> Result<Vec<StaffConversation>, sqlx::Error> {
    let like = filter.search.map(text::contains);
    sqlx::query_as!(
        StaffConversation,
        r#"SELECT c.id AS "id: ConversationId", c.shopper_id AS "shopper_id: ShopperId",
            trim(concat_ws(' ', s.first_name, s.last_name, s.email)) AS "shopper!", coalesce(m.body, '') AS "last_message!", c.updated_at,
            c.waiting_since, p.email AS "held_by?"
        FROM conversations c JOIN shoppers s USING (tenant_id, shopper_id)
        LEFT JOIN staff p ON (p.tenant_id, p.id) = (c.tenant_id, c.held_by)
        LEFT JOIN LATERAL (SELECT left(body, 200) AS body FROM messages m
            WHERE (m.tenant_id, m.conversation_id) = (c.tenant_id, c.id) ORDER BY m.created_at DESC, m.id DESC LIMIT 1) m ON true
        WHERE ($2::text IS NULL OR concat_ws(' ', s.first_name, s.last_name, s.email) ILIKE $2 OR EXISTS (SELECT FROM messages w
                WHERE (w.tenant_id, w.conversation_id) = (c.tenant_id, c.id) AND w.body ILIKE $2))
            AND (NOT $3 OR c.waiting_since IS NOT NULL OR c.held_by IS NOT NULL) AND ($4::uuid IS NULL OR c.id = $4)
            AND ($5::uuid IS NULL OR (c.waiting_since IS NULL, c.waiting_since IS NOT NULL AND s.guest, coalesce(c.waiting_since, 'infinity'), -extract(epoch FROM c.updated_at), c.id)
                > (SELECT k.waiting_since IS NULL, k.waiting_since IS NOT NULL AND ks.guest, coalesce(k.waiting_since, 'infinity'), -extract(epoch FROM k.updated_at), k.id
                    FROM conversations k JOIN shoppers ks USING (tenant_id, shopper_id) WHERE k.id = $5))
        ORDER BY c.waiting_since IS NULL, c.waiting_since IS NOT NULL AND s.guest, coalesce(c.waiting_since, 'infinity'), -extract(epoch FROM c.updated_at), c.id LIMIT $1"#,
        i64::from(limit),
        like,
        filter.open,
        filter.id.map(ConversationId::as_uuid),
        filter.after.map(ConversationId::as_uuid)
    )
    .fetch_all(&mut **tx)
    .await
}

/// The member of staff who acts, as the audit names them, and when.
pub struct ActingStaff {
    pub person: StaffId,
    pub actor: Actor,
    pub now: DateTime<Utc>,
}

/// Takes over the conversation, from the assistant or from a colleague.
pub async fn take(tx: &mut Tx<Web>, id: ConversationId, hand: &ActingStaff) -> Result<(), ChatError> {
    pass(tx, id, hand, Some(hand.person)).await.map(drop)
}

/// Hands the conversation back to the assistant.
pub async fn give_back(tx: &mut Tx<Web>, id: ConversationId, hand: &ActingStaff) -> Result<(), ChatError> {
    pass(tx, id, hand, None).await.map(drop)
}

/// Answers the shopper. Whoever answers takes the conversation over.
pub async fn answer(tx: &mut Tx<Web>, id: ConversationId, hand: &ActingStaff, text: &str) -> Result<(), ChatError> {
    let shopper = pass(tx, id, hand, Some(hand.person)).await?;
    let message = post_message(tx, id, shopper, "staff", text, hand.now).await?;
    let here = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM sessions WHERE shopper_id = $1 AND last_seen_at > $2) AS "here!""#,
        shopper.as_uuid(),
        hand.now - AWAY_AFTER
    )
    .fetch_one(&mut **tx)
    .await?;
    if !here {
        let (kind, key) = ("staff_answer", format!("staff_answer:{message}"));
        mail::queue(tx, &Mail::StaffAnswer { message }, kind, &key, hand.now).await?;
    }
    note(tx, id, hand, "conversation.answer").await
}

/// Passes the conversation to a person, or to the assistant when `to` is none, tells the shopper, and returns the shopper's id. The row is
/// locked, so that two people do not take it over at once; nothing changes if that person holds it already.
async fn pass(
    tx: &mut Tx<Web>,
    id: ConversationId,
    hand: &ActingStaff,
    to: Option<StaffId>,
) -> Result<ShopperId, ChatError> {
    let held = sqlx::query!(
        r#"SELECT shopper_id AS "shopper: ShopperId", held_by AS "by: StaffId", language AS "language: Language" FROM conversations WHERE id = $1 FOR UPDATE"#,
        id.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(ChatError::NoConversation)?;
    if held.by != to {
        let (words, action) = match to {
            Some(_) => (TAKEN, "conversation.take"),
            None => (GIVEN_BACK, "conversation.give_back"),
        };
        set_holder(tx, id, to).await?;
        post_message(
            tx,
            id,
            held.shopper,
            "system",
            &words.in_language(held.language),
            hand.now,
        )
        .await?;
        note(tx, id, hand, action).await?;
    }
    Ok(held.shopper)
}

async fn set_holder(tx: &mut Tx<Web>, id: ConversationId, holder: Option<StaffId>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE conversations SET held_by = $2, waiting_since = NULL WHERE id = $1",
        id.as_uuid(),
        holder.map(StaffId::as_uuid)
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

async fn post_message(
    tx: &mut Tx<Web>,
    id: ConversationId,
    shopper: ShopperId,
    author: &str,
    text: &str,
    now: DateTime<Utc>,
) -> Result<MessageId, sqlx::Error> {
    let message = MessageId::new();
    sqlx::query!(
        "WITH said AS (INSERT INTO messages (tenant_id, shopper_id, id, conversation_id, author, source, body, created_at)
            VALUES ($1, $2, $3, $4, $5, $5, $6, $7))
        UPDATE conversations SET updated_at = $7 WHERE id = $4",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        message.as_uuid(),
        id.as_uuid(),
        author,
        text,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(message)
}

async fn note(tx: &mut Tx<Web>, id: ConversationId, hand: &ActingStaff, action: &str) -> Result<(), ChatError> {
    let entry = Entry::new(&hand.actor, action, ("conversation", id), hand.now);
    Ok(audit::append(tx, entry).await?)
}

/// The conversation with all of its messages.
pub async fn read(tx: &mut Tx<Web>, id: ConversationId) -> Result<(StaffConversation, Vec<super::Message>), ChatError> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let found = list(tx, 1, &filter).await?.pop().ok_or(ChatError::NoConversation)?;
    Ok((found, history::messages(tx, id, 1000, None).await?))
}
