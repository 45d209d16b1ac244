//! Settings, from environment variables. Every fault is reported at once, by the variable's name and with the mend.
//!
//! A secret `X` may also be given as a file named by `X_FILE`, as container secrets are.

mod reader;

use std::{net::SocketAddr, time::Duration};

use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;

use reader::Reader;
pub use reader::{ConfigError, Fault, Source, environment};

use crate::{
    identity::sessions::Lifetimes,
    model::{Deadlines, OpenAiSettings},
    telemetry::LogFormat,
    tenancy::DatabaseSettings,
};

/// What `serve` runs on.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub database: DatabaseSettings,
    pub model: ModelSettings,
    pub lifetimes: Lifetimes,
    /// Set cookies only over HTTPS. Off in the demo alone, which is plain HTTP on loopback.
    pub secure_cookies: bool,
    pub log_format: LogFormat,
    /// Run the job queue in this process too; off where `countersign worker` does.
    pub run_worker: bool,
    /// How long running turns may take to finish after SIGTERM.
    pub shutdown_grace: Duration,
}

#[derive(Clone, Debug)]
pub enum ModelSettings {
    /// The demo's rules.
    Offline,
    OpenAi(OpenAiSettings),
}

impl Settings {
    /// Settings for `serve`. Refuses what is unsafe for the real thing.
    pub fn for_serve(source: Source) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(source);
        let database = reader.database();
        if let Some(url) = reader.text("DATABASE_URL")
            && has_credential(&url)
        {
            reader.fault("DATABASE_URL", "must not hold a user or password for `serve`: it signs in as the roles of `countersign migrate`, never as the owner");
        }
        let model = reader.model();
        if matches!(model, Some(ModelSettings::Offline))
            && reader.text("COUNTERSIGN_ALLOW_OFFLINE_MODEL").as_deref() != Some("yes")
        {
            reader.fault("MODEL", "`offline` answers by fixed rules and is for the demo; set `openai`, or COUNTERSIGN_ALLOW_OFFLINE_MODEL=yes on a test system");
        }
        let listen = reader
            .parsed("LISTEN", "an address such as 0.0.0.0:8080")
            .unwrap_or_else(|| ([127, 0, 0, 1], 8080).into());
        let lifetimes = Lifetimes {
            idle: chrono::Duration::minutes(reader.number("SESSION_IDLE_MINUTES", 1..=43_200, 1_440)),
            absolute: chrono::Duration::days(reader.number("SESSION_MAX_DAYS", 1..=365, 30)),
        };
        let log_format = match reader.text("LOG_FORMAT").as_deref() {
            None | Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(_) => {
                reader.fault("LOG_FORMAT", "must be `json` or `text`");
                LogFormat::Json
            }
        };
        let shutdown_grace = Duration::from_secs(reader.number("SHUTDOWN_GRACE_SECONDS", 0..=600, 20) as u64);
        let run_worker = match reader.text("RUN_WORKER").as_deref() {
            None | Some("yes") => true,
            Some("no") => false,
            Some(_) => {
                reader.fault("RUN_WORKER", "must be `yes` or `no`");
                true
            }
        };
        reader.finish(database.zip(model).map(|(database, model)| Self {
            listen,
            database,
            model,
            lifetimes,
            secure_cookies: true,
            log_format,
            run_worker,
            shutdown_grace,
        }))
    }

    /// Where the database is, for the commands that need nothing else.
    pub fn database_only(source: Source) -> Result<DatabaseSettings, ConfigError> {
        let mut reader = Reader::new(source);
        let database = reader.database();
        reader.finish(database)
    }

    /// For `migrate`: the administrator's connection and the roles' passwords.
    pub fn for_migrate(source: Source) -> Result<(PgConnectOptions, DatabaseSettings), ConfigError> {
        let mut reader = Reader::new(source);
        let url = reader.needed_secret(
            "DATABASE_ADMIN_URL",
            1,
            "postgres://ADMIN:PASSWORD@HOST/DATABASE, a user that may create roles",
        );
        let admin = url.and_then(|url| reader.url("DATABASE_ADMIN_URL", url.expose_secret()));
        let database = reader.database();
        reader.finish(admin.zip(database))
    }
}

fn has_credential(url: &str) -> bool {
    url.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|authority| authority.contains('@'))
}

impl Reader<'_> {
    fn database(&mut self) -> Option<DatabaseSettings> {
        let url = self.text("DATABASE_URL");
        if url.is_none() {
            self.fault(
                "DATABASE_URL",
                "must be set: postgres://HOST:5432/DATABASE, without user and password",
            );
        }
        let address = url.and_then(|url| self.url("DATABASE_URL", &url));
        let what = "the password of that database role; `countersign migrate` gives it to the role";
        let passwords = [
            "DATABASE_READER_PASSWORD",
            "DATABASE_WEB_PASSWORD",
            "DATABASE_EXECUTOR_PASSWORD",
        ]
        .map(|name| self.needed_secret(name, 16, what));
        let distinct: std::collections::HashSet<_> =
            passwords.iter().flatten().map(ExposeSecret::expose_secret).collect();
        if distinct.len() < passwords.iter().flatten().count() {
            self.fault(
                "DATABASE_WEB_PASSWORD",
                "each database role needs a password of its own; two of them are the same",
            );
        }
        let connections = self.number("DATABASE_CONNECTIONS", 1..=200, 16) as u32;
        let deadline = Duration::from_millis(self.number("DATABASE_DEADLINE_MS", 100..=60_000, 3_000) as u64);
        let [reader_password, web_password, executor_password] = passwords;
        Some(DatabaseSettings {
            address: address?,
            reader_password: reader_password?,
            web_password: web_password?,
            executor_password: executor_password?,
            connections,
            deadline,
        })
    }

    fn model(&mut self) -> Option<ModelSettings> {
        match self.text("MODEL").as_deref() {
            Some("offline") => Some(ModelSettings::Offline),
            Some("openai") => {
                let api_key = self.needed_secret("OPENAI_API_KEY", 1, "the model provider's key");
                let model = self.text("OPENAI_MODEL");
                if model.is_none() {
                    self.fault("OPENAI_MODEL", "must be set: the model's name at the provider");
                }
                let deadlines = Deadlines {
                    first_chunk: Duration::from_secs(self.number("MODEL_FIRST_TOKEN_SECONDS", 1..=120, 10) as u64),
                    total: Duration::from_secs(self.number("MODEL_TOTAL_SECONDS", 1..=300, 30) as u64),
                };
                let base_url = self
                    .text("OPENAI_BASE_URL")
                    .unwrap_or_else(|| "https://api.openai.com/v1".into());
                Some(ModelSettings::OpenAi(OpenAiSettings {
                    base_url,
                    api_key: api_key?,
                    model: model?,
                    deadlines,
                }))
            }
            _ => {
                self.fault(
                    "MODEL",
                    "must be `openai` (any OpenAI-compatible endpoint) or, on a test system, `offline`",
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 7] = [
        ("DATABASE_URL", "postgres://db/countersign"),
        ("DATABASE_READER_PASSWORD", "reader-reader-reader"),
        ("DATABASE_WEB_PASSWORD", "web-web-web-web-web-web"),
        ("DATABASE_EXECUTOR_PASSWORD", "executor-executor"),
        ("MODEL", "openai"),
        ("OPENAI_API_KEY", "sk-test"),
        ("OPENAI_MODEL", "some-model"),
    ];

    fn faults(changes: &[(&str, &str)]) -> Vec<&'static str> {
        let source = |name: &str| {
            let find = |table: &[(&str, &str)]| {
                table
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            find(changes).or_else(|| find(&GOOD))
        };
        match Settings::for_serve(&source) {
            Ok(_) => Vec::new(),
            Err(ConfigError(faults)) => faults.iter().map(|fault| fault.variable).collect(),
        }
    }

    #[test]
    fn good_settings_pass_and_each_fault_is_named() {
        assert_eq!(faults(&[]), [""; 0]);
        assert_eq!(faults(&[("DATABASE_URL", "")]), ["DATABASE_URL"]);
        assert_eq!(
            faults(&[("DATABASE_URL", "postgres://owner:secret@db/countersign")]),
            ["DATABASE_URL"]
        );
        assert_eq!(faults(&[("DATABASE_WEB_PASSWORD", "short")]), ["DATABASE_WEB_PASSWORD"]);
        assert_eq!(
            faults(&[("DATABASE_WEB_PASSWORD", "reader-reader-reader")]),
            ["DATABASE_WEB_PASSWORD"]
        );
        assert_eq!(faults(&[("MODEL", "offline")]), ["MODEL"]);
        assert_eq!(faults(&[("MODEL", "gpt")]), ["MODEL"]);
        assert_eq!(
            faults(&[("LISTEN", "8080"), ("LOG_FORMAT", "xml"), ("OPENAI_API_KEY", "")]),
            ["OPENAI_API_KEY", "LISTEN", "LOG_FORMAT"]
        );
        assert_eq!(faults(&[("OPENAI_API_KEY_FILE", "/dev/null")]), ["OPENAI_API_KEY"]);
    }

    #[test]
    fn secrets_do_not_print() {
        let source = |name: &str| {
            GOOD.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let printed = format!("{:?}", Settings::for_serve(&source).expect("fits"));
        for secret in ["reader-reader", "web-web", "executor-executor", "sk-test"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
