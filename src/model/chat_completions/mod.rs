//! OpenAI's chat completions, streamed: the wire that nearly every model server speaks.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

mod request;
mod stream;

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use futures::{StreamExt, TryStreamExt, future::BoxFuture};
use secrecy::ExposeSecret;
use serde_json::Value;
use tower::service_fn;

use super::{
    ModelError, Prompt,
    dialect::{Adaptations, Dialect},
    protocol::{AnswerReader, EndpointSettings, EventStream, Protocol, RequestTarget, Sampling, http_client},
    server_sent_events::{self, OpenError, StreamEvent},
};
use crate::telemetry::traces;
use stream::ChatReader;

/// Stands for `[DONE]`, at which the library ends a stream without saying that it came.
const DONE: &str = r#"{"object":"done"}"#;

pub struct ChatCompletions {
    client: Client<OpenAIConfig>,
    target: RequestTarget,
    sampling: Sampling,
}

impl ChatCompletions {
    pub fn new(settings: EndpointSettings) -> Self {
        let target = RequestTarget::of(&settings);
        let mut config = OpenAIConfig::new()
            .with_api_base(settings.base_url)
            .with_api_key(settings.api_key.expose_secret());
        if settings.dialect == Dialect::Azure {
            // Azure takes its keys in a header of its own. One that no header can hold is refused by the provider.
            config = config
                .clone()
                .with_header("api-key", settings.api_key.expose_secret())
                .unwrap_or(config);
        }
        let client = Client::with_config(config).with_http_service(service_fn(execute));
        Self {
            client,
            target,
            sampling: settings.sampling,
        }
    }
}

impl Protocol for ChatCompletions {
    fn request(&self, prompt: &Prompt, adaptations: &Adaptations) -> Value {
        let (model, endpoint) = (self.target.model(prompt), self.target.echo_name(prompt));
        request::body(model, &endpoint, self.sampling, prompt, adaptations)
    }

    fn open(&self, body: Value) -> BoxFuture<'_, Result<EventStream, OpenError>> {
        Box::pin(async move {
            let events = self.client.chat().create_stream_byot::<Value, Value>(body).await;
            let events = events.map_err(open_error)?.map(|event| match event {
                Ok(json) if json["object"] == "done" => Ok(StreamEvent::Done),
                Ok(json) => Ok(StreamEvent::Json(json)),
                Err(OpenAIError::JSONDeserialize(..)) => Ok(StreamEvent::Unreadable),
                Err(_) => Err(ModelError::CutOff),
            });
            Ok(events.boxed() as EventStream)
        })
    }

    fn reader(&self, prompt: &Prompt, adaptations: &Adaptations) -> Box<dyn AnswerReader> {
        Box::new(ChatReader::new(prompt, adaptations, self.target.echo_name(prompt)))
    }
}

/// Sends a request for the library, and gives it the answer's events in the one form that it reads. The provider can go on from our trace.
async fn execute(request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    let mut request = request.build().await?;
    request.headers_mut().extend(traces::trace_headers());
    let events = server_sent_events::open(&http_client(), request).await.map_err(boxed)?;
    let canonical = events.map_ok(|event| match event {
        StreamEvent::Json(json) => format!("data: {json}\n\n"),
        StreamEvent::Done => format!("data: {DONE}\n\n"),
        StreamEvent::Unreadable => "data: unreadable\n\n".to_owned(),
    });
    let body = reqwest::Body::wrap_stream(canonical);
    Ok(http::Response::new(body).into())
}

fn boxed(error: OpenError) -> OpenAIError {
    OpenAIError::Boxed(Box::new(error))
}

fn open_error(error: OpenAIError) -> OpenError {
    match error {
        OpenAIError::Boxed(error) => match error.downcast::<OpenError>() {
            Ok(error) => *error,
            Err(_) => ModelError::Garbage.into(),
        },
        OpenAIError::Reqwest(_) | OpenAIError::InvalidArgument(_) => ModelError::Unreachable.into(),
        _ => ModelError::Garbage.into(),
    }
}
