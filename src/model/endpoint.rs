//! A model at an HTTP endpoint, whichever wire it speaks: asks, learns from refusals, and reads the stream of the answer.

use std::{collections::BTreeSet, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt, future::BoxFuture, stream};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Chunk, ChunkStream, Deadlines, Model, ModelError, Price, Prompt, Source,
    anthropic::AnthropicMessages,
    chat_completions::ChatCompletions,
    dialect::{self, Adaptation, Adaptations, Dialect, Learnt},
    per_model::PerModel,
    responses::OpenAiResponses,
    server_sent_events::{OpenError, StreamEvent},
};

/// How long the count of tokens is waited for when the answer is complete. Some servers leave the stream open.
const USAGE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often one request is changed after a refusal. There are not many more adaptations.
const MAX_ADAPTATIONS: usize = 8;

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
pub(super) struct Addressee {
    base_url: String,
    model: String,
}

impl Addressee {
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

/// A model at an endpoint. Clones share what was learnt.
#[derive(Clone)]
pub struct Endpoint {
    protocol: Arc<dyn Protocol>,
    deadlines: Deadlines,
    dialect: Dialect,
    learnt: PerModel<Learnt>,
    context_tokens: Option<u32>,
}

impl Endpoint {
    pub fn new(settings: EndpointSettings) -> Self {
        let (deadlines, context_tokens) = (settings.deadlines, settings.context_tokens);
        let dialect = settings.dialect;
        let learnt = PerModel::new(Learnt::new(dialect.adaptations()));
        let protocol: Arc<dyn Protocol> = match settings.wire {
            Wire::ChatCompletions => Arc::new(ChatCompletions::new(settings)),
            Wire::Responses => Arc::new(OpenAiResponses::new(settings)),
            Wire::Anthropic => Arc::new(AnthropicMessages::new(settings)),
        };
        Self {
            protocol,
            deadlines,
            dialect,
            learnt,
            context_tokens,
        }
    }

    /// What the endpoint is known to need for its own model.
    pub fn adaptations(&self) -> Adaptations {
        self.learnt.own().get()
    }

    /// What the endpoint is known to need for the model that `prompt` goes to.
    fn learnt(&self, prompt: &Prompt) -> Learnt {
        let new = || Learnt::new(self.dialect.adaptations());
        self.learnt.of(prompt.model.as_ref(), new)
    }

    /// Asks, and asks again without what the endpoint refuses. What an answer then came with is kept for the next time.
    async fn open(
        &self,
        prompt: &Prompt,
        learnt: &Learnt,
    ) -> Result<(EventStream, Box<dyn AnswerReader>), ModelError> {
        let mut adaptations = learnt.get();
        for _ in 0..=MAX_ADAPTATIONS {
            let body = self.protocol.request(prompt, &adaptations);
            match self.protocol.open(body).await {
                Ok(events) => {
                    learnt.keep(&adaptations);
                    return Ok((events, self.protocol.reader(prompt, &adaptations)));
                }
                Err(OpenError::Failed(error)) => return Err(error),
                Err(OpenError::Refused(refusal)) => match dialect::learn(&refusal, &adaptations) {
                    Some(adaptation) => adaptations.insert(adaptation),
                    None => return Err(refusal.error()),
                },
            };
        }
        Err(ModelError::ParameterRefused(400))
    }
}

impl Model for Endpoint {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        let (endpoint, deadlines) = (self.clone(), self.deadlines);
        let chunks = async move {
            let learnt = endpoint.learnt(&prompt);
            let (events, reader) = endpoint.open(&prompt, &learnt).await?;
            Ok(read(events, reader, learnt))
        };
        deadlines.guard(stream::once(chunks).try_flatten().boxed())
    }

    fn source(&self) -> Source {
        Source::Model
    }

    fn context_tokens(&self) -> Option<u32> {
        self.context_tokens
    }
}

/// The chunks of an answer, to its end.
fn read(
    events: EventStream,
    reader: Box<dyn AnswerReader>,
    learnt: Learnt,
) -> impl Stream<Item = Result<Chunk, ModelError>> + Send {
    stream::try_unfold(Some((events, reader, learnt)), |state| async move {
        let Some((mut events, mut reader, learnt)) = state else {
            return Ok(None);
        };
        let next = match reader.progress() {
            Progress::Going => events.next().await,
            Progress::AwaitsUsage => timeout(USAGE_TIMEOUT, events.next())
                .await
                .ok()
                .flatten()
                .filter(Result::is_ok),
            Progress::Over => None,
        };
        let (chunks, rest) = match next.transpose() {
            Ok(Some(event)) => (reader.add(event)?, Some((events, reader, learnt))),
            Ok(None) => (end(&mut *reader, &learnt)?, None),
            // What was given before the break stays, with what is known of its cost.
            Err(_) if reader.progress() != Progress::Going => (end(&mut *reader, &learnt)?, None),
            Err(error) => return Err(error),
        };
        Ok(Some((stream::iter(chunks.into_iter().map(Ok)), rest)))
    })
    .try_flatten()
}

fn end(reader: &mut dyn AnswerReader, learnt: &Learnt) -> Result<Vec<Chunk>, ModelError> {
    let chunks = reader.end();
    let lessons: BTreeSet<Adaptation> = reader.lessons();
    learnt.keep(&lessons);
    chunks
}

/// The client of every model. One try a request: whoever waits is better served by the next model.
pub(super) fn http_client() -> reqwest::Client {
    static CLIENT: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(reqwest::Client::new);
    CLIENT.clone()
}
