//! The events of a streamed message, put together.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::model::{
    Chunk, Echo, ModelError, Prompt, Usage,
    answer_assembler::AnswerAssembler,
    protocol::{AnswerReader, Progress},
    refusal::Refusal,
    server_sent_events::StreamEvent,
    tool_calls::{Finished, Piece, ToolCalls},
};

/// An answer with more blocks than this is rejected.
const MAX_BLOCKS: usize = 256;
/// The longest block that is kept to be given back, in bytes.
const MAX_BLOCK: usize = 256 * 1024;

pub struct MessagesReader {
    answer: AnswerAssembler,
    /// The content as it came, to be given back: reasoning is signed, and refused when it is changed.
    blocks: BTreeMap<u64, Value>,
    endpoint: Arc<str>,
    usage: Usage,
    /// `message_stop` came.
    is_over: bool,
}

impl MessagesReader {
    pub fn new(prompt: &Prompt, endpoint: Arc<str>) -> Self {
        Self {
            answer: AnswerAssembler::new(prompt, false),
            blocks: BTreeMap::new(),
            endpoint,
            usage: Usage::default(),
            is_over: false,
        }
    }

    fn add_json(&mut self, event: &Value) -> Result<Vec<Chunk>, ModelError> {
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => self.count(&event["message"]["usage"]),
            "content_block_start" => return self.start_block(index, &event["content_block"]),
            "content_block_delta" => return self.add_delta(index, &event["delta"]),
            "message_delta" => {
                self.count(&event["usage"]);
                match event["delta"]["stop_reason"].as_str() {
                    None | Some("") => {}
                    Some("max_tokens" | "model_context_window_exceeded") => {
                        self.answer.ended = Some(Some(ModelError::LengthLimit));
                    }
                    Some("refusal") => return self.answer.fail(ModelError::ContentFilter),
                    Some(_) => self.answer.ended = Some(None),
                }
            }
            "message_stop" => self.is_over = true,
            "error" => {
                let error = &event["error"];
                let status = match error["type"].as_str().unwrap_or_default() {
                    "overloaded_error" | "rate_limit_error" => 429,
                    "invalid_request_error" => 400,
                    "authentication_error" | "permission_error" => 401,
                    "not_found_error" => 404,
                    _ => 500,
                };
                let refusal = Refusal::read(status, &reqwest::header::HeaderMap::new(), error.to_string().as_bytes());
                return self.answer.fail(refusal.error());
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    fn start_block(&mut self, index: u64, block: &Value) -> Result<Vec<Chunk>, ModelError> {
        if self.blocks.len() == MAX_BLOCKS {
            return Err(ModelError::TooLong);
        }
        self.blocks.insert(index, block.clone());
        match block["type"].as_str() {
            Some("text") => self.add_text(block["text"].as_str().unwrap_or_default()),
            Some("tool_use") => {
                // An input that is not empty is the whole of it; otherwise it comes in pieces.
                let input =
                    Some(&block["input"]).filter(|input| input.as_object().is_some_and(|input| !input.is_empty()));
                self.answer.calls.add(Piece {
                    index: i64::try_from(index).ok(),
                    id: block["id"].as_str(),
                    name: block["name"].as_str(),
                    arguments: input,
                    extra: None,
                })?;
                Ok(vec![Chunk::Progress])
            }
            _ => Ok(vec![Chunk::Progress]),
        }
    }

    fn add_delta(&mut self, index: u64, delta: &Value) -> Result<Vec<Chunk>, ModelError> {
        let piece = |name: &str| delta[name].as_str().unwrap_or_default();
        match delta["type"].as_str() {
            Some("text_delta") => {
                self.keep(index, "text", piece("text"));
                self.add_text(piece("text"))
            }
            Some("input_json_delta") => {
                let arguments = &delta["partial_json"];
                self.answer.calls.add(Piece {
                    index: i64::try_from(index).ok(),
                    arguments: Some(arguments),
                    ..Piece::default()
                })?;
                Ok(vec![Chunk::Progress])
            }
            Some("thinking_delta") => {
                self.keep(index, "thinking", piece("thinking"));
                Ok(vec![Chunk::Progress])
            }
            Some("signature_delta") => {
                self.keep(index, "signature", piece("signature"));
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Adds a piece to a field of a block that is given back.
    fn keep(&mut self, index: u64, field: &str, piece: &str) {
        let Some(block) = self.blocks.get_mut(&index) else {
            return;
        };
        let text = block[field].as_str().unwrap_or_default();
        if text.len() < MAX_BLOCK {
            block[field] = json!(format!("{text}{piece}"));
        }
    }

    fn add_text(&mut self, text: &str) -> Result<Vec<Chunk>, ModelError> {
        let parts = self.answer.parts(text);
        Ok(self.answer.chunks(parts))
    }

    /// Counts are running totals: a later one replaces an earlier one. Tokens from the cache are counted beside the others.
    fn count(&mut self, usage: &Value) {
        let count = |name: &str| {
            usage[name]
                .as_u64()
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
        };
        let cached = count("cache_read_input_tokens").unwrap_or(self.usage.cached_tokens);
        let written = count("cache_creation_input_tokens").unwrap_or(self.usage.cache_write_tokens);
        let fresh = self
            .usage
            .input_tokens
            .saturating_sub(self.usage.cached_tokens + self.usage.cache_write_tokens);
        let fresh = count("input_tokens").unwrap_or(fresh);
        self.usage = Usage {
            input_tokens: fresh.saturating_add(cached).saturating_add(written),
            cached_tokens: cached,
            cache_write_tokens: written,
            output_tokens: count("output_tokens").unwrap_or(self.usage.output_tokens),
            reasoning_tokens: 0,
        };
    }

    /// The content to be given back, with the calls as they are run: every call needs its result.
    fn content(&self, calls: &[Finished]) -> Value {
        let mut calls = calls.iter();
        let block = |block: &Value| match block["type"].as_str() {
            Some("tool_use") => {
                let call = &calls.next()?.call;
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                Some(json!({ "type": "tool_use", "id": call.id, "name": call.tool, "input": input }))
            }
            Some("text") => block["text"]
                .as_str()
                .is_some_and(|text| !text.trim().is_empty())
                .then(|| block.clone()),
            Some("thinking" | "redacted_thinking") => Some(block.clone()),
            _ => None,
        };
        self.blocks.values().filter_map(block).collect()
    }
}

impl AnswerReader for MessagesReader {
    fn add(&mut self, event: StreamEvent) -> Result<Vec<Chunk>, ModelError> {
        match event {
            StreamEvent::Json(event) => self.add_json(&event),
            StreamEvent::Done => Ok(Vec::new()),
            StreamEvent::Unreadable => {
                self.answer.has_unreadable = true;
                Ok(Vec::new())
            }
        }
    }

    fn progress(&self) -> Progress {
        // The count comes with the reason of the end; `message_stop` follows.
        match self.is_over || self.answer.ended.is_some() {
            true => Progress::Over,
            false => Progress::Going,
        }
    }

    fn end(&mut self) -> Result<Vec<Chunk>, ModelError> {
        let rest = self.answer.last_parts();
        let mut chunks = self.answer.chunks(rest);
        let ended = match self.answer.ended {
            // `message_stop` without a reason.
            None if self.is_over && !self.blocks.is_empty() => None,
            None if self.answer.has_unreadable && self.blocks.is_empty() => return Err(ModelError::Garbage),
            None if self.answer.has_text && self.usage != Usage::default() => {
                self.answer.calls = ToolCalls::default();
                Some(ModelError::CutOff)
            }
            None => return Err(ModelError::CutOff),
            Some(ended) => ended,
        };
        let ended = self.answer.ending(ended, self.usage.output_tokens);
        let finished = self.answer.finish_calls(ended);
        if !finished.is_empty() {
            let data = self.content(&finished);
            chunks.extend(finished.into_iter().map(|finished| Chunk::Call(finished.call)));
            chunks.push(Chunk::Echo(Echo {
                endpoint: self.endpoint.clone(),
                data,
            }));
        }
        chunks.push(Chunk::End(self.usage, ended));
        Ok(chunks)
    }
}
