//! The language model, behind one trait.
//!
//! Law: a model is a stranger. It is sent what the shopper may see and nothing else, everything it says is bounded and
//! checked by the rooms above, and it has a deadline.

mod anthropic;
pub mod budget;
mod chain;
mod chat_completions;
pub mod check;
mod deadline;
mod dialect;
mod endpoint;
mod fallback_rules;
mod fault_text;
mod health;
mod hidden_text;
mod json_schema;
mod outages;
mod answer_assembler;
mod per_model;
mod price;
mod protocol;
mod refusal;
mod responses;
mod scripted;
mod server_sent_events;
pub mod store_model;
pub mod summary;
mod test_control;
mod tool_calls;
pub mod usage;
mod watch;

use std::sync::Arc;

use futures::stream::BoxStream;
use serde_json::Value;

use crate::language::Language;

pub use chain::{Chain, Link, Outage};
pub use deadline::Deadlines;
pub use dialect::{Adaptation, Dialect};
pub use endpoint::Endpoint;
pub use fallback_rules::{FallbackRules, suggestions, wants_person};
pub use fault_text::SettingNames;
pub use health::{ModelHealth, ModelOutage};
pub use price::{Price, PricedModel};
pub use protocol::{EndpointSettings, Sampling, Wire};
pub use scripted::ScriptedModel;
pub use store_model::StoreModels;
pub use test_control::{ScriptedReply, TestControl};
pub use watch::Watch;

/// Which model answers.
#[derive(Clone, Debug)]
pub enum ModelSettings {
    /// The fallback rules; no language model is asked.
    Offline,
    Endpoint(EndpointSettings),
}

/// Answers a prompt with a stream of chunks.
pub trait Model: Send + Sync + 'static {
    /// Starts an answer. Dropping the stream abandons it.
    fn answer(&self, prompt: Prompt) -> ChunkStream;

    /// How answers of this model are labelled.
    fn source(&self) -> AnswerSource;

    /// How many tokens it can read and write together, where that is known beforehand.
    fn context_tokens(&self) -> Option<u32> {
        None
    }
}

pub type ChunkStream = BoxStream<'static, Result<Chunk, ModelError>>;

/// Who wrote a message, as the shopper sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AnswerSource {
    Shopper,
    /// A language model.
    Model,
    /// The fallback rules; no language model is asked.
    Offline,
    /// A fixed sentence, because the model could not answer.
    Fallback,
    Staff,
    System,
}

impl AnswerSource {
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

/// What a model is asked.
// No `Debug`: it holds private data.
#[derive(Clone)]
pub struct Prompt {
    pub messages: Vec<PromptMessage>,
    /// The conversation's, for who answers by rules; a language model reads it off the shopper's words.
    pub language: Language,
    pub tools: Arc<[ToolDefinition]>,
    /// Whether the answer may call tools. When a turn has used up its calls, the definitions stay, because earlier calls refer to them
    /// and providers find them in their cache, but the model is told to answer.
    pub may_call_tools: bool,
    /// The longest answer asked for.
    pub max_output_tokens: u32,
    /// The model that the store has chosen, in place of the endpoint's own.
    pub model: Option<PricedModel>,
    /// Whether turns that are left out for want of room leave a summary, as the store has chosen.
    pub summarizes: bool,
    /// The server itself asks, to check the model. Its answer may teach how the endpoint must be read; an answer to a shopper may not,
    /// because the shopper could have had it written.
    pub is_check: bool,
}

impl Prompt {
    /// Whether a request has the tools in it.
    fn sends_tools(&self, adaptations: &dialect::Adaptations) -> bool {
        let may_call = self.may_call_tools || !adaptations.contains(&Adaptation::NoToolChoice);
        may_call && !self.tools.is_empty()
    }

    /// The prompt without the older half of the turns before the newest message of the shopper. None when there is none to leave out.
    /// It is cut where a turn begins, so that no answer stands without its question.
    pub fn shorter(&self) -> Option<Self> {
        let is_turn = |message: &PromptMessage| matches!(message, PromptMessage::Shopper(_));
        let turns: Vec<usize> = (0..self.messages.len())
            .filter(|&at| is_turn(&self.messages[at]))
            .collect();
        let (_, earlier) = turns.split_last()?;
        let first = self
            .messages
            .iter()
            .position(|message| !matches!(message, PromptMessage::System(_)))?;
        let current = self.current_turn();
        let next = match earlier {
            [] if first < current => current,
            [] => return None,
            earlier => earlier.get(earlier.len().div_ceil(2)).copied().unwrap_or(current),
        };
        let mut shorter = self.clone();
        let cut: Vec<PromptMessage> = shorter.messages.drain(first..next).collect();
        // Where even the summary of an earlier cut does not fit, it is left out too.
        let has_turns = self.summarizes && !earlier.is_empty();
        let summary = has_turns.then(|| summary::summarize(&cut)).flatten();
        shorter.messages.splice(first..first, summary);
        Some(shorter)
    }

    /// Where the newest message of the shopper stands, with what holds for its turn.
    fn current_turn(&self) -> usize {
        let is_shopper = |message: &PromptMessage| matches!(message, PromptMessage::Shopper(_));
        let at = self
            .messages
            .iter()
            .rposition(is_shopper)
            .unwrap_or(self.messages.len());
        let has_context = at > 0 && matches!(self.messages[at - 1], PromptMessage::Context(_));
        at - usize::from(has_context)
    }

    /// About how many tokens it is, tools and the longest answer included. A token is three bytes at least, in most texts four.
    pub fn estimated_tokens(&self) -> u32 {
        let bytes = u32::try_from(price::bytes(self)).unwrap_or(u32::MAX);
        (bytes / 4).saturating_add(self.max_output_tokens)
    }

    /// Every text that whoever talks with this model may know: all but its instructions.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().filter_map(PromptMessage::known_text)
    }
}

#[derive(Clone)]
pub enum PromptMessage {
    /// The standing instructions: the same for every conversation of a store, so that providers can cache them.
    System(String),
    /// What holds for this turn alone, such as the date. The server's data, placed just before the shopper's newest message.
    Context(String),
    Shopper(String),
    Assistant {
        text: String,
        calls: Vec<ToolCall>,
        /// What the endpoint that wrote it wants to read back beside it.
        echo: Option<Echo>,
    },
    /// JSON, to be read as data.
    ToolResult {
        call_id: String,
        content: String,
    },
}

impl PromptMessage {
    /// Its text, unless only the model is told it.
    pub fn known_text(&self) -> Option<&str> {
        match self {
            Self::System(_) | Self::Context(_) => None,
            Self::Shopper(text) | Self::Assistant { text, .. } => Some(text),
            Self::ToolResult { content, .. } => Some(content),
        }
    }
}

/// A tool as the model is told of it.
#[derive(Clone)]
pub struct ToolDefinition {
    pub name: &'static str,
    pub description: String,
    /// Strict JSON schema of the arguments.
    pub schema: Value,
}

/// What the model asked for. The name and the arguments are the model's: nothing of them has been checked against the tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Echoed with the result. The provider's own where it gives a distinct one.
    pub id: String,
    /// Letters, digits, `_` and `-`, at most 64, as providers demand when it is echoed.
    pub tool: String,
    /// A JSON object. `{}` where the model's text is none.
    pub arguments: String,
    /// Why the call cannot be run, for the model to read.
    pub fault: Option<CallFault>,
}

/// Why a tool call that the model streamed cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// The answer reached its length limit inside the arguments.
    CutOff,
    /// The arguments are not a JSON object.
    NotJson,
    /// The arguments are longer than any tool takes.
    TooLong,
}

impl CallFault {
    /// A sentence for the model.
    pub fn message(self) -> &'static str {
        match self {
            Self::CutOff => "the arguments were cut off by the length limit; call again with shorter ones",
            Self::NotJson => "the arguments are not a JSON object; call again",
            Self::TooLong => "the arguments are too long; call again with shorter ones",
        }
    }
}

/// What an endpoint wants to read back of its own answer in the next round of the same turn, such as its reasoning or
/// a signature. It goes to that endpoint alone, and is not kept after the turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo {
    /// The endpoint that wrote it.
    pub endpoint: Arc<str>,
    /// In the form of its wire.
    pub data: Value,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    Text(String),
    /// The model is at work on what is not shown: its reasoning, or a piece of a call.
    Progress,
    /// A complete call.
    Call(ToolCall),
    Echo(Echo),
    /// The last piece, with the reason when the answer was cut before its end.
    End(Usage, Option<ModelError>),
}

/// Tokens that an answer used, as the provider counts them; zero where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that was read, cached tokens included.
    pub input_tokens: u32,
    /// Of the input: read from the provider's cache.
    pub cached_tokens: u32,
    /// Of the input: written to the provider's cache, where that has a price of its own.
    pub cache_write_tokens: u32,
    /// All that was written, reasoning included.
    pub output_tokens: u32,
    /// Of the output: reasoning.
    pub reasoning_tokens: u32,
}

/// Why there is no answer, or no more of it. Holds nothing that the model or its provider said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("the model did not answer in time")]
    TooSlow,
    /// With the seconds that the provider asks to wait, where it says.
    #[error("the model's provider refused for now (429)")]
    RateLimited(Option<u16>),
    #[error("the account at the model's provider has no credit left")]
    NoCredit,
    #[error("the model's provider refuses the key")]
    KeyRefused,
    #[error("the model's provider knows no such model")]
    UnknownModel,
    #[error("there is no such API at the address")]
    WrongAddress,
    #[error("this model takes no tools")]
    NoTools,
    /// With the status, 400 or 422 mostly.
    #[error("the model's provider refuses a parameter of the request ({0})")]
    ParameterRefused(u16),
    /// With the tokens that the model can read and write together, where the provider says it.
    #[error("the conversation is longer than the model can read")]
    ContextTooLong(Option<u32>),
    #[error("the model's provider answered {0}")]
    Status(u16),
    #[error("the model's provider cannot be reached")]
    Unreachable,
    #[error("the model's answer ended early")]
    CutOff,
    #[error("the model's answer reached its length limit")]
    LengthLimit,
    #[error("the model's provider withheld the answer, or the rest of it")]
    ContentFilter,
    #[error("the model's provider failed in the middle of the answer")]
    ProviderFailed,
    #[error("the model's answer cannot be read")]
    Garbage,
    #[error("the model's answer is empty")]
    Empty,
    #[error("the model's answer is too long")]
    TooLong,
    /// It calls tools in every answer of a turn, in the last one too, where it may not.
    #[error("the model calls tools again and again and never answers")]
    OnlyCalls,
    #[error("the model failed too often just now and is left alone for a moment")]
    CircuitOpen,
}

impl ModelError {
    /// Whether the error shows that the provider is in trouble. Errors that one conversation causes do not count, because they would open
    /// the breaker for everybody.
    pub fn is_outage(self) -> bool {
        match self {
            Self::TooSlow
            | Self::RateLimited(_)
            | Self::NoCredit
            | Self::KeyRefused
            | Self::UnknownModel
            | Self::WrongAddress
            | Self::NoTools
            | Self::Status(_)
            | Self::Unreachable
            | Self::CutOff
            | Self::ProviderFailed
            | Self::Garbage => true,
            Self::ParameterRefused(_)
            | Self::ContextTooLong(_)
            | Self::LengthLimit
            | Self::ContentFilter
            | Self::Empty
            | Self::TooLong
            | Self::OnlyCalls
            | Self::CircuitOpen => false,
        }
    }

    /// A stable name, for metrics and for staff.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooSlow => "too_slow",
            Self::RateLimited(_) => "rate_limited",
            Self::NoCredit => "no_credit",
            Self::KeyRefused => "key_refused",
            Self::UnknownModel => "unknown_model",
            Self::WrongAddress => "wrong_address",
            Self::NoTools => "no_tools",
            Self::ParameterRefused(_) => "parameter_refused",
            Self::ContextTooLong(_) => "context_too_long",
            Self::Status(_) => "status",
            Self::Unreachable => "unreachable",
            Self::CutOff => "cut_off",
            Self::LengthLimit => "length_limit",
            Self::ContentFilter => "content_filter",
            Self::ProviderFailed => "provider_failed",
            Self::Garbage => "garbage",
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::OnlyCalls => "only_calls",
            Self::CircuitOpen => "circuit_open",
        }
    }
}
