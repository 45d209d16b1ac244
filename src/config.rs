//! Settings, which are read from environment variables. All faults are reported at once, each with its variable and how to fix it.
//!
//! A secret `X` can also be in a file that `X_FILE` names, as container platforms provide secrets.

mod models;
mod network;
mod reader;
mod services;
mod telemetry;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

pub use models::Models;
use reader::Reader;
pub use reader::{ConfigError, Fault, Variables, environment};

pub use crate::{
    http::{AddressHeader, Connections, Limits, Proxies, Rate},
    model::ModelSettings,
    web::{Storefront, trial::TrialReason},
};
use crate::{
    identity::sessions::Lifetimes,
    integrations::{OutboundSettings, challenge::ChallengeSettings},
    keyring::Keyring,
    mail::{Inbox, MailSettings, SmtpSettings},
    model::{EndpointSettings, PricedModel},
    telemetry::TelemetrySettings,
    tenancy::{DatabaseSettings, Pooler},
};

/// The settings of `serve` and `worker`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub database: DatabaseSettings,
    pub model: ModelSettings,
    /// Asked when the first does not answer.
    pub second_model: Option<EndpointSettings>,
    /// The models at the first endpoint that have a price: stores can choose among them.
    pub priced_models: Vec<PricedModel>,
    /// Tokens that one answer of a model may have.
    pub output_tokens: u32,
    /// How often a model that fails is asked whether it answers again; none never asks, at the start neither.
    pub model_check: Option<Duration>,
    pub lifetimes: Lifetimes,
    /// How long the texts of unused conversations are kept.
    pub retention: chrono::Duration,
    /// Set cookies only over HTTPS. Off in the demo alone, which is plain HTTP on loopback.
    pub secure_cookies: bool,
    /// Whether approvers and admins need a second factor. Off in the demo alone.
    pub staff_second_factor: bool,
    pub keyring: Arc<Keyring>,
    pub mail: MailSettings,
    /// The public URL of this service, without a final slash. Links in mails begin with it.
    pub public_url: String,
    pub outbound: OutboundSettings,
    /// The challenge that a browser solves before it gets a guest session. None requires no challenge.
    pub challenge: Option<ChallengeSettings>,
    pub limits: Limits,
    /// The most turns that run at once.
    pub max_turns: usize,
    pub connections: Connections,
    pub telemetry: TelemetrySettings,
    /// Where metrics and readiness are served. This address must not be public.
    pub internal_listen: Option<SocketAddr>,
    /// The store whose admins may see the doctor's findings.
    pub operator_store: Option<String>,
    /// The demo's shop page. Each reset of the demo replaces it.
    pub storefront: Option<watch::Receiver<Storefront>>,
    /// Whether this process runs the job queue too. Off where `countersign worker` runs it.
    pub run_worker: bool,
    /// Why the settings are unfit for a live store. If there are reasons, every page has a banner that names them.
    pub trial: Vec<TrialReason>,
    /// How long to go on serving after SIGTERM while `/health` answers 503, so that a load balancer sends no new requests.
    pub shutdown_drain: Duration,
    /// How long running turns and jobs may take to finish after that.
    pub shutdown_grace: Duration,
}

/// What connecting a store with its shop needs.
#[derive(Debug)]
pub struct ConnectSettings {
    pub database: DatabaseSettings,
    pub keyring: Arc<Keyring>,
    pub public_url: String,
    pub outbound: OutboundSettings,
}

impl Settings {
    /// Reads the settings for `serve` and `worker`. Settings that are unsafe for production are refused.
    pub fn for_serve(variables: Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
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
        let second_model = reader.second_model(model.as_ref());
        let priced_models = reader.priced_models(model.as_ref(), second_model.as_ref());
        let output_tokens = reader.output_tokens();
        let model_check = reader.model_check();
        let listen = reader
            .parsed("LISTEN", "an address such as 0.0.0.0:8080")
            .unwrap_or_else(|| ([127, 0, 0, 1], 8080).into());
        let lifetimes = Lifetimes {
            idle: chrono::Duration::minutes(reader.number("SESSION_IDLE_MINUTES", 1..=43_200, 1_440)),
            absolute: chrono::Duration::days(reader.number("SESSION_MAX_DAYS", 1..=365, 30)),
        };
        let telemetry = reader.telemetry();
        let internal_listen = reader.parsed("INTERNAL_LISTEN", "an address such as 127.0.0.1:9464");
        if internal_listen == Some(listen) {
            reader.fault(
                "INTERNAL_LISTEN",
                "must be another address than LISTEN: what it serves is not for the public",
            );
        }
        let shutdown_drain = Duration::from_secs(reader.number("SHUTDOWN_DRAIN_SECONDS", 0..=120, 0) as u64);
        let shutdown_grace = Duration::from_secs(reader.number("SHUTDOWN_GRACE_SECONDS", 0..=600, 20) as u64);
        let run_worker = match reader.text("RUN_WORKER").as_deref() {
            None | Some("yes") => true,
            Some("no") => false,
            Some(_) => {
                reader.fault("RUN_WORKER", "must be `yes` or `no`");
                true
            }
        };
        if run_worker && database.as_ref().is_some_and(|it| it.pooler == Pooler::Transaction) {
            reader.fault("RUN_WORKER", "must be `no` with DATABASE_POOLER=transaction: the job queue listens, which such a pooler does not pass on. Run `countersign worker` past it");
        }
        let (keyring, mail, public_url) = (reader.keyring(), reader.mail(), reader.public_url());
        let retention = chrono::Duration::days(reader.number("RETENTION_DAYS", 1..=3_650, 365));
        let outbound = reader.outbound();
        let challenge = reader.challenge();
        let limits = reader.limits();
        let operator_store = reader.text("OPERATOR_STORE");
        let max_turns = reader.number("MAX_TURNS", 1..=100_000, 1024) as usize;
        let connections = reader.connections();
        let needed = database.zip(model).zip(keyring).zip(mail).zip(public_url);
        reader.finish(needed.map(|((((database, model), keyring), mail), public_url)| Self {
            trial: trial_reasons(&model, &mail, &public_url),
            listen,
            database,
            model,
            second_model,
            priced_models,
            output_tokens,
            model_check,
            lifetimes,
            retention,
            secure_cookies: true,
            staff_second_factor: true,
            keyring,
            mail,
            public_url,
            outbound,
            challenge,
            limits,
            max_turns,
            connections,
            telemetry,
            internal_listen,
            operator_store,
            storefront: None,
            run_worker,
            shutdown_drain,
            shutdown_grace,
        }))
    }

    /// Settings for the demo, replays and tests: plain HTTP on loopback, a new secret, mail caught in an inbox.
    pub fn on_loopback(listen: SocketAddr, database: DatabaseSettings, model: ModelSettings) -> Self {
        let secret = hex::encode(rand::random::<[u8; 32]>()).into();
        Self {
            listen,
            database,
            model,
            second_model: None,
            priced_models: Vec::new(),
            output_tokens: 1024,
            model_check: None,
            lifetimes: Lifetimes::default(),
            retention: chrono::Duration::days(365),
            trial: Vec::new(),
            secure_cookies: false,
            staff_second_factor: false,
            keyring: Arc::new(Keyring::new(&secret, None)),
            mail: MailSettings::Inbox(Inbox::default()),
            public_url: format!("http://{listen}"),
            outbound: OutboundSettings::default(),
            challenge: None,
            limits: Limits::default(),
            max_turns: 1024,
            connections: Connections::default(),
            telemetry: TelemetrySettings::default(),
            internal_listen: None,
            operator_store: None,
            storefront: None,
            run_worker: true,
            shutdown_drain: Duration::ZERO,
            shutdown_grace: Duration::ZERO,
        }
    }

    /// Reads the models, for the command that checks them.
    pub fn models_only(variables: Variables) -> Result<Models, ConfigError> {
        let mut reader = Reader::new(variables);
        let models = reader.models();
        reader.finish(models)
    }

    /// Reads the demo's model; `given` is the URL and the name from the command line.
    pub fn demo_model(variables: Variables, given: Option<(&str, &str)>) -> Result<ModelSettings, ConfigError> {
        let mut reader = Reader::new(variables);
        let model = reader.demo_model(given);
        reader.finish(model)
    }

    /// Reads the demo's log settings: readable text, and only warnings unless `RUST_LOG` says otherwise, so that the addresses that the
    /// demo prints stay on the screen.
    pub fn demo_telemetry(source: Variables) -> Result<TelemetrySettings, ConfigError> {
        let mut reader = Reader::new(source);
        let log_levels = reader.log_levels().unwrap_or_else(|| "warn".to_owned());
        let telemetry = TelemetrySettings {
            log_levels,
            ..TelemetrySettings::default()
        };
        reader.finish(Some(telemetry))
    }

    /// Reads the database settings, for commands that need nothing else.
    pub fn database_only(variables: Variables) -> Result<DatabaseSettings, ConfigError> {
        let mut reader = Reader::new(variables);
        let database = reader.database();
        reader.finish(database)
    }

    /// Reads the database settings and the server's secret, for commands that manage keys and secrets.
    pub fn for_keys(variables: Variables) -> Result<(DatabaseSettings, Arc<Keyring>), ConfigError> {
        let mut reader = Reader::new(variables);
        let both = reader.database().zip(reader.keyring());
        reader.finish(both)
    }

    /// Reads what connecting a store with its shop needs.
    pub fn for_connect(variables: Variables) -> Result<ConnectSettings, ConfigError> {
        let mut reader = Reader::new(variables);
        let both = reader.database().zip(reader.keyring());
        let (public_url, outbound) = (reader.public_url(), reader.outbound());
        let settings = both
            .zip(public_url)
            .map(|((database, keyring), public_url)| ConnectSettings {
                database,
                keyring,
                public_url,
                outbound,
            });
        reader.finish(settings)
    }

    /// Reads the mail settings, for the doctor.
    pub fn for_mail(variables: Variables) -> Result<SmtpSettings, ConfigError> {
        let mut reader = Reader::new(variables);
        let mail = reader.mail().and_then(|mail| match mail {
            MailSettings::Smtp(settings) => Some(settings),
            MailSettings::Inbox(_) => None,
        });
        reader.finish(mail)
    }

    /// Reads what `migrate` needs: the administrator's connection and the roles' passwords.
    pub fn for_migrate(variables: Variables) -> Result<(PgConnectOptions, DatabaseSettings), ConfigError> {
        let mut reader = Reader::new(variables);
        let url = reader.required_secret(
            "DATABASE_ADMIN_URL",
            1,
            "postgres://ADMIN:PASSWORD@HOST/DATABASE, a user that may create roles",
        );
        let admin = url.and_then(|url| reader.url("DATABASE_ADMIN_URL", url.expose_secret()));
        let database = reader.database();
        reader.finish(admin.zip(database))
    }
}

/// Why an installation with these settings is not for real shoppers.
fn trial_reasons(model: &ModelSettings, mail: &MailSettings, public_url: &str) -> Vec<TrialReason> {
    let is_plain_mail = matches!(mail, MailSettings::Smtp(smtp) if smtp.plain);
    [
        (matches!(model, ModelSettings::Offline), TrialReason::OfflineModel),
        (is_plain_mail, TrialReason::PlainMail),
        (!public_url.starts_with("https://"), TrialReason::PlainUrl),
    ]
    .into_iter()
    .filter_map(|(applies, reason)| applies.then_some(reason))
    .collect()
}

fn has_credential(url: &str) -> bool {
    url.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: [(&str, &str); 12] = [
        ("DATABASE_URL", "postgres://db/countersign"),
        ("DATABASE_READER_PASSWORD", "reader-reader-reader"),
        ("DATABASE_WEB_PASSWORD", "web-web-web-web-web-web"),
        ("DATABASE_EXECUTOR_PASSWORD", "executor-executor"),
        ("MODEL", "openai"),
        ("OPENAI_API_KEY", "sk-test"),
        ("OPENAI_MODEL", "some-model"),
        ("MODEL_PRICES", "other=1/2, some-model=0.15/0.60"),
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("SMTP_URL", "smtps://relay.example"),
        ("MAIL_FROM", "Shop <shop@shop.example>"),
        ("PUBLIC_URL", "https://chat.shop.example"),
    ];

    fn faults(changes: &[(&str, &str)]) -> Vec<&'static str> {
        let source = |name: &str| {
            let find = |table: &[(&str, &str)]| {
                table
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            find(changes).or_else(|| find(&VALID))
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
        for (variable, bad) in [
            ("MODEL_PRICES", "other=1/2"),
            ("MODEL_PRICES", "some-model=cheap"),
            ("MODEL_PRICES", "some-model=1/2, other=cheap"),
            ("MODEL_PRICES", "some-model=1/2, other"),
            ("SECRET_KEY", "short"),
            ("SECRET_KEY_OLD", "0123456789abcdef0123456789abcdef"),
            ("SMTP_URL", "smtp://relay.example"),
            ("MAIL_FROM", "nobody"),
            ("PUBLIC_URL", "http://chat.shop.example"),
            ("TRUSTED_PROXIES", "0.0.0.0/0"),
            ("TRUSTED_PROXIES", "10.0.0.0/8, everybody"),
            ("CLIENT_ADDRESS_HEADER", "X-Real-IP"),
            ("LIMIT_SIGN_IN_PER_SECOND", "0"),
        ] {
            assert_eq!(faults(&[(variable, bad)]), [variable], "{bad}");
        }
        assert_eq!(faults(&[("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1")]), [""; 0]);
        assert_eq!(faults(&[("OPENAI_API_KEY_FILE", "/dev/null")]), ["OPENAI_API_KEY"]);
    }

    #[test]
    fn secrets_do_not_print() {
        let source = |name: &str| {
            VALID
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let printed = format!("{:?}", Settings::for_serve(&source).expect("fits"));
        for secret in [
            "reader-reader",
            "web-web",
            "executor-executor",
            "sk-test",
            "0123456789abcdef",
        ] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
