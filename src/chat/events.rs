//! The events of a turn. Each has a number, so that a client whose connection dropped can resume where it was.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    approvals::ProposalView,
    ids::{ConversationId, MessageId, TurnId},
    model::AnswerSource,
    store::help::Citation,
};

/// An event of a turn. On the wire the variant's name is the SSE event's name.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The message is stored; the answer is on its way.
    Accepted {
        conversation_id: ConversationId,
        turn_id: TurnId,
        message_id: MessageId,
    },
    /// A piece of the answer's text.
    Delta { text: String },
    /// The assistant uses a tool.
    Tool(ToolActivity),
    /// A proposal waits for a decision; nothing of it has been done yet.
    Proposal(Box<ProposalView>),
    /// The whole answer, as it is stored. It includes the text of all deltas before it.
    Message(Message),
    /// The answer is incomplete or missing; the message that follows tells the shopper.
    Error { code: String, detail: String },
    /// The end of the stream: no event follows.
    Done { turn_id: TurnId },
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Delta { .. } => "delta",
            Self::Tool(_) => "tool",
            Self::Proposal(_) => "proposal",
            Self::Message(_) => "message",
            Self::Error { .. } => "error",
            Self::Done { .. } => "done",
        }
    }
}

/// A tool call that is under way.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToolActivity {
    /// The tool's name, as the model wrote it.
    pub tool: String,
    /// What the shopper reads meanwhile.
    pub activity: String,
    pub status: ToolStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    Started,
    Answered,
    Proposed,
    Refused,
    Failed,
}

/// A message of a conversation.
// No `Debug`: it holds private data.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub author: Author,
    /// Who wrote the text: an answer of the fallback rules is `offline`, a fixed sentence is `fallback`.
    pub source: AnswerSource,
    pub text: String,
    pub created_at: DateTime<Utc>,
    /// The help articles that the answer is based on: see `GET /v1/help/{language}/{slug}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// What the shopper may answer by pressing a button: short texts, each of which is sent as a message when it is pressed. They belong to
    /// the newest message of a conversation alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Author {
    Shopper,
    Assistant,
    Staff,
    System,
}

/// An event with its number in the turn, from 1.
#[derive(Clone, Serialize, Deserialize)]
pub struct Numbered {
    pub id: u32,
    pub event: Event,
}
