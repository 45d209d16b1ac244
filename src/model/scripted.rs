//! A model that follows a script: for each shopper message the calls it is told to make, then a closing word. For replays.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, stream};

use super::{AnswerSource, Chunk, ChunkStream, Model, Prompt, PromptMessage, ToolCall, Usage};

#[derive(Default)]
pub struct ScriptedModel {
    turns: Mutex<VecDeque<Vec<ToolCall>>>,
}

impl ScriptedModel {
    /// Adds the calls of one more turn.
    pub fn add_turn(&self, calls: Vec<ToolCall>) {
        self.turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(calls);
    }
}

impl Model for ScriptedModel {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        let opening = matches!(prompt.messages.last(), Some(PromptMessage::Shopper(_)));
        let calls = match opening {
            true => self
                .turns
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
                .unwrap_or_default(),
            false => Vec::new(),
        };
        let chunks = match calls.is_empty() {
            true => vec![Chunk::Text("That is all.".into())],
            false => calls.into_iter().map(Chunk::Call).collect(),
        };
        stream::iter(chunks.into_iter().chain([Chunk::End(Usage::default(), None)]).map(Ok)).boxed()
    }

    fn source(&self) -> AnswerSource {
        AnswerSource::Model
    }
}
