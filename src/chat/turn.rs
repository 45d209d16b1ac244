//! One turn as data: what it runs with, and what it has gathered.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    engine::Engine,
    event_hub::EventLog,
    output_guard::{Breach, OutputGuard},
    turn_store::CallRecord,
};
use crate::{
    identity::Shopper,
    ids::{ConversationId, MessageId, TurnId},
    language::Language,
    model::{AnswerSource, ModelError, budget::GuestNetworks},
    store::help::Citation,
};

pub(super) struct Turn {
    pub engine: Arc<Engine>,
    pub shopper: Shopper,
    /// The networks that a guest, or an account without an order, calls from; none for a customer.
    pub guest: Option<GuestNetworks>,
    pub id: TurnId,
    pub conversation: ConversationId,
    /// The conversation's language.
    pub language: Language,
    pub message: MessageId,
    pub log: EventLog,
    pub guard: OutputGuard,
    /// Whether to ask no model at all.
    pub by_rules: bool,
    /// The address that the message was sent from.
    pub address: IpAddr,
    /// Whether a person answers instead of the assistant.
    pub held: bool,
    /// Cancelled when running turns are to end now.
    pub stopping: CancellationToken,
}

/// What a turn has gathered so far.
pub(super) struct Draft {
    pub text: String,
    pub calls: Vec<CallRecord>,
    /// The sources of the tools' answers.
    pub citations: Vec<Citation>,
    pub fault: Option<ModelError>,
    /// Who wrote the last part of the text.
    pub source: AnswerSource,
    pub guard: OutputGuard,
    /// How long the models took.
    pub model_time: Duration,
    /// The position in the chain of the model that is asked now. It only moves forward.
    pub link: usize,
}

impl Draft {
    /// `link` is the position in the chain of the model that is asked first.
    pub fn new(guard: OutputGuard, link: usize) -> Self {
        Self {
            text: String::new(),
            calls: Vec::new(),
            citations: Vec::new(),
            fault: None,
            source: AnswerSource::Fallback,
            guard,
            model_time: Duration::ZERO,
            link,
        }
    }

    pub fn is_withheld(&self) -> bool {
        self.guard.breach == Some(Breach::Instructions)
    }
}
