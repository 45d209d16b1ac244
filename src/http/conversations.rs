//! The shopper's conversations and their messages.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{
    extract::{self, Path, Query},
    problem::{Problem, ProblemDetails},
    responses::{BadQuery, CrossSite, NotFound, Unauthenticated},
};
use crate::{
    chat::{
        Message,
        history::{self, AttendedBy, ConversationSummary},
    },
    clock::Clock,
    identity::Shopper,
    ids::{ConversationId, MessageId},
    mail::{self, Mail},
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConversationPage {
    /// Conversations a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// The `updated_at` of the last conversation on the previous page. Send it together with `before_id`.
    before: Option<DateTime<Utc>>,
    /// The `id` of the last conversation on the previous page. Send it together with `before`.
    before_id: Option<ConversationId>,
}

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessagePage {
    /// Messages a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// The `id` of the last message on the previous page.
    after: Option<MessageId>,
}

#[derive(Serialize, ToSchema)]
pub struct Conversations {
    conversations: Vec<ConversationSummary>,
}

#[derive(Serialize, ToSchema)]
pub struct Messages {
    attended_by: AttendedBy,
    messages: Vec<Message>,
}

/// Lists the shopper's conversations, most recently used first.
#[utoipa::path(get, path = "/v1/conversations", operation_id = "listConversations", tag = "chat", params(ConversationPage),
    responses((status = 200, body = Conversations), BadQuery, Unauthenticated))]
pub async fn list(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    Query(page): Query<ConversationPage>,
) -> Result<Json<Conversations>, Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    let conversations = history::conversations(&mut tx, page.limit, page.before.zip(page.before_id)).await?;
    Ok(Json(Conversations { conversations }))
}

/// Reads a conversation, oldest message first.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages", operation_id = "listMessages", tag = "chat", params(("id" = ConversationId, Path), MessagePage),
    responses((status = 200, body = Messages), BadQuery, NotFound, Unauthenticated))]
pub async fn messages(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    Path(id): Path<ConversationId>,
    Query(page): Query<MessagePage>,
) -> Result<Json<Messages>, Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    Ok(Json(Messages {
        attended_by: history::attended_by(&mut tx, id).await?,
        messages: history::messages(&mut tx, id, page.limit, page.after).await?,
    }))
}

/// Mails the conversation to the shopper.
#[utoipa::path(post, path = "/v1/conversations/{id}/transcript", operation_id = "mailTranscript", tag = "chat", params(("id" = ConversationId, Path)),
    responses((status = 202, description = "A mail is on its way"), CrossSite, NotFound, Unauthenticated))]
pub async fn transcript(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    let newest = history::newest(&mut tx, id).await?;
    // The key holds the newest message, so repeated requests queue one mail until the conversation changes.
    let key = format!("transcript:{id}:{newest}");
    mail::queue(
        &mut tx,
        &Mail::Transcript { conversation: id },
        "transcript",
        &key,
        clock.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

/// Deletes a conversation. One that led to a proposal cannot be deleted while the proposal exists.
#[utoipa::path(delete, path = "/v1/conversations/{id}", operation_id = "deleteConversation", tag = "chat", params(("id" = ConversationId, Path)),
    responses((status = 204),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "A proposal came out of it, or it is still being answered"),
        CrossSite, NotFound, Unauthenticated))]
pub async fn delete(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    match history::delete(&mut tx, id).await? {
        true => tx.commit().await?,
        false => return Err(Problem::not_found()),
    }
    Ok(StatusCode::NO_CONTENT)
}
