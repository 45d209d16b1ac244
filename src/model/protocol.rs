//! What the protocols of model servers have in common: the settings of an endpoint, and how a prompt is written, sent and its answer read.

use std::{collections::BTreeSet, pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, future::BoxFuture};
use secrecy::SecretString;
use serde_json::Value;

use super::{
    Chunk, Deadlines, ModelError, Price, Prompt,
    dialect::{Adaptations, Dialect},
    server_sent_events::{self, OpenError, StreamEvent},
};
use crate::telemetry::traces;

/// The protocol of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `POST /chat/completions`, which nearly every server speaks.
    ChatCompletions,
    /// `POST /responses` of OpenAI.
    Responses,
    /// `POST /v1/messages` of Anthropic.
    Anthropic,
}

/// How the model picks its words. What is not set is left to the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// From 0 to 2.
    pub temperature: Option<f64>,
    /// From 0 to 1.
    pub top_p: Option<f64>,
    pub reasoning_effort: Option<Effort>,
}

/// How long a model that reasons may do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
}

impl Effort {
    /// As the wires and `MODEL_REASONING_EFFORT` write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl std::str::FromStr for Effort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Minimal, Self::Low, Self::Medium, Self::High];
        all.into_iter()
            .find(|effort| effort.name() == text)
            .ok_or("must be minimal, low, medium or high")
    }
}

/// Where a model is, and how it is asked.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    pub wire: Wire,
    /// Such as `https://api.openai.com/v1`, without a final slash.
    pub base_url: String,
    pub api_key: SecretString,
    pub model: String,
    pub price: Price,
    pub deadlines: Deadlines,
    pub dialect: Dialect,
    pub sampling: Sampling,
    /// How many tokens the model can read and write together, where that is known.
    pub context_tokens: Option<u32>,
}

impl EndpointSettings {
    /// The settings of a model that have defaults, with those.
    pub fn new(base_url: String, api_key: SecretString, model: String, price: Price) -> Self {
        Self {
            wire: Wire::ChatCompletions,
            base_url,
            api_key,
            model,
            price,
            deadlines: Deadlines::default(),
            dialect: Dialect::default(),
            sampling: Sampling::default(),
            context_tokens: None,
        }
    }
}

/// The endpoint and the model that a protocol's requests are for.
pub(super) struct RequestTarget {
    base_url: String,
    model: String,
}

impl RequestTarget {
    pub fn of(settings: &EndpointSettings) -> Self {
        Self {
            base_url: settings.base_url.clone(),
            model: settings.model.clone(),
        }
    }

    /// The model that is asked: the store's, or else the endpoint's own.
    pub fn model<'a>(&'a self, prompt: &'a Prompt) -> &'a str {
        prompt.model.as_ref().map_or(&self.model, |model| &model.name)
    }

    /// Whose reasoning it is that goes back: another model could not read it, at the same endpoint either.
    pub fn echo_name(&self, prompt: &Prompt) -> Arc<str> {
        format!("{} {}", self.base_url, self.model(prompt)).into()
    }
}

/// The events of one answer.
pub(super) type EventStream = Pin<Box<dyn Stream<Item = Result<StreamEvent, ModelError>> + Send>>;

/// A protocol: how a prompt is written, sent and its answer read.
pub(super) trait Protocol: Send + Sync + 'static {
    /// The body of a request.
    fn request(&self, prompt: &Prompt, adaptations: &Adaptations) -> Value;
    /// Sends it.
    fn open(&self, body: Value) -> BoxFuture<'_, Result<EventStream, OpenError>>;
    /// Reads the answer to `prompt`.
    fn reader(&self, prompt: &Prompt, adaptations: &Adaptations) -> Box<dyn AnswerReader>;
}

/// Reads the events of one answer.
pub(super) trait AnswerReader: Send {
    /// What an event adds to the answer.
    fn add(&mut self, event: StreamEvent) -> Result<Vec<Chunk>, ModelError>;
    /// Where the answer stands.
    fn progress(&self) -> Progress;
    /// The last chunks, when no more events come.
    fn end(&mut self) -> Result<Vec<Chunk>, ModelError>;
    /// What was learnt of the endpoint from how it answered.
    fn lessons(&self) -> Adaptations {
        BTreeSet::new()
    }
}

/// Whether more of an answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Going,
    /// The answer is complete, but for the count of its tokens.
    AwaitsUsage,
    Over,
}

/// The client of every model. One try a request: whoever waits is better served by the next model.
pub(super) fn http_client() -> reqwest::Client {
    static CLIENT: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(reqwest::Client::new);
    CLIENT.clone()
}

/// Sends `body` by `request`, and gives back the events of the answer. The provider can go on from our trace.
pub(super) async fn post(request: reqwest::RequestBuilder, body: Value) -> Result<EventStream, OpenError> {
    let request = request.headers(traces::trace_headers()).json(&body).build();
    let request = request.map_err(|_| ModelError::UnknownModel)?;
    Ok(server_sent_events::open(&http_client(), request).await?.boxed())
}
