//! Traces: one tree of spans from the request to the tool to the database, sent to an OpenTelemetry collector.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The address that spans are posted to (OTLP over HTTP), such as `http://collector:4318/v1/traces`.
    pub endpoint: String,
    /// The share of requests that are traced, 0 to 1. A request that its caller traces is always traced.
    pub share: f64,
}

impl TraceSettings {
    /// Starts tracing. Shut the provider down at the end, so that the last spans are sent.
    pub(super) fn start(&self) -> Result<(SdkTracerProvider, SdkTracer), opentelemetry_otlp::ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(self.endpoint.clone())
            .build()?;
        let resource = Resource::builder_empty().with_service_name("countersign");
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            // A caller that traces decides for its own requests: it is behind the same edge, or reveals only that it traces.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(self.share))))
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer("countersign");
        Ok((provider, tracer))
    }
}

/// Makes `span` a child of the caller's trace (W3C Trace Context), if there is one.
pub fn continue_trace(headers: &HeaderMap, span: &Span) {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    if context.span().span_context().is_valid() {
        // This only fails where nothing is traced.
        let _ = span.set_parent(context);
    }
}

/// The headers with which another system continues the trace of this span; none where nothing is traced.
pub fn trace_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut Headers(&mut headers));
    headers
}

struct Headers<H>(H);

impl Extractor for Headers<&HeaderMap> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl Injector for Headers<&mut HeaderMap> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
