//! Telemetry: logs, metrics, traces and error reports. Law: nothing personal or secret leaves through here.

mod metrics;
mod redact;
mod sentry;
mod shapes;
pub mod traces;

use std::{io, panic};

use ::sentry::{ClientInitGuard, integrations::tracing::ErrorLayer};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use metrics::{Answer, Ask, Metrics};
use redact::Redacting;
pub use redact::{Addresses, redact};
pub use sentry::{SentrySettings, in_request, with_current_request};
pub use shapes::hide_credentials;
pub use traces::TraceSettings;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line on standard output, for machines.
    Json,
    /// Readable text on standard error, for a person at a terminal.
    Text,
}

/// Where telemetry is sent.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module, as `RUST_LOG` takes them.
    pub log_levels: String,
    /// What becomes of IP addresses in logs.
    pub log_addresses: Addresses,
    /// None sends no errors to Sentry.
    pub sentry: Option<SentrySettings>,
    /// None sends no traces.
    pub traces: Option<TraceSettings>,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log_levels: DEFAULT_LOG_LEVELS.to_owned(),
            log_addresses: Addresses::Hidden,
            sentry: None,
            traces: None,
        }
    }
}

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT_LOG_LEVELS: &str = "info,graphile_worker_migrations=warn";
/// Crates that log the data they handle: bodies of failed answers, which may repeat a prompt; statements; whole mails; headers.
const SILENCED_CRATES: [&str; 4] = ["async_openai", "sqlx", "lettre", "h2"];
/// The one target of those crates that may be traced: SQL statements, which do not contain their values.
const STATEMENT_TARGET: &str = "sqlx::query";
/// Crates that the exporters use. Exporting their own log lines would never end.
const EXPORTER_CRATES: [&str; 3] = ["opentelemetry", "reqwest", "hyper"];

fn is_of(metadata: &Metadata<'_>, crates: &[&str]) -> bool {
    crates.iter().any(|name| metadata.target().starts_with(name))
}

/// Keeps the exporters running. Dropped at the end of the process, it sends what is left.
pub struct Telemetry {
    _sentry: Option<ClientInitGuard>,
    traces: Option<SdkTracerProvider>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.traces.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last spans were not taken");
        }
    }
}

/// Whether a text names levels of the log, as `RUST_LOG` takes them.
pub fn are_log_levels(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok()
}

/// Starts the logs and whatever else is configured. The crates of [`SILENCED_CRATES`] are not logged at any level. Every line passes
/// [`redact`], also those about panics.
pub fn start(settings: &TelemetrySettings) -> Telemetry {
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let says = panic.payload_as_str().unwrap_or_default();
        tracing::error!(target: "panic", at, says, "panic");
    }));
    let sentry = settings.sentry.as_ref().map(SentrySettings::start);
    let (provider, tracer) = match settings.traces.as_ref().map(TraceSettings::start).transpose() {
        Ok(traces) => traces.unzip(),
        Err(error) => {
            eprintln!("countersign: nothing is traced: {error}");
            (None, None)
        }
    };
    let filter = EnvFilter::new(&settings.log_levels);
    let addresses = settings.log_addresses;
    let lines = match settings.log_format {
        LogFormat::Json => fmt::layer()
            .with_writer(move || Redacting(io::stdout(), addresses))
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(true)
            .boxed(),
        LogFormat::Text => fmt::layer()
            .with_writer(move || Redacting(io::stderr(), addresses))
            .compact()
            .with_target(false)
            .boxed(),
    };
    let lines = lines
        .with_filter(filter)
        .with_filter(filter_fn(|it| !is_of(it, &SILENCED_CRATES)));
    // Sentry's own hook reports panics with their backtrace.
    let errors = settings.sentry.is_some().then(|| {
        ErrorLayer::new()
            .with_filter(filter_fn(|it| it.target() != "panic" && !is_of(it, &SILENCED_CRATES)))
            .with_filter(LevelFilter::ERROR)
    });
    let spans = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(|it| {
                let is_statement = it.target() == STATEMENT_TARGET && *it.level() <= Level::DEBUG;
                let is_ours =
                    *it.level() <= Level::INFO && !is_of(it, &SILENCED_CRATES) && !is_of(it, &EXPORTER_CRATES);
                is_statement || is_ours
            }))
    });
    // A second start, as in tests, is not an error.
    let _ = tracing_subscriber::registry()
        .with(spans)
        .with(errors)
        .with(lines)
        .try_init();
    Telemetry {
        _sentry: sentry,
        traces: provider,
    }
}

/// A database error without its values: Postgres repeats the offending row in its detail.
pub fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match error.constraint() {
                Some(constraint) => format!("postgres {code} on {constraint}"),
                None => format!("postgres {code}"),
            }
        }
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => "a stored value cannot be read".into(),
        other => other.to_string(),
    }
}
