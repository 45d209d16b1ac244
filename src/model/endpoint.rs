//! A model at an HTTP endpoint, whichever wire it speaks: asks, learns from refusals, and reads the stream of the answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::{
    Chunk, ChunkStream, Deadlines, Model, ModelError, Prompt, Source,
    anthropic::AnthropicMessages,
    chat_completions::ChatCompletions,
    dialect::{self, Adaptation, Adaptations, Dialect, Learnt},
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

    /// Sends the request and, after a refusal, sends it again without the refused parameter. Adaptations that led to an answer are kept.
    async fn open(&self, prompt: &Prompt, learnt: &Learnt) -> Result<(EventStream, Box<dyn AnswerReader>), ModelError> {
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
