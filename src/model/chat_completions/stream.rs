//! The events of a streamed chat completion, put together. Text goes on at once, calls when the answer is complete.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::{
    Chunk, Echo, ModelError, Prompt, Usage,
    answer_assembler::AnswerAssembler,
    dialect::{Adaptation, Adaptations},
    hidden_text::Part,
    protocol::{AnswerReader, Progress},
    refusal::Refusal,
    server_sent_events::StreamEvent,
    tool_calls::{Finished, Piece, ToolCalls},
};

/// The fields in which servers stream reasoning, which some want back beside the calls.
const REASONING_FIELDS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];
/// The most reasoning that is given back, in bytes.
const MAX_REASONING: usize = 256 * 1024;

pub struct ChatReader {
    answer: AnswerAssembler,
    /// What the provider wants back: the fields of the message.
    message_fields: Map<String, Value>,
    endpoint: Arc<str>,
    usage: Option<Usage>,
    /// The usage came with the end or after it; some servers count all along.
    has_final_usage: bool,
    done: bool,
    /// Anything came that is a part of an answer.
    has_begun: bool,
}

impl ChatReader {
    pub fn new(prompt: &Prompt, adaptations: &Adaptations, endpoint: Arc<str>) -> Self {
        Self {
            answer: AnswerAssembler::new(prompt, adaptations.contains(&Adaptation::ReasoningFirst)),
            message_fields: Map::new(),
            endpoint,
            usage: None,
            has_final_usage: false,
            done: false,
            has_begun: false,
        }
    }

    fn add_json(&mut self, event: &Value) -> Result<Vec<Chunk>, ModelError> {
        let usage = usage(event);
        self.usage = usage.or(self.usage);
        let chunks = self.add_choice(event)?;
        self.has_final_usage |= usage.is_some() && self.answer.ended.is_some();
        Ok(chunks)
    }

    fn add_choice(&mut self, event: &Value) -> Result<Vec<Chunk>, ModelError> {
        let choice = match &event["choices"] {
            Value::Array(choices) => choices.first().unwrap_or(&Value::Null),
            choice => choice,
        };
        let reason = choice["finish_reason"].as_str().unwrap_or_default();
        let error = [&event["error"], &choice["error"]]
            .into_iter()
            .find(|error| is_error(error))
            .or_else(|| is_bare_error(event).then_some(event));
        if let Some(error) = error {
            return self.answer.fail(Refusal::in_stream(error).error());
        }
        // What comes after the end is not a part of the answer.
        if self.answer.ended.is_some() {
            return Ok(Vec::new());
        }
        let delta = match (&choice["delta"], &choice["message"]) {
            (Value::Object(_), _) => &choice["delta"],
            (_, message) => message,
        };
        // Some end with the whole message once more.
        let nothing = Value::Null;
        let is_repeated = !choice["delta"].is_object() && self.has_begun;
        let delta = if is_repeated { &nothing } else { delta };
        let mut chunks = Vec::new();
        self.add_content(&delta["content"], &mut chunks)?;
        if self.add_reasoning(delta) {
            chunks.push(Chunk::Progress);
        }
        match &delta["tool_calls"] {
            Value::Array(pieces) => pieces.iter().try_for_each(|piece| self.add_call(piece, &mut chunks))?,
            piece @ Value::Object(_) => self.add_call(piece, &mut chunks)?,
            _ => {}
        }
        if delta["function_call"].is_object() {
            self.add_call(&json!({ "function": delta["function_call"] }), &mut chunks)?;
        }
        self.has_begun |= !chunks.is_empty();
        if delta["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty()) {
            chunks.extend(self.answer.fail(ModelError::ContentFilter)?);
            return Ok(chunks);
        }
        // Gemini's OpenAI endpoint adds its own word: `content_filter: RECITATION`.
        let reason = reason.split(':').next().unwrap_or_default().trim();
        match reason.to_ascii_lowercase().as_str() {
            "" | "null" | "none" => {}
            "length" | "max_tokens" | "model_length" | "max_output_tokens" => {
                self.answer.ended = Some(Some(ModelError::LengthLimit));
            }
            "content_filter" | "safety" | "sensitive" | "recitation" | "prohibited_content" | "blocklist" => {
                chunks.extend(self.answer.fail(ModelError::ContentFilter)?);
            }
            "error" | "abort" | "insufficient_system_resource" | "network_error" => {
                chunks.extend(self.answer.fail(ModelError::ProviderFailed)?);
            }
            _ => self.answer.ended = Some(None),
        }
        Ok(chunks)
    }

    fn add_content(&mut self, content: &Value, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        match content {
            Value::String(text) => self.add_text(text, chunks),
            Value::Array(parts) => parts.iter().try_for_each(|part| match (part["type"].as_str(), part) {
                (_, Value::String(text)) => self.add_text(text, chunks),
                (Some("text" | "output_text") | None, part) => match &part["text"] {
                    Value::String(text) => self.add_text(text, chunks),
                    // Some write the text as an object with a value.
                    text => self.add_text(text["value"].as_str().unwrap_or_default(), chunks),
                },
                // Mistral streams reasoning as a part of the content.
                (Some("thinking" | "reasoning"), _) => {
                    chunks.push(Chunk::Progress);
                    Ok(())
                }
                _ => Ok(()),
            }),
            _ => Ok(()),
        }
    }

    fn add_text(&mut self, text: &str, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let parts = self.answer.parts(text);
        self.add_parts(parts, chunks)
    }

    fn add_parts(&mut self, parts: Vec<Part>, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        for part in parts {
            if let Part::Call(text) = &part {
                self.add_written_call(text)?;
            }
            chunks.push(self.answer.chunk(part));
        }
        Ok(())
    }

    /// Adds a call that the server left in the text, or a list of them.
    fn add_written_call(&mut self, text: &str) -> Result<(), ModelError> {
        let written: Value = serde_json::from_str(text.trim()).unwrap_or_default();
        if let Value::Array(calls) = &written {
            return calls
                .iter()
                .try_for_each(|call| self.add_written_call(&call.to_string()));
        }
        let call = written;
        let unreadable = json!(text);
        let (name, arguments) = match call["name"].as_str() {
            Some(name) => {
                let written = [&call["arguments"], &call["parameters"]];
                (name, written.into_iter().find(|value| !value.is_null()))
            }
            None => ("unnamed", Some(&unreadable)),
        };
        self.answer.calls.add(Piece {
            name: Some(name),
            arguments,
            ..Piece::default()
        })
    }

    /// Whether the piece has reasoning in a field of its own.
    fn add_reasoning(&mut self, delta: &Value) -> bool {
        let mut found = false;
        for field in REASONING_FIELDS {
            let Some(piece) = delta[field].as_str().filter(|piece| !piece.is_empty()) else {
                continue;
            };
            found = true;
            let kept = self.message_fields.entry(field).or_insert_with(|| json!(""));
            if let Value::String(kept) = kept
                && kept.len() < MAX_REASONING
            {
                kept.push_str(piece);
            }
        }
        // OpenRouter's list of reasoning blocks, which it wants back as it came.
        if let Some(details) = delta["reasoning_details"]
            .as_array()
            .filter(|details| !details.is_empty())
        {
            found = true;
            let kept = self
                .message_fields
                .entry("reasoning_details")
                .or_insert_with(|| json!([]));
            if let Value::Array(kept) = kept
                && kept.len() < 4096
            {
                kept.extend(details.iter().cloned());
            }
        }
        found
    }

    fn add_call(&mut self, piece: &Value, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let function = match &piece["function"] {
            Value::Object(_) => &piece["function"],
            _ => piece,
        };
        let id = piece["id"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| piece["id"].as_i64().map(|id| id.to_string()));
        let extra = piece.get("extra_content").filter(|extra| !extra.is_null());
        self.answer.calls.add(Piece {
            index: piece["index"].as_i64(),
            id: id.as_deref(),
            name: function["name"].as_str(),
            arguments: function.get("arguments"),
            extra: extra.map(|extra| json!({ "extra_content": extra })),
        })?;
        chunks.push(Chunk::Progress);
        Ok(())
    }

    /// The calls, and what the provider wants back with them.
    fn finish_calls(&mut self, ended: Option<ModelError>) -> Vec<Chunk> {
        let finished = self.answer.finish_calls(ended);
        if finished.is_empty() {
            return Vec::new();
        }
        let mut fields = Map::new();
        let mut chunks = Vec::new();
        for Finished { call, extra } in finished {
            fields.extend(extra.map(|extra| (call.id.clone(), extra)));
            chunks.push(Chunk::Call(call));
        }
        if !fields.is_empty() || !self.message_fields.is_empty() {
            chunks.push(Chunk::Echo(Echo {
                endpoint: self.endpoint.clone(),
                data: json!({ "message": self.message_fields, "calls": fields }),
            }));
        }
        chunks
    }
}

impl AnswerReader for ChatReader {
    fn add(&mut self, event: StreamEvent) -> Result<Vec<Chunk>, ModelError> {
        match event {
            StreamEvent::Json(event) => self.add_json(&event),
            StreamEvent::Done => {
                self.done = true;
                Ok(Vec::new())
            }
            StreamEvent::Unreadable => {
                self.answer.has_unreadable = true;
                Ok(Vec::new())
            }
        }
    }

    fn progress(&self) -> Progress {
        match self.answer.ended {
            _ if self.done || self.has_final_usage => Progress::Over,
            Some(_) => Progress::AwaitsUsage,
            None => Progress::Going,
        }
    }

    fn end(&mut self) -> Result<Vec<Chunk>, ModelError> {
        let mut chunks = Vec::new();
        let rest = self.answer.last_parts();
        self.add_parts(rest, &mut chunks)?;
        // `[DONE]` without a reason is an end as well, where something was said.
        let ended = match self.answer.ended {
            None if self.done && self.has_begun => None,
            None if self.answer.has_unreadable && !self.has_begun => return Err(ModelError::Garbage),
            None => {
                self.answer.calls = ToolCalls::default();
                match (self.answer.has_text, self.usage) {
                    (true, Some(_)) => Some(ModelError::CutOff),
                    _ => return Err(ModelError::CutOff),
                }
            }
            Some(ended) => ended,
        };
        let ended = self.answer.ending(ended, self.usage.unwrap_or_default().output_tokens);
        chunks.extend(self.finish_calls(ended));
        chunks.push(Chunk::End(self.usage.unwrap_or_default(), ended));
        Ok(chunks)
    }

    fn lessons(&self) -> Adaptations {
        self.answer.lessons()
    }
}

/// Whether an event is an error without a field of that name, as vLLM's `{"object": "error", "message": …}` is.
fn is_bare_error(event: &Value) -> bool {
    event.get("choices").is_none() && (event["object"] == "error" || event["message"].is_string())
}

fn is_error(error: &Value) -> bool {
    match error {
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}

/// The tokens that an event counts. Servers that send a running count send the last one last.
fn usage(event: &Value) -> Option<Usage> {
    let usage = [&event["usage"], &event["x_groq"]["usage"]]
        .into_iter()
        .find(|usage| usage.is_object())?;
    let count = |value: &Value| value.as_f64().filter(|count| *count >= 0.0).map(|count| count as u32);
    let one_of = |names: &[&str]| names.iter().find_map(|name| count(&usage[*name])).unwrap_or(0);
    let found = Usage {
        input_tokens: one_of(&["prompt_tokens", "input_tokens"]),
        // DeepSeek counts the hits beside the prompt's tokens.
        cached_tokens: count(&usage["prompt_tokens_details"]["cached_tokens"])
            .or_else(|| count(&usage["prompt_cache_hit_tokens"]))
            .or_else(|| count(&usage["cached_tokens"]))
            .unwrap_or(0),
        cache_write_tokens: count(&usage["prompt_tokens_details"]["cache_write_tokens"]).unwrap_or(0),
        output_tokens: one_of(&["completion_tokens", "output_tokens"]),
        reasoning_tokens: count(&usage["completion_tokens_details"]["reasoning_tokens"]).unwrap_or(0),
    };
    (found != Usage::default()).then_some(found)
}
