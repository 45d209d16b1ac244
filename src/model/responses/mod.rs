//! OpenAI's Responses API, streamed. <https://platform.openai.com/docs/api-reference/responses-streaming>

mod request;
mod stream;

use std::sync::Arc;

use futures::{StreamExt, future::BoxFuture};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    ModelError, Prompt,
    dialect::Adaptations,
    protocol::{AnswerReader, EndpointSettings, EventStream, Protocol, Sampling, http_client},
    server_sent_events::{self, OpenError},
};
use crate::telemetry::traces;
use stream::ResponseReader;

pub struct OpenAiResponses {
    url: String,
    api_key: SecretString,
    model: String,
    sampling: Sampling,
    /// Whose reasoning it is that goes back.
    endpoint: Arc<str>,
}

impl OpenAiResponses {
    pub fn new(settings: EndpointSettings) -> Self {
        Self {
            endpoint: format!("{} {}", settings.base_url, settings.model).into(),
            url: format!("{}/responses", settings.base_url),
            api_key: settings.api_key,
            model: settings.model,
            sampling: settings.sampling,
        }
    }
}

impl Protocol for OpenAiResponses {
    fn request(&self, prompt: &Prompt, adaptations: &Adaptations) -> Value {
        request::body(&self.model, &self.endpoint, self.sampling, prompt, adaptations)
    }

    fn open(&self, body: Value) -> BoxFuture<'_, Result<EventStream, OpenError>> {
        Box::pin(async move {
            let client = http_client();
            let request = client
                .post(&self.url)
                .bearer_auth(self.api_key.expose_secret())
                .headers(traces::trace_headers())
                .json(&body)
                .build()
                .map_err(|_| ModelError::UnknownModel)?;
            Ok(server_sent_events::open(&client, request).await?.boxed() as EventStream)
        })
    }

    fn reader(&self, prompt: &Prompt, _: &Adaptations) -> Box<dyn AnswerReader> {
        Box::new(ResponseReader::new(prompt, self.endpoint.clone()))
    }
}
