//! On the page *Conversations* staff find a conversation, read it, take it over, answer, and give it back.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Console, Failure, Page, Submitted, Visitor, done, filters, last_of_full, query, render};
use crate::{chat::handoff::StaffConversation, ids::ConversationId};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/conversations", get(list))
        .route("/console/conversations/{id}", get(conversation))
        .route("/console/conversations/{id}/{act}", post(act))
}

/// The parts of a message that pages show.
#[derive(Deserialize)]
pub struct MessageView {
    /// `shopper`, `assistant`, `staff` or `system`.
    pub author: String,
    pub text: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    search: String,
    #[serde(default)]
    open: String,
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
struct Conversations {
    conversations: Vec<StaffConversation>,
}

#[derive(Template)]
#[template(path = "console/conversations.html")]
struct ConversationsPage {
    page: Page,
    conversations: Vec<StaffConversation>,
    search: Search,
    more: Option<String>,
}

async fn list(visitor: Visitor, Query(search): Query<Search>) -> Result<Response, Failure> {
    const LIMIT: usize = 50;
    let open = if search.open == "true" { "true" } else { "" };
    let after = |id: &str| query(&[("search", search.search.trim()), ("open", open), ("after", id)]);
    let path = format!("/v1/staff/conversations?limit={LIMIT}&{}", after(search.after.trim()));
    let Conversations { conversations } = visitor.get(&path).await?;
    let more = last_of_full(&conversations, LIMIT).map(|last| after(&last.id.to_string()));
    Ok(render(&ConversationsPage {
        page: visitor.page("Conversations").await?,
        conversations,
        more: more.map(|query| format!("/console/conversations?{query}")),
        search,
    }))
}

#[derive(Deserialize)]
struct ConversationDetail {
    conversation: StaffConversation,
    messages: Vec<MessageView>,
}

#[derive(Template)]
#[template(path = "console/conversation.html")]
struct ConversationPage {
    page: Page,
    conversation: StaffConversation,
    messages: Vec<MessageView>,
}

async fn conversation(visitor: Visitor, Path(id): Path<ConversationId>) -> Result<Response, Failure> {
    let found: ConversationDetail = visitor.get(&format!("/v1/staff/conversations/{id}")).await?;
    let shopper = Some(found.conversation.shopper.as_str()).filter(|shopper| !shopper.is_empty());
    Ok(render(&ConversationPage {
        page: visitor.page(shopper.unwrap_or("Guest")).await?,
        conversation: found.conversation,
        messages: found.messages,
    }))
}

async fn act(
    visitor: Visitor,
    Path((id, act)): Path<(ConversationId, String)>,
    axum::Form(form): axum::Form<Submitted>,
) -> Result<Response, Failure> {
    let (act, body, word) = match act.as_str() {
        "messages" => ("messages", json!({ "text": form.text("text") }), "sent"),
        "take" => ("take", Value::Null, "taken-over"),
        _ => ("give-back", Value::Null, "given-back"),
    };
    visitor
        .post(&format!("/v1/staff/conversations/{id}/{act}"), body)
        .await?;
    Ok(done(&format!("/console/conversations/{id}"), word))
}
