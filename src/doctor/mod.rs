//! Examines a live installation, and reports what is wrong and how to fix it.

mod database;
mod dns;
mod edge;
mod installation;
pub mod mail;
pub mod models;
mod shops;
mod spf;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use crate::{
    config::{ConfigError, Settings, environment},
    http::{self, Finding, Level},
    telemetry, tenancy,
};

/// Why an installation cannot be examined.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    #[error("{0}")]
    Argument(String),
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

/// What to examine.
#[derive(Default)]
pub struct Options {
    /// The public URL of the service. Without it: PUBLIC_URL.
    pub url: Option<String>,
    /// The folder that `ops/backup` writes to.
    pub backups: Option<PathBuf>,
    /// The DNS resolver for the checks of mail. Without it: the system's.
    pub resolver: Option<SocketAddr>,
    /// Skip the checks of mail.
    pub without_mail: bool,
    /// Leave the models alone: asking them takes time and costs a little.
    pub without_models: bool,
}

impl Finding {
    fn new(check: &'static str, level: Level, code: &'static str, finding: impl Into<String>) -> Self {
        Self {
            check,
            level,
            code,
            finding: finding.into(),
            publish: None,
        }
    }

    fn publish(self, record: impl Into<String>) -> Self {
        Self {
            publish: Some(record.into()),
            ..self
        }
    }
}

/// The findings of a check or, if there are none, a green one with this text.
fn or_all_well(found: Vec<Finding>, check: &'static str, code: &'static str, text: &str) -> Vec<Finding> {
    match found.is_empty() {
        true => vec![Finding::new(check, Level::Green, code, text)],
        false => found,
    }
}

/// The doctor that staff ask by the API. It examines from this process, with the environment that it runs in. It does not ask the models,
/// so that no page waits for them; the status says how they do.
pub fn of_this_process(store: Option<&str>) -> http::Doctor {
    http::Doctor::new(
        store,
        Arc::new(|| {
            Box::pin(async {
                let options = Options {
                    without_models: true,
                    ..Options::default()
                };
                examine(&options).await
            })
        }),
    )
}

/// Runs all checks of a live installation.
pub async fn examine(options: &Options) -> Vec<Finding> {
    let (settings, mut findings) = installation::settings();
    findings.extend(installation::secrets());
    if let Some(settings) = &settings {
        findings.extend(installation::precautions(settings, options.backups.as_deref()));
        findings.extend(installation::sentry(settings).await);
        if !options.without_models {
            let second = settings.second_model.as_ref();
            let checked = models::ask(&settings.model, second, settings.output_tokens).await;
            findings.extend(models::findings(&checked));
        }
    }
    let address = settings.as_ref().map(|settings| settings.database.clone());
    if let Some(address) = address.or_else(|| Settings::database_only(&environment).ok()) {
        let pools = tenancy::connect(&address);
        findings.extend(database::roles_and_schema(&pools).await);
        findings.extend(database::stores(&pools).await.unwrap_or_else(|error| {
            let text = format!("the stores cannot be looked at: {}", telemetry::cause(&error));
            vec![Finding::new("database", Level::Red, "stores_unreadable", text)]
        }));
    }
    let url = options
        .url
        .clone()
        .or_else(|| settings.as_ref().map(|settings| settings.public_url.clone()));
    if let Some(url) = url {
        findings.extend(edge::examine(url.trim_end_matches('/'), settings.as_ref()).await);
    }
    if !options.without_mail {
        findings.extend(mail::examine(options.resolver, &[]).await.unwrap_or_else(|error| {
            let text = format!("mail cannot be looked at: {error}");
            vec![Finding::new("mail", Level::Red, "mail_unexamined", text)]
        }));
    }
    findings
}
