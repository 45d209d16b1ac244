//! One turn, as data: what it runs with, and what it has gathered.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    engine::Engine,
    event_hub::Log,
    output_guard::{Breach, OutputGuard},
    turn_store::CallRecord,
};
use crate::{
    identity::Shopper,
    ids::{ConversationId, MessageId, TurnId},
    language::Language,
    model::{ModelError, Source, budget::GuestNetworks},
    store::help::Citation,
};

pub(super) struct Turn {
    pub engine: Arc<Engine>,
    pub shopper: Shopper,
    /// Where a guest calls from; none for a shopper who is known.
    pub guest: Option<GuestNetworks>,
    pub id: TurnId,
    pub conversation: ConversationId,
    /// The conversation's.
    pub language: Language,
    pub message: MessageId,
    pub log: Log,
    pub guard: OutputGuard,
    /// Ask no model at all.
    pub by_rules: bool,
    /// A person answers instead.
    pub held: bool,
    /// Running turns are to end now.
    pub stopping: CancellationToken,
}

/// What a turn has gathered so far.
pub(super) struct Draft {
    pub text: String,
    pub calls: Vec<CallRecord>,
    /// What the tools' answers are founded on.
    pub citations: Vec<Citation>,
    pub fault: Option<ModelError>,
    /// Who spoke last.
    pub source: Source,
    pub guard: OutputGuard,
    /// How long models took.
    pub model_time: Duration,
    /// The place in the chain of who is asked now. It only moves on.
    pub link: usize,
}

impl Draft {
    /// `link` is the place in the chain of who is asked first.
    pub fn new(guard: OutputGuard, link: usize) -> Self {
        Self {
            text: String::new(),
            calls: Vec::new(),
            citations: Vec::new(),
            fault: None,
            source: Source::Fallback,
            guard,
            model_time: Duration::ZERO,
            link,
        }
    }

    pub fn is_withheld(&self) -> bool {
        self.guard.breach == Some(Breach::Instructions)
    }
}
