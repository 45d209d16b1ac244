//! Anthropic's Messages API, streamed. <https://docs.anthropic.com/en/api/messages-streaming>

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
use stream::MessagesReader;

/// The version of the API that this speaks.
const VERSION: &str = "2023-06-01";

pub struct AnthropicMessages {
    url: String,
    api_key: SecretString,
    target: RequestTarget,
    sampling: Sampling,
}

impl AnthropicMessages {
    pub fn new(settings: EndpointSettings) -> Self {
        Self {
            target: RequestTarget::of(&settings),
            url: format!("{}/messages", settings.base_url),
            api_key: settings.api_key,
            sampling: settings.sampling,
        }
    }
}

impl Protocol for AnthropicMessages {
    fn request(&self, prompt: &Prompt, adaptations: &Adaptations) -> Value {
        let (model, endpoint) = (self.target.model(prompt), self.target.echo_name(prompt));
        request::body(model, &endpoint, self.sampling, prompt, adaptations)
    }

    fn open(&self, body: Value) -> BoxFuture<'_, Result<EventStream, OpenError>> {
        let request = http_client()
            .post(&self.url)
            .header("x-api-key", self.api_key.expose_secret())
            .header("anthropic-version", VERSION);
        Box::pin(post(request, body))
    }

    fn reader(&self, prompt: &Prompt, _: &Adaptations) -> Box<dyn AnswerReader> {
        Box::new(MessagesReader::new(prompt, self.target.echo_name(prompt)))
    }
}
