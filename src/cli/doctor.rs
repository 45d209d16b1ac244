//! `countersign doctor`: examines a live installation and prints the findings.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Subcommand};

use super::{CliError, terminal::say};
use crate::{
    doctor::{self, mail},
    http::{Finding, Level},
};

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The public URL of the service. Default: PUBLIC_URL.
    #[arg(long)]
    url: Option<String>,
    /// The folder that `ops/backup` writes to.
    #[arg(long)]
    backups: Option<PathBuf>,
    /// The DNS resolver for the checks of mail. Default: the system's.
    #[arg(long)]
    resolver: Option<SocketAddr>,
    /// Skip the checks of mail.
    #[arg(long)]
    without_mail: bool,
    /// Leave the language models alone: asking them takes time and costs a little.
    #[arg(long)]
    without_models: bool,
}

#[derive(Subcommand)]
pub enum DoctorCommand {
    /// Check whether receivers will accept our mail: SPF, DKIM, DMARC, MX, reverse DNS, the relay's TLS.
    Mail {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The DNS resolver. Default: the system's.
        #[arg(long)]
        resolver: Option<SocketAddr>,
        /// An IP address that our mail is sent from. Can be given several times. Default: the relay's own.
        #[arg(long = "sender")]
        senders: Vec<IpAddr>,
    },
}

pub async fn run(options: Options) -> Result<(), CliError> {
    let (json, findings) = match options.command {
        Some(DoctorCommand::Mail {
            json,
            resolver,
            senders,
        }) => (json, mail::examine(resolver, &senders).await?),
        None => {
            let examination = doctor::Options {
                url: options.url,
                backups: options.backups,
                resolver: options.resolver,
                without_mail: options.without_mail,
                without_models: options.without_models,
            };
            (options.json, doctor::examine(&examination).await)
        }
    };
    report(json, &findings)
}

fn report(json: bool, findings: &[Finding]) -> Result<(), CliError> {
    let worst = findings
        .iter()
        .map(|finding| finding.level)
        .max()
        .unwrap_or(Level::Green);
    if json {
        say(serde_json::json!({ "level": worst, "findings": findings }))?;
    } else {
        for finding in findings {
            let mark = match finding.level {
                Level::Green => "ok   ",
                Level::Amber => "check",
                Level::Red => "WRONG",
            };
            say(format_args!("{mark}  {:<8} {}", finding.check, finding.finding))?;
            if let Some(record) = &finding.publish {
                say(format_args!("              publish: {record}"))?;
            }
        }
    }
    match findings.iter().filter(|finding| finding.level == Level::Red).count() {
        0 => Ok(()),
        wrong => Err(CliError::Doctor(wrong)),
    }
}
