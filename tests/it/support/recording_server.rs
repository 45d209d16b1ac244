//! A server that accepts and keeps every POST, in place of Sentry, an OpenTelemetry collector or a chat webhook.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::Uri};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

/// Path and body of each request.
type Taken = Arc<Mutex<Vec<(String, Bytes)>>>;

#[derive(Clone)]
pub struct RecordingServer {
    pub address: String,
    taken: Taken,
}

impl RecordingServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let taken = Taken::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&taken));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, taken }
    }

    /// Bodies that were posted to paths with this prefix.
    pub fn posted(&self, path: &str) -> Vec<Bytes> {
        let taken = self.taken.lock().expect("no panic");
        taken
            .iter()
            .filter(|(to, _)| to.starts_with(path))
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// Everything that was posted, as text.
    pub fn text(&self) -> String {
        let all: Vec<u8> = self.posted("/").concat();
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Waits until the posted text contains `wanted`, and returns it.
    pub async fn wait_for_text(&self, wanted: &str) -> String {
        for _ in 0..400 {
            let text = self.text();
            if text.contains(wanted) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{wanted} was not posted: {}", self.text());
    }

    /// Every OTLP span that was exported.
    pub fn spans(&self) -> Vec<Span> {
        let exports = self.posted("/v1/traces");
        let exports = exports
            .into_iter()
            .map(|body| ExportTraceServiceRequest::decode(body).expect("OTLP"));
        exports
            .flat_map(|export| export.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }
}

async fn take(State(taken): State<Taken>, uri: Uri, body: Bytes) -> &'static str {
    taken.lock().expect("no panic").push((uri.path().to_owned(), body));
    "{}"
}

/// The value of a span's attribute, if it is text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
