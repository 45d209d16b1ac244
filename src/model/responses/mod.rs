//! OpenAI's Responses API, streamed. <https://platform.openai.com/docs/api-reference/responses-streaming>

mod request;
mod stream;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    Prompt,
    dialect::Adaptations,
    protocol::{AnswerReader, EndpointSettings, EventStream, Protocol, RequestTarget, Sampling, http_client, post},
    server_sent_events::OpenError,
};
use stream::ResponseReader;

pub struct OpenAiResponses {
    url: String,
    api_key: SecretString,
    target: RequestTarget,
    sampling: Sampling,
}

impl OpenAiResponses {
    pub fn new(settings: EndpointSettings) -> Self {
        Self {
            target: RequestTarget::of(&settings),
            url: format!("{}/responses", settings.base_url),
            api_key: settings.api_key,
            sampling: settings.sampling,
        }
    }
}

impl Protocol for OpenAiResponses {
    fn request(&self, prompt: &Prompt, adaptations: &Adaptations) -> Value {
        let (model, endpoint) = (self.target.model(prompt), self.target.echo_name(prompt));
        request::body(model, &endpoint, self.sampling, prompt, adaptations)
    }

    fn open(&self, body: Value) -> BoxFuture<'_, Result<EventStream, OpenError>> {
        let request = http_client().post(&self.url).bearer_auth(self.api_key.expose_secret());
        Box::pin(post(request, body))
    }

    fn reader(&self, prompt: &Prompt, _: &Adaptations) -> Box<dyn AnswerReader> {
        Box::new(ResponseReader::new(prompt, self.target.echo_name(prompt)))
    }
}
