//! Routes to send a message and to follow its turn, as JSON or as server-sent events.

use std::convert::Infallible;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response, sse},
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::{
    client_ip::ClientAddress,
    drain::Drain,
    extract::{Body, Path},
    problem::{Problem, ProblemDetails},
    responses::{BadBody, CrossSite, NotFound, Unauthenticated},
};
use crate::{
    approvals::ProposalView,
    chat::{Chat, CurrentPage, Event, EventStream, Message, NewMessage, ToolActivity, ToolStatus},
    identity::Shopper,
    ids::{ConversationId, TurnId},
    language::Language,
};

/// A message to the assistant.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// The conversation to continue. Without it a new one is started.
    conversation_id: Option<ConversationId>,
    /// 1 to 4,000 characters. Characters that nobody sees, such as marks of direction from a paste, are taken out before they are counted.
    #[serde(deserialize_with = "crate::text::cleaned")]
    #[validate(length(min = 1, max = 4000), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    #[schema(example = "Where is my order #1001?")]
    text: String,
    /// Answer by the fixed rules, without a language model: this costs nothing and works when no model is available.
    #[serde(default)]
    by_rules: bool,
    /// The page of the store that the shopper is on, so that the assistant knows what "this" is. It is not stored.
    #[validate(nested)]
    page: Option<Page>,
}

/// A page of the store.
// No `Debug`: it holds private data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Its address, `http` or `https`, up to 2,000 characters. Only its path goes to the assistant, without the query.
    #[validate(length(max = 2000), custom(function = web_address))]
    #[schema(example = "https://shop.example/products/fisherman-sweater")]
    url: String,
    /// Its title, up to 200 characters.
    #[serde(default, deserialize_with = "crate::text::cleaned")]
    #[validate(length(max = 200))]
    #[schema(example = "Fisherman Sweater")]
    title: String,
}

fn web_address(url: &str) -> Result<(), ValidationError> {
    match reqwest::Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err(ValidationError::new("url")
            .with_message("must be the address of a web page, such as https://shop.example/sweater".into())),
    }
}

impl From<Page> for CurrentPage {
    fn from(page: Page) -> Self {
        let path = reqwest::Url::parse(&page.url).map_or_else(|_| String::new(), |url| url.path().to_owned());
        Self {
            path,
            title: page.title,
        }
    }
}

/// A finished turn.
#[derive(Serialize, ToSchema)]
pub struct Answer {
    conversation_id: ConversationId,
    turn_id: TurnId,
    message: Message,
    /// The tools that the assistant used.
    tools: Vec<ToolActivity>,
    /// The proposals that the turn made, which wait for a decision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proposals: Vec<ProposalView>,
}

/// Sends a message and answers it.
///
/// With `Accept: text/event-stream` the answer comes as events `accepted`, `delta`, `tool`, `proposal`, `message`, `error`, `done`.
/// If the stream drops or ends without `done`, resume it: send the same request with its `Idempotency-Key` and `Last-Event-ID`, or read
/// `/v1/turns/{id}/events`.
#[utoipa::path(post, path = "/v1/chat/send", operation_id = "sendMessage", tag = "chat", request_body = SendMessage,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters. A request with a used key gets the first answer again."),
        ("Last-Event-ID" = Option<u32>, Header, description = "Events up to and including this number are left out"),
        ("Accept-Language" = Option<String>, Header, example = "de-CH, de;q=0.9, en;q=0.5",
            description = "The language of the service's own texts, such as `de`. Without it: the shopper's language, else the store's")),
    responses(
        (status = 200, content((Answer = "application/json"), (Event = "text/event-stream"))),
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "The conversation's last message is still being answered"),
        CrossSite, Unauthenticated, NotFound, BadBody))]
pub async fn send(
    shopper: Shopper,
    State(chat): State<Chat>,
    State(drain): State<Drain>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    Body(message): Body<SendMessage>,
) -> Result<Response, Problem> {
    let streaming = wants_events(&headers);
    let after = if streaming { last_event_id(&headers)? } else { 0 };
    let message = NewMessage {
        conversation: message.conversation_id,
        text: message.text,
        language: language(&headers),
        by_rules: message.by_rules,
        page: message.page.map(CurrentPage::from),
        address,
        key: idempotency_key(&headers)?,
    };
    let events = chat.send(&shopper, message, after).await?;
    if streaming {
        Ok(stream(events, &drain))
    } else {
        Ok(collect(events).await?.into_response())
    }
}

/// Follows a turn: sends its events after `Last-Event-ID`, until `done`.
#[utoipa::path(get, path = "/v1/turns/{id}/events", operation_id = "streamTurnEvents", tag = "chat",
    params(("id" = TurnId, Path), ("Last-Event-ID" = Option<u32>, Header, description = "Events up to and including this number are left out")),
    responses(
        (status = 200, content_type = "text/event-stream", body = Event),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "Last-Event-ID is not a number"),
        Unauthenticated, NotFound))]
pub async fn events(
    shopper: Shopper,
    State(chat): State<Chat>,
    State(drain): State<Drain>,
    headers: HeaderMap,
    Path(turn): Path<TurnId>,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers)?;
    Ok(stream(chat.follow(&shopper, turn, after).await?, &drain))
}

/// Waits for the turn to end and returns it as one answer.
async fn collect(mut events: EventStream) -> Result<Json<Answer>, Problem> {
    let (mut place, mut message, mut tools, mut proposals) = (None, None, Vec::new(), Vec::new());
    while let Some(numbered) = events.next().await {
        match numbered.event {
            Event::Accepted {
                conversation_id,
                turn_id,
                ..
            } => place = Some((conversation_id, turn_id)),
            Event::Message(text) => message = Some(text),
            Event::Proposal(proposal) => proposals.push(*proposal),
            Event::Tool(activity) if activity.status != ToolStatus::Started => tools.push(activity),
            _ => {}
        }
    }
    match (place, message) {
        (Some((conversation_id, turn_id)), Some(message)) => Ok(Json(Answer {
            conversation_id,
            turn_id,
            message,
            tools,
            proposals,
        })),
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "interrupted",
            "The answer was interrupted. Your message is stored; please send it again.",
        )),
    }
}

fn stream(events: EventStream, drain: &Drain) -> Response {
    let events = events.map(|numbered| {
        let event = sse::Event::default()
            .id(numbered.id.to_string())
            .event(numbered.event.name());
        Ok::<_, Infallible>(event.json_data(&numbered.event).unwrap_or_default())
    });
    drain.event_stream(events)
}

fn wants_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

fn language(headers: &HeaderMap) -> Option<Language> {
    Language::accepted(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?)
}

fn last_event_id(headers: &HeaderMap) -> Result<u32, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(0);
    };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_header",
            "`Last-Event-ID` must be the number of an event.",
        )
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) if (1..=255).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic) => {
            Ok(key.to_str().ok().map(str::to_owned))
        }
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_header",
            "`Idempotency-Key` must be one value of 1 to 255 visible ASCII characters.",
        )),
    }
}
