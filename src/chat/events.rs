//! What a turn says while it runs. Each event has a number, so that a dropped connection resumes where it was.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    approvals::ProposalView,
    ids::{ConversationId, MessageId, TurnId},
    model::Source,
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
    /// The assistant looks something up.
    Tool(ToolActivity),
    /// Something waits for a decision; nothing of it has been done.
    Proposal(Box<ProposalView>),
    /// The whole answer, as it is stored. It holds all deltas before it.
    Message(Message),
    /// The answer is not what it should be; the message that follows says so to the shopper.
    Error { code: String, detail: String },
    /// Nothing follows.
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

/// A tool at work.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToolActivity {
    /// The tool's name, as the model wrote it.
    pub tool: String,
    /// What the shopper reads.
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

/// A message of a conversation. Its text is the shopper's: no `Debug`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub author: Author,
    /// Whose words these are: an answer of the demo's rules is `offline`, a fixed sentence is `fallback`.
    pub source: Source,
    pub text: String,
    pub created_at: DateTime<Utc>,
    /// The help articles that it is founded on: see `GET /v1/help/{language}/{slug}`.
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

/// An event with its place in the turn, from 1.
#[derive(Clone, Serialize, Deserialize)]
pub struct Numbered {
    pub id: u32,
    pub event: Event,
}
