//! Chat: one message, from the shopper's words to the stored answer.
//!
//! Law: a turn belongs to the server, not to the connection that asked for it. It runs to its end whoever listens, its answer is stored
//! before it is announced, and every listener, early or late, on this replica or another, reads the same events.

pub mod business_hours;
mod claims;
mod engine;
mod event_hub;
mod events;
mod evidence;
mod finish;
mod folding;
pub mod handoff;
pub mod history;
mod links;
mod model_call;
mod output_guard;
mod phrases;
pub mod prompt;
mod reservation;
mod send;
mod sentences;
mod tool_loop;
mod turn;
mod turn_slots;
mod turn_store;

pub use engine::Engine;
pub use event_hub::EventStream;
pub use events::{Event, Message, Numbered, ToolActivity, ToolStatus};
pub use prompt::CurrentPage;
pub use send::{Chat, NewMessage};

use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// Not found, or it belongs to another shopper. The caller is not told which.
    #[error("no such conversation")]
    NoConversation,
    #[error("no such turn")]
    NoTurn,
    #[error("this Idempotency-Key was used for another message")]
    KeyReused,
    #[error("the conversation is still answering the last message")]
    TurnInProgress,
    #[error("as many turns run as may")]
    Busy,
    /// Guests of this network have begun as many conversations as they may; the number is how many seconds to wait.
    #[error("too many conversations")]
    TooMany(u32),
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The limits of one turn.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often the model may be asked in one turn.
    pub rounds: u32,
    /// How many tool calls are run in one turn; further ones are refused.
    pub calls: usize,
    /// The most bytes of answer text; a longer answer is cut off there.
    pub answer_bytes: usize,
    /// The most tokens that one answer of a model may have.
    pub output_tokens: u32,
    /// How many earlier messages the model is shown.
    pub history_messages: u32,
    /// How many bytes of earlier messages the model is shown; the newest are kept.
    pub history_bytes: usize,
    /// How long the whole turn may take.
    pub deadline: Duration,
    /// How many turns run at once in this process; further messages are refused before anything is stored.
    pub turns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rounds: 6,
            calls: 12,
            answer_bytes: 16 * 1024,
            output_tokens: 1024,
            history_messages: 20,
            history_bytes: 16 * 1024,
            deadline: Duration::from_secs(60),
            turns: 1024,
        }
    }
}
