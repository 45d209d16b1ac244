//! Any endpoint that speaks OpenAI's chat completions, streamed.

use std::sync::LazyLock;

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use futures::{StreamExt, TryStreamExt, stream};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::service_fn;

use super::{Chunk, ChunkStream, Deadlines, Model, ModelError, Price, Prompt, PromptMessage, Source, ToolCall, Usage};
use crate::telemetry::traces;

/// More calls than this in one answer is no answer.
const MOST_CALLS: usize = 16;
/// The longest arguments of one call, in bytes. The registry refuses shorter ones already; this bounds memory.
const LONGEST_ARGUMENTS: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub struct OpenAiSettings {
    /// Such as `https://api.openai.com/v1`.
    pub base_url: String,
    pub api_key: SecretString,
    pub model: String,
    pub price: Price,
    pub deadlines: Deadlines,
}

pub struct OpenAiModel {
    client: Client<OpenAIConfig>,
    model: String,
    deadlines: Deadlines,
}

impl OpenAiModel {
    pub fn new(settings: OpenAiSettings) -> Self {
        let config = OpenAIConfig::new()
            .with_api_base(settings.base_url)
            .with_api_key(settings.api_key.expose_secret());
        let client = Client::with_config(config).with_http_service(service_fn(execute));
        Self {
            client,
            model: settings.model,
            deadlines: settings.deadlines,
        }
    }
}

impl Model for OpenAiModel {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        let request = request(&self.model, &prompt);
        let client = self.client.clone();
        let chunks = async move {
            let events = client
                .chat()
                .create_stream_byot::<Value, Event>(request)
                .await
                .map_err(|error| classify(&error))?;
            Ok(
                stream::try_unfold((events, Assembly::default()), |(mut events, mut assembly)| async move {
                    if assembly.ended {
                        return Ok(None);
                    }
                    let event = events.next().await.transpose().map_err(|error| classify(&error))?;
                    let chunks = match event {
                        Some(event) => assembly.add(event)?,
                        None => assembly.end()?,
                    };
                    Ok(Some((stream::iter(chunks.into_iter().map(Ok)), (events, assembly))))
                })
                .try_flatten(),
            )
        };
        self.deadlines.guard(stream::once(chunks).try_flatten().boxed())
    }

    fn source(&self) -> Source {
        Source::Model
    }
}

/// Once, without the library's own tries: whoever waits is better served by the next model. The provider can go on from
/// our trace.
async fn execute(request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);
    let mut request = request.build().await?;
    request.headers_mut().extend(traces::trace_headers());
    Ok(CLIENT.execute(request).await?)
}

fn request(model: &str, prompt: &Prompt) -> Value {
    let tools: Vec<Value> = prompt
        .tools
        .iter()
        .map(|tool| {
            json!({ "type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": true } })
        })
        .collect();
    json!({
        "model": model,
        "messages": prompt.messages.iter().map(message).collect::<Vec<_>>(),
        "tools": tools,
        "max_completion_tokens": prompt.max_output_tokens,
        "stream": true,
        "stream_options": { "include_usage": true },
    })
}

fn message(message: &PromptMessage) -> Value {
    match message {
        PromptMessage::System(text) => json!({ "role": "system", "content": text }),
        PromptMessage::Shopper(text) => json!({ "role": "user", "content": text }),
        PromptMessage::ToolResult { call_id, content } => {
            json!({ "role": "tool", "tool_call_id": call_id, "content": content })
        }
        PromptMessage::Assistant { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        PromptMessage::Assistant { text, calls } => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|call| json!({ "id": call.id, "type": "function", "function": { "name": call.tool, "arguments": call.arguments } }))
                .collect();
            json!({ "role": "assistant", "content": text, "tool_calls": calls })
        }
    }
}

/// One streamed event, read leniently: compatible servers leave much of it out.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<EventUsage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    #[serde(default)]
    index: usize,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct EventUsage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

/// Puts streamed pieces together. Text goes on at once, calls when the answer is complete.
#[derive(Default)]
struct Assembly {
    calls: Vec<ToolCall>,
    usage: Usage,
    finished: bool,
    ended: bool,
}

impl Assembly {
    fn add(&mut self, event: Event) -> Result<Vec<Chunk>, ModelError> {
        if let Some(usage) = event.usage {
            self.usage = Usage {
                input_tokens: usage.prompt_tokens,
                output_tokens: usage.completion_tokens,
            };
        }
        let Some(choice) = event.choices.into_iter().next() else {
            return Ok(Vec::new());
        };
        // A provider may repeat its finish reason; what it says after the first is not part of the answer.
        if self.finished {
            return Ok(Vec::new());
        }
        for piece in choice.delta.tool_calls.unwrap_or_default() {
            self.add_call(piece)?;
        }
        self.finished = choice.finish_reason.is_some();
        Ok(choice
            .delta
            .content
            .filter(|text| !text.is_empty())
            .map(Chunk::Text)
            .into_iter()
            .collect())
    }

    fn add_call(&mut self, piece: CallDelta) -> Result<(), ModelError> {
        if piece.index >= MOST_CALLS || piece.index > self.calls.len() {
            return Err(ModelError::TooLong);
        }
        if piece.index == self.calls.len() {
            self.calls.push(ToolCall {
                id: String::new(),
                tool: String::new(),
                arguments: String::new(),
            });
        }
        let call = &mut self.calls[piece.index];
        if let Some(id) = piece.id {
            call.id = id;
        }
        if let Some(function) = piece.function {
            call.tool.push_str(function.name.as_deref().unwrap_or_default());
            call.arguments
                .push_str(function.arguments.as_deref().unwrap_or_default());
        }
        if call.tool.len() + call.arguments.len() > LONGEST_ARGUMENTS {
            Err(ModelError::TooLong)
        } else {
            Ok(())
        }
    }

    fn end(&mut self) -> Result<Vec<Chunk>, ModelError> {
        self.ended = true;
        if !self.finished {
            return Err(ModelError::CutOff);
        }
        let calls = std::mem::take(&mut self.calls).into_iter().map(Chunk::Call);
        Ok(calls.chain([Chunk::End(self.usage)]).collect())
    }
}

/// The provider's error without its words, which may repeat the prompt.
fn classify(error: &OpenAIError) -> ModelError {
    match error {
        OpenAIError::ApiError(response) if response.status_code.as_u16() == 429 => ModelError::RateLimited,
        OpenAIError::ApiError(response) => ModelError::Status(response.status_code.as_u16()),
        OpenAIError::Reqwest(error) if error.is_connect() || error.is_request() => ModelError::Unreachable,
        OpenAIError::Reqwest(_) | OpenAIError::StreamError(_) => ModelError::CutOff,
        _ => ModelError::Garbage,
    }
}
