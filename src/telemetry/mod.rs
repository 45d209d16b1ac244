//! What the service says about itself. Law: nothing personal or secret leaves through here.

mod redact;
mod shapes;

use std::{io, panic};

use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use redact::Redacting;
pub use redact::redact;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Crates that log what they carry: bodies of failed answers, which may repeat a prompt; statements; whole mails; headers.
const SILENT: [&str; 4] = ["async_openai", "sqlx", "lettre", "h2"];

/// Starts logging to standard error. `RUST_LOG` narrows or widens it, but never to what [`SILENT`] says. Every line passes
/// [`redact`], those about panics too.
pub fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let silent = filter_fn(|metadata| !SILENT.iter().any(|name| metadata.target().starts_with(name)));
    let lines = fmt::layer().with_writer(|| Redacting(io::stderr()));
    let lines = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => lines.compact().with_target(false).boxed(),
    };
    // A second start, as in tests, is not an error.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(silent)
        .with(lines)
        .try_init();
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let says = panic.payload_as_str().unwrap_or_default();
        tracing::error!(at, says, "panic");
    }));
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
