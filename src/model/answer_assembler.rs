//! The state that the three answer readers share while an answer streams in.

use super::{
    Chunk, ModelError, Prompt,
    dialect::{Adaptation, Adaptations},
    hidden_text::{HiddenText, Part},
    tool_calls::{Finished, ToolCalls},
};

pub(super) struct AnswerAssembler {
    text: HiddenText,
    is_check: bool,
    max_output_tokens: u32,
    pub calls: ToolCalls,
    /// `None` while the answer streams, `Some(None)` once it is complete, `Some(Some(e))` if it ended early.
    pub ended: Option<Option<ModelError>>,
    pub has_text: bool,
    /// An event came that is no JSON.
    pub has_unreadable: bool,
}

impl AnswerAssembler {
    /// `reasoning_first`: the answer begins inside the reasoning.
    pub fn new(prompt: &Prompt, reasoning_first: bool) -> Self {
        Self {
            text: HiddenText::new(reasoning_first),
            is_check: prompt.is_check,
            max_output_tokens: prompt.max_output_tokens,
            calls: ToolCalls::new(prompt.tools.iter().map(|tool| tool.name).collect()),
            ended: None,
            has_text: false,
            has_unreadable: false,
        }
    }

    /// The parts of the next piece of text.
    pub fn parts(&mut self, text: &str) -> Vec<Part> {
        self.text.push(text)
    }

    /// The parts that are left when the answer is over.
    pub fn last_parts(&mut self) -> Vec<Part> {
        self.text.finish()
    }

    /// What a part adds to the answer.
    pub fn chunk(&mut self, part: Part) -> Chunk {
        match part {
            Part::Visible(text) => {
                self.has_text = true;
                Chunk::Text(text)
            }
            Part::Reasoning | Part::Call(_) => Chunk::Progress,
        }
    }

    /// What parts add to the answer.
    pub fn chunks(&mut self, parts: Vec<Part>) -> Vec<Chunk> {
        parts.into_iter().map(|part| self.chunk(part)).collect()
    }

    /// Ends the answer, because the provider failed or withheld the rest. An error when nothing was given: another model may answer.
    pub fn fail(&mut self, error: ModelError) -> Result<Vec<Chunk>, ModelError> {
        if !self.has_text {
            return Err(error);
        }
        self.calls = ToolCalls::default();
        let error = match error {
            ModelError::ContentFilter => error,
            _ => ModelError::ProviderFailed,
        };
        self.ended.get_or_insert(Some(error));
        Ok(Vec::new())
    }

    /// How the answer ended, by what the server says and by its length: llama.cpp's Responses and some proxies call an answer complete
    /// that stops at its limit. `output_tokens` is 0 where the server does not count.
    pub fn ending(&self, ended: Option<ModelError>, output_tokens: u32) -> Option<ModelError> {
        let at_limit = output_tokens == self.max_output_tokens;
        ended.or(at_limit.then_some(ModelError::LengthLimit))
    }

    /// The calls of an answer that ended so.
    pub fn finish_calls(&mut self, ended: Option<ModelError>) -> Vec<Finished> {
        std::mem::take(&mut self.calls).finish(ended == Some(ModelError::LengthLimit))
    }

    /// How later answers of the endpoint must be read, as this one shows.
    pub fn lessons(&self) -> Adaptations {
        let begins_inside = self.is_check && self.text.closed_unopened;
        begins_inside
            .then_some(Adaptation::ReasoningFirst)
            .into_iter()
            .collect()
    }
}
