//! `countersign doctor`: looks at a live installation and says what is wrong and how to mend it.

mod dns;
mod mail;
mod spf;

use std::net::{IpAddr, SocketAddr};

use clap::Subcommand;
use serde::Serialize;

use super::CliError;

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

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Green,
    Amber,
    Red,
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    /// A stable name for what was found, such as `spf_missing`.
    code: &'static str,
    finding: String,
    /// The DNS record to publish, as a zone file has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    publish: Option<String>,
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

pub async fn run(command: DoctorCommand) -> Result<(), CliError> {
    let DoctorCommand::Mail {
        json,
        resolver,
        senders,
    } = command;
    let findings = mail::examine(resolver, &senders).await?;
    let worst = findings
        .iter()
        .map(|finding| finding.level)
        .max()
        .unwrap_or(Level::Green);
    if json {
        println!("{}", serde_json::json!({ "level": worst, "findings": findings }));
    } else {
        for finding in &findings {
            let mark = match finding.level {
                Level::Green => "ok   ",
                Level::Amber => "check",
                Level::Red => "WRONG",
            };
            println!("{mark}  {:<6} {}", finding.check, finding.finding);
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
