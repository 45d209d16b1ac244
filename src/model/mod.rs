//! The language model, behind one trait.
//!
//! Law: a model is a stranger. It is sent what the shopper may see and nothing else, everything it says is bounded and
//! checked by the rooms above, and it has a deadline.

pub mod budget;
mod chain;
mod deadline;
mod fallback_rules;
mod openai;
mod price;
mod scripted;
mod test_control;
pub mod usage;

use std::sync::Arc;

use futures::stream::BoxStream;
use serde_json::Value;

use crate::language::Language;

pub use chain::{Chain, Link};
pub use deadline::Deadlines;
pub use fallback_rules::{OfflineModel, suggestions, wants_person};
pub use openai::{OpenAiModel, OpenAiSettings};
pub use price::Price;
pub use scripted::ScriptedModel;
pub use test_control::{ScriptedReply, TestControl};

/// Which model answers.
#[derive(Clone, Debug)]
pub enum ModelSettings {
    /// The demo's rules.
    Offline,
    OpenAi(OpenAiSettings),
}

/// Answers a prompt with a stream of chunks.
pub trait Model: Send + Sync + 'static {
    /// Starts an answer. Dropping the stream abandons it.
    fn answer(&self, prompt: Prompt) -> ChunkStream;

    /// How answers of this model are labelled.
    fn source(&self) -> Source;
}

pub type ChunkStream = BoxStream<'static, Result<Chunk, ModelError>>;

/// Whose words a message holds, shown to the shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Source {
    Shopper,
    /// A language model.
    Model,
    /// The built-in rules of the demo; no language model was asked.
    Offline,
    /// A fixed sentence, because the model could not answer.
    Fallback,
    Staff,
    System,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shopper => "shopper",
            Self::Model => "model",
            Self::Offline => "offline",
            Self::Fallback => "fallback",
            Self::Staff => "staff",
            Self::System => "system",
        }
    }
}

/// What a model is asked. It may hold personal data: no `Debug`.
#[derive(Clone)]
pub struct Prompt {
    pub messages: Vec<PromptMessage>,
    /// The conversation's, for who answers by rules; a language model reads it off the shopper's words.
    pub language: Language,
    pub tools: Arc<[ToolDefinition]>,
    /// The longest answer asked for.
    pub max_output_tokens: u32,
}

impl Prompt {
    /// Every text that whoever talks with this model may know: all but its instructions.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().filter_map(|message| match message {
            PromptMessage::System(_) => None,
            PromptMessage::Shopper(text) | PromptMessage::Assistant { text, .. } => Some(text.as_str()),
            PromptMessage::ToolResult { content, .. } => Some(content),
        })
    }
}

#[derive(Clone)]
pub enum PromptMessage {
    System(String),
    Shopper(String),
    Assistant {
        text: String,
        calls: Vec<ToolCall>,
    },
    /// JSON, to be read as data.
    ToolResult {
        call_id: String,
        content: String,
    },
}

/// A tool as the model is told of it.
#[derive(Clone)]
pub struct ToolDefinition {
    pub name: &'static str,
    pub description: String,
    /// Strict JSON schema of the arguments.
    pub schema: Value,
}

/// What the model asked for, as it wrote it: nothing of it has been checked.
#[derive(Clone)]
pub struct ToolCall {
    /// The model's own id of the call, echoed with the result.
    pub id: String,
    pub tool: String,
    /// JSON text.
    pub arguments: String,
}

/// A piece of an answer.
pub enum Chunk {
    Text(String),
    /// A complete call.
    Call(ToolCall),
    /// The last piece.
    End(Usage),
}

/// Tokens that an answer used, as the provider counts them; zero where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u32,
    pub output_tokens: u32,
}

/// Why there is no answer, or no more of it. Holds nothing that the model or its provider said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("the model did not answer in time")]
    TooSlow,
    #[error("the model's provider refused for now (429)")]
    RateLimited,
    #[error("the model's provider answered {0}")]
    Status(u16),
    #[error("the model's provider cannot be reached")]
    Unreachable,
    #[error("the model's answer ended early")]
    CutOff,
    #[error("the model's answer cannot be read")]
    Garbage,
    #[error("the model's answer is too long")]
    TooLong,
    #[error("the model failed too often just now and is left alone for a moment")]
    Resting,
}

impl ModelError {
    /// Whether it says that the provider is in trouble, and not just this answer.
    pub fn is_outage(self) -> bool {
        !matches!(self, Self::TooLong | Self::Resting | Self::Status(400))
    }

    /// A stable name, for metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooSlow => "too_slow",
            Self::RateLimited => "rate_limited",
            Self::Status(_) => "status",
            Self::Unreachable => "unreachable",
            Self::CutOff => "cut_off",
            Self::Garbage => "garbage",
            Self::TooLong => "too_long",
            Self::Resting => "resting",
        }
    }
}
