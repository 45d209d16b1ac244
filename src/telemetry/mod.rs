//! What the service says about itself. Law: nothing personal or secret leaves through here.

use std::io;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Starts logging to standard error. `RUST_LOG` narrows or widens it.
///
/// async-openai logs the bodies of failed answers, which may repeat a prompt, and sqlx logs statements: both stay silent
/// whatever `RUST_LOG` says.
pub fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let silent = ["async_openai=off", "sqlx=off", "hyper=warn", "h2=warn"];
    let filter = silent
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A second start, as in tests, is not an error.
    let _ = match format {
        LogFormat::Json => logs
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => logs.compact().with_target(false).try_init(),
    };
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
