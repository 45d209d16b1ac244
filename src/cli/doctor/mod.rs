//! `countersign doctor`: looks at a live installation and says what is wrong and how to mend it.

mod database;
mod dns;
mod edge;
mod installation;
mod mail;
mod spf;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use clap::{Args, Subcommand};

use super::CliError;
use crate::{
    config::{Settings, environment},
    http::{self, Finding, Level},
    telemetry, tenancy,
};

#[derive(Args, Default)]
pub struct Options {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    /// For machines.
    #[arg(long)]
    json: bool,
    /// Where the public reaches the service; PUBLIC_URL, if left out.
    #[arg(long)]
    url: Option<String>,
    /// The folder that `ops/backup` writes to.
    #[arg(long)]
    backups: Option<PathBuf>,
    /// The resolver to ask about mail; the system's, if left out.
    #[arg(long)]
    resolver: Option<SocketAddr>,
    /// Leave the DNS of mail alone.
    #[arg(long)]
    without_mail: bool,
}

#[derive(Subcommand)]
pub enum DoctorCommand {
    /// Whether receivers will believe our mail: SPF, DKIM, DMARC, MX, reverse DNS, the relay's TLS.
    Mail {
        /// For machines.
        #[arg(long)]
        json: bool,
        /// The resolver to ask; the system's, if left out.
        #[arg(long)]
        resolver: Option<SocketAddr>,
        /// An address that our mail leaves from; the relay's own, if left out. May be given several times.
        #[arg(long = "sender")]
        senders: Vec<IpAddr>,
    },
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

/// What was found, or that all is well.
fn or_well(found: Vec<Finding>, check: &'static str, code: &'static str, text: &str) -> Vec<Finding> {
    match found.is_empty() {
        true => vec![Finding::new(check, Level::Green, code, text)],
        false => found,
    }
}

pub async fn run(options: Options) -> Result<(), CliError> {
    let (json, findings) = match options.command {
        Some(DoctorCommand::Mail {
            json,
            resolver,
            senders,
        }) => (json, mail::examine(resolver, &senders).await?),
        None => (options.json, examine(&options).await),
    };
    report(json, &findings)
}

/// The same, for a page: by this process, with the settings that it serves with.
pub fn of_this_process(store: Option<&str>) -> http::Doctor {
    http::Doctor::new(
        store,
        Arc::new(|| Box::pin(async { examine(&Options::default()).await })),
    )
}

/// Everything that can be seen of a live installation.
async fn examine(options: &Options) -> Vec<Finding> {
    let (settings, mut findings) = installation::settings();
    findings.extend(installation::secrets());
    if let Some(settings) = &settings {
        findings.extend(installation::precautions(settings, options.backups.as_deref()));
        findings.extend(installation::sentry(settings).await);
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

fn report(json: bool, findings: &[Finding]) -> Result<(), CliError> {
    let worst = findings
        .iter()
        .map(|finding| finding.level)
        .max()
        .unwrap_or(Level::Green);
    if json {
        println!("{}", serde_json::json!({ "level": worst, "findings": findings }));
    } else {
        for finding in findings {
            let mark = match finding.level {
                Level::Green => "ok   ",
                Level::Amber => "check",
                Level::Red => "WRONG",
            };
            println!("{mark}  {:<8} {}", finding.check, finding.finding);
            if let Some(record) = &finding.publish {
                println!("              publish: {record}");
            }
        }
    }
    match findings.iter().filter(|finding| finding.level == Level::Red).count() {
        0 => Ok(()),
        wrong => Err(CliError::Doctor(wrong)),
    }
}
