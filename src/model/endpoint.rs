//! A model at an HTTP endpoint, whichever wire it speaks: asks, learns from refusals, and reads the stream of the answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::{
    AnswerSource, Chunk, ChunkStream, Deadlines, Model, ModelError, Prompt,
    anthropic::AnthropicMessages,
    chat_completions::ChatCompletions,
    dialect::{self, Adaptation, Adaptations, Dialect, LearnedAdaptations},
    per_model::PerModel,
    protocol::{AnswerReader, EndpointSettings, EventStream, Progress, Protocol, Wire},
    responses::OpenAiResponses,
    server_sent_events::OpenError,
};

/// How long the count of tokens is waited for when the answer is complete. Some servers leave the stream open.
const USAGE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often one request is changed after a refusal. There are not many more adaptations.
const MAX_ADAPTATIONS: usize = 8;

/// A model at an endpoint. Clones share what was learnt.
#[derive(Clone)]
pub struct Endpoint {
    protocol: Arc<dyn Protocol>,
    deadlines: Deadlines,
    dialect: Dialect,
    learned: PerModel<LearnedAdaptations>,
    context_tokens: Option<u32>,
}

impl Endpoint {
    pub fn new(settings: EndpointSettings) -> Self {
        let (deadlines, context_tokens) = (settings.deadlines, settings.context_tokens);
        let dialect = settings.dialect;
        let learned = PerModel::new(LearnedAdaptations::new(dialect.adaptations()));
        let protocol: Arc<dyn Protocol> = match settings.wire {
            Wire::ChatCompletions => Arc::new(ChatCompletions::new(settings)),
            Wire::Responses => Arc::new(OpenAiResponses::new(settings)),
            Wire::Anthropic => Arc::new(AnthropicMessages::new(settings)),
        };
        Self {
            protocol,
            deadlines,
            dialect,
            learned,
            context_tokens,
        }
    }

    /// What the endpoint is known to need for its own model.
    pub fn adaptations(&self) -> Adaptations {
        self.learned.own().get()
    }

    /// What the endpoint is known to need for the model that `prompt` goes to.
    fn learned(&self, prompt: &Prompt) -> LearnedAdaptations {
        let new = || LearnedAdaptations::new(self.dialect.adaptations());
        self.learned.of(prompt.model.as_ref(), new)
    }

    /// Sends the request and, after a refusal, sends it again without the refused parameter. Adaptations that led to an answer are kept.
    async fn open(
        &self,
        prompt: &Prompt,
        learned: &LearnedAdaptations,
    ) -> Result<(EventStream, Box<dyn AnswerReader>), ModelError> {
        let mut adaptations = learned.get();
        for _ in 0..=MAX_ADAPTATIONS {
            let body = self.protocol.request(prompt, &adaptations);
            match self.protocol.open(body).await {
                Ok(events) => {
                    learned.keep(&adaptations);
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
            let learned = endpoint.learned(&prompt);
            let (events, reader) = endpoint.open(&prompt, &learned).await?;
            Ok(read(events, reader, learned))
        };
        deadlines.guard(stream::once(chunks).try_flatten().boxed())
    }

    fn source(&self) -> AnswerSource {
        AnswerSource::Model
    }

    fn context_tokens(&self) -> Option<u32> {
        self.context_tokens
    }
}

/// The chunks of an answer, to its end.
fn read(
    events: EventStream,
    reader: Box<dyn AnswerReader>,
    learned: LearnedAdaptations,
) -> impl Stream<Item = Result<Chunk, ModelError>> + Send {
    stream::try_unfold(Some((events, reader, learned)), |state| async move {
        let Some((mut events, mut reader, learned)) = state else {
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
            Ok(Some(event)) => (reader.add(event)?, Some((events, reader, learned))),
            Ok(None) => (end(&mut *reader, &learned)?, None),
            // What was given before the break stays, with what is known of its cost.
            Err(_) if reader.progress() != Progress::Going => (end(&mut *reader, &learned)?, None),
            Err(error) => return Err(error),
        };
        Ok(Some((stream::iter(chunks.into_iter().map(Ok)), rest)))
    })
    .try_flatten()
}

fn end(reader: &mut dyn AnswerReader, learned: &LearnedAdaptations) -> Result<Vec<Chunk>, ModelError> {
    let chunks = reader.end();
    let lessons: BTreeSet<Adaptation> = reader.lessons();
    learned.keep(&lessons);
    chunks
}
