//! Routes by which staff find, read, take over, answer and give back conversations.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    chat::{
        Message,
        handoff::{self, ActingStaff, Filter, StaffConversation},
    },
    http::{
        App,
        extract::{self, Body, Path, Query},
        problem::Problem,
        request_id,
        responses::{BadBody, BadQuery, NotFound, Role, Unauthenticated},
    },
    identity::StaffMember,
    ids::ConversationId,
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Conversations a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// Text to find in a message, or in the shopper's name or address.
    #[validate(length(min = 1, max = 100), custom(function = crate::text::single_line))]
    search: Option<String>,
    /// Only conversations that wait for a person or are handled by one.
    #[serde(default)]
    open: bool,
    /// The `id` of the last conversation on the previous page.
    after: Option<ConversationId>,
}

#[derive(Serialize, ToSchema)]
pub struct StaffConversations {
    conversations: Vec<StaffConversation>,
}

#[derive(Serialize, ToSchema)]
pub struct ConversationDetail {
    conversation: StaffConversation,
    messages: Vec<Message>,
}

/// An answer to a shopper.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffAnswer {
    /// 1 to 4,000 characters, without those that nobody sees.
    #[serde(deserialize_with = "crate::text::cleaned")]
    #[validate(length(min = 1, max = 4000), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    #[schema(example = "I have looked into it: your parcel arrives tomorrow.")]
    text: String,
}

/// Lists conversations. Those that wait for a person come first, those of shoppers before those of guests, then the newest.
#[utoipa::path(get, path = "/v1/staff/conversations", operation_id = "listStaffConversations", tag = "staff", params(Search),
    responses((status = 200, body = StaffConversations), BadQuery, Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Query(search): Query<Search>,
) -> Result<Json<StaffConversations>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let filter = Filter {
        search: search.search.as_deref(),
        open: search.open,
        id: None,
        after: search.after,
    };
    let conversations = handoff::list(&mut tx, search.limit, &filter).await?;
    Ok(Json(StaffConversations { conversations }))
}

/// Shows a conversation with its messages.
#[utoipa::path(get, path = "/v1/staff/conversations/{id}", operation_id = "getStaffConversation", tag = "staff", params(("id" = ConversationId, Path)),
    responses((status = 200, body = ConversationDetail), NotFound, Role, Unauthenticated))]
pub async fn read(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationDetail>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let (conversation, messages) = handoff::read(&mut tx, id).await?;
    Ok(Json(ConversationDetail { conversation, messages }))
}

/// An extractor for a signed-in member of staff. API keys are refused, because only people answer shoppers.
pub struct SignedInStaff(ActingStaff);

impl FromRequestParts<App> for SignedInStaff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let staff = StaffMember::from_request_parts(parts, app).await?;
        let (person, _) = staff.person().ok_or_else(Problem::forbidden)?;
        Ok(Self(ActingStaff {
            person,
            actor: staff.actor().in_request(request_id(&parts.headers)),
            now: app.clock.now(),
        }))
    }
}

/// Takes a conversation over. The assistant stops answering in it.
#[utoipa::path(post, path = "/v1/staff/conversations/{id}/take", operation_id = "takeConversation", tag = "staff", params(("id" = ConversationId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn take(
    staff: StaffMember,
    SignedInStaff(acting): SignedInStaff,
    State(web): State<Pool<Web>>,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    handoff::take(&mut tx, id, &acting).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a conversation back to the assistant.
#[utoipa::path(post, path = "/v1/staff/conversations/{id}/give-back", operation_id = "giveBackConversation", tag = "staff", params(("id" = ConversationId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn give_back(
    staff: StaffMember,
    SignedInStaff(acting): SignedInStaff,
    State(web): State<Pool<Web>>,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    handoff::give_back(&mut tx, id, &acting).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers a shopper and takes the conversation over. A shopper who has left gets the answer by mail.
#[utoipa::path(post, path = "/v1/staff/conversations/{id}/messages", operation_id = "sendStaffMessage", tag = "staff", params(("id" = ConversationId, Path)), request_body = StaffAnswer,
    responses((status = 204), NotFound, Role, Unauthenticated, BadBody))]
pub async fn answer(
    staff: StaffMember,
    SignedInStaff(acting): SignedInStaff,
    State(web): State<Pool<Web>>,
    Path(id): Path<ConversationId>,
    Body(answer): Body<StaffAnswer>,
) -> Result<StatusCode, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    handoff::answer(&mut tx, id, &acting, &answer.text).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
