//! The events of a streamed response, put together.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use crate::model::{
    Chunk, Echo, ModelError, Prompt, Usage,
    answer_assembler::AnswerAssembler,
    protocol::{AnswerReader, Progress},
    refusal::Refusal,
    server_sent_events::StreamEvent,
    tool_calls::Piece,
};

/// An answer with more items than this is rejected.
const MAX_ITEMS: usize = 256;

pub struct ResponseReader {
    answer: AnswerAssembler,
    /// Items of reasoning, to be given back as they came.
    reasoning: Vec<Value>,
    /// The items that are read, by their place in the output.
    items: BTreeSet<u64>,
    endpoint: Arc<str>,
    usage: Option<Usage>,
}

impl ResponseReader {
    pub fn new(prompt: &Prompt, endpoint: Arc<str>) -> Self {
        Self {
            answer: AnswerAssembler::new(prompt, false),
            reasoning: Vec::new(),
            items: BTreeSet::new(),
            endpoint,
            usage: None,
        }
    }

    fn add_json(&mut self, event: &Value) -> Result<Vec<Chunk>, ModelError> {
        let place = event["output_index"].as_u64().unwrap_or(self.items.len() as u64);
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => self.add_text(event["delta"].as_str().unwrap_or_default()),
            "response.refusal.delta" | "response.refusal.done" => self.answer.fail(ModelError::ContentFilter),
            "response.output_item.done" => self.add_item(place, &event["item"]),
            "response.completed" | "response.incomplete" | "response.failed" => self.end_response(&event["response"]),
            // Some servers write the error into the event, some below `error`.
            "error" => {
                let error = if event["error"].is_object() {
                    &event["error"]
                } else {
                    event
                };
                self.answer.fail(Refusal::in_stream(error).error())
            }
            kind if kind.contains("reasoning") || kind.contains("arguments") => Ok(vec![Chunk::Progress]),
            _ => Ok(Vec::new()),
        }
    }

    fn add_item(&mut self, place: u64, item: &Value) -> Result<Vec<Chunk>, ModelError> {
        if self.items.len() == MAX_ITEMS {
            return Err(ModelError::TooLong);
        }
        if !self.items.insert(place) {
            return Ok(Vec::new());
        }
        match item["type"].as_str() {
            Some("function_call") => self.answer.calls.add(Piece {
                index: i64::try_from(place).ok(),
                id: item["call_id"].as_str().or(item["id"].as_str()),
                name: item["name"].as_str(),
                arguments: item.get("arguments"),
                extra: None,
            })?,
            Some("reasoning") => self.reasoning.push(item.clone()),
            _ => {}
        }
        Ok(vec![Chunk::Progress])
    }

    /// The last event repeats the whole response; items that had no event of their own are taken from it.
    fn end_response(&mut self, response: &Value) -> Result<Vec<Chunk>, ModelError> {
        self.usage = usage(&response["usage"]).or(self.usage);
        let mut chunks = Vec::new();
        for (place, item) in response["output"].as_array().into_iter().flatten().enumerate() {
            if item["type"] == "message" && !self.answer.has_text {
                for part in item["content"].as_array().into_iter().flatten() {
                    chunks.extend(self.add_text(part["text"].as_str().unwrap_or_default())?);
                }
            } else {
                self.add_item(place as u64, item)?;
            }
        }
        match response["status"].as_str().unwrap_or("completed") {
            "failed" => chunks.extend(self.answer.fail(Refusal::in_stream(&response["error"]).error())?),
            "incomplete" if response["incomplete_details"]["reason"] == "content_filter" => {
                chunks.extend(self.answer.fail(ModelError::ContentFilter)?);
            }
            "incomplete" => self.answer.ended = Some(Some(ModelError::LengthLimit)),
            "cancelled" => chunks.extend(self.answer.fail(ModelError::ProviderFailed)?),
            _ => self.answer.ended = Some(None),
        }
        Ok(chunks)
    }

    fn add_text(&mut self, text: &str) -> Result<Vec<Chunk>, ModelError> {
        let parts = self.answer.parts(text);
        Ok(self.answer.chunks(parts))
    }
}

impl AnswerReader for ResponseReader {
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
        match (self.answer.ended, self.usage) {
            (Some(_), Some(_)) => Progress::Over,
            (Some(_), None) => Progress::AwaitsUsage,
            (None, _) => Progress::Going,
        }
    }

    fn end(&mut self) -> Result<Vec<Chunk>, ModelError> {
        let rest = self.answer.last_parts();
        let mut chunks = self.answer.chunks(rest);
        let ended = match self.answer.ended {
            None if self.answer.has_unreadable && !self.answer.has_text => return Err(ModelError::Garbage),
            None => return Err(ModelError::CutOff),
            Some(ended) => ended,
        };
        let ended = self.answer.ending(ended, self.usage.unwrap_or_default().output_tokens);
        let finished = self.answer.finish_calls(ended);
        if !finished.is_empty() && !self.reasoning.is_empty() {
            let data = json!(self.reasoning);
            chunks.push(Chunk::Echo(Echo {
                endpoint: self.endpoint.clone(),
                data,
            }));
        }
        chunks.extend(finished.into_iter().map(|finished| Chunk::Call(finished.call)));
        chunks.push(Chunk::End(self.usage.unwrap_or_default(), ended));
        Ok(chunks)
    }
}

fn usage(usage: &Value) -> Option<Usage> {
    let count = |value: &Value| {
        value
            .as_u64()
            .map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
    };
    let found = Usage {
        input_tokens: count(&usage["input_tokens"]),
        cached_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
        cache_write_tokens: 0,
        output_tokens: count(&usage["output_tokens"]),
        reasoning_tokens: count(&usage["output_tokens_details"]["reasoning_tokens"]),
    };
    (found != Usage::default()).then_some(found)
}
