//! Settings, from environment variables. Every fault is reported at once, by the variable's name and with the mend.
//!
//! A secret `X` may also be given as a file named by `X_FILE`, as container secrets are.

mod reader;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;

use reader::Reader;
pub use reader::{ConfigError, Fault, Source, environment};

use crate::{
    identity::sessions::Lifetimes,
    keyring::Keyring,
    mail::{MailSettings, SmtpSettings},
    model::{Deadlines, OpenAiSettings, Price},
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
    /// Whether approvers and admins need a second factor. Off in the demo alone.
    pub staff_second_factor: bool,
    pub keyring: Arc<Keyring>,
    pub mail: MailSettings,
    /// Where people reach this service, without a final slash: what links in mails begin with.
    pub public_url: String,
    pub limits: Limits,
    pub connections: Connections,
    pub log_format: LogFormat,
    /// Run the job queue in this process too; off where `countersign worker` does.
    pub run_worker: bool,
    /// How long running turns may take to finish after SIGTERM.
    pub shutdown_grace: Duration,
}

/// So many a second, and so many at once after a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// How often requests are taken, each replica for itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From one address, whoever calls: an office or a mobile carrier may stand behind it.
    pub address: Rate,
    /// From one address where nobody is known yet: log-in, registration, guests.
    pub door: Rate,
    /// By one account.
    pub account: Rate,
}

impl Limits {
    /// As good as none: for replays and load on a machine of one's own.
    pub fn wide() -> Self {
        let rate = Rate {
            per_second: 100_000,
            burst: 1_000_000,
        };
        Self {
            address: rate,
            door: rate,
            account: rate,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let rate = |per_second, burst| Rate { per_second, burst };
        Self {
            address: rate(50, 200),
            door: rate(2, 20),
            account: rate(10, 50),
        }
    }
}

/// Where a trusted proxy writes the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressHeader {
    XForwardedFor,
    Forwarded,
    CfConnectingIp,
}

/// The proxies in front of the service. Nobody else's word on an address counts.
#[derive(Clone, Debug)]
pub struct Proxies {
    pub networks: Vec<IpNet>,
    pub header: AddressHeader,
}

impl Proxies {
    /// Nobody stands in front.
    pub fn none() -> Self {
        Self {
            networks: Vec::new(),
            header: AddressHeader::XForwardedFor,
        }
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// How many connections are held.
#[derive(Clone, Debug)]
pub struct Connections {
    pub most: usize,
    /// Of one address that is not a proxy's.
    pub most_from_address: usize,
    pub proxies: Proxies,
}

impl Default for Connections {
    /// Each costs about ten KiB and a file descriptor.
    fn default() -> Self {
        Self {
            most: 16_384,
            most_from_address: 256,
            proxies: Proxies::none(),
        }
    }
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
        let (keyring, mail, public_url) = (reader.keyring(), reader.mail(), reader.public_url());
        let limits = reader.limits();
        let connections = reader.connections();
        let needed = database.zip(model).zip(keyring).zip(mail).zip(public_url);
        reader.finish(needed.map(|((((database, model), keyring), mail), public_url)| Self {
            listen,
            database,
            model,
            lifetimes,
            secure_cookies: true,
            staff_second_factor: true,
            keyring,
            mail,
            public_url,
            limits,
            connections,
            log_format,
            run_worker,
            shutdown_grace,
        }))
    }

    /// For the demo, replays and tests: plain HTTP on loopback, a secret of its own, mail to the terminal.
    pub fn on_loopback(listen: SocketAddr, database: DatabaseSettings, model: ModelSettings) -> Self {
        let secret = hex::encode(rand::random::<[u8; 32]>()).into();
        Self {
            listen,
            database,
            model,
            lifetimes: Lifetimes::default(),
            secure_cookies: false,
            staff_second_factor: false,
            keyring: Arc::new(Keyring::new(&secret, None)),
            mail: MailSettings::Print,
            public_url: format!("http://{listen}"),
            limits: Limits::default(),
            connections: Connections::default(),
            log_format: LogFormat::Text,
            run_worker: true,
            shutdown_grace: Duration::ZERO,
        }
    }

    /// Where the database is, for the commands that need nothing else.
    pub fn database_only(source: Source) -> Result<DatabaseSettings, ConfigError> {
        let mut reader = Reader::new(source);
        let database = reader.database();
        reader.finish(database)
    }

    /// Where the database is and the server's secret, for the commands that look after keys.
    pub fn for_keys(source: Source) -> Result<(DatabaseSettings, Arc<Keyring>), ConfigError> {
        let mut reader = Reader::new(source);
        let both = reader.database().zip(reader.keyring());
        reader.finish(both)
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

    /// The secret that tokens, codes and second factors rest on, and the one before while it is rotated.
    fn keyring(&mut self) -> Option<Arc<Keyring>> {
        let what = "what tokens, codes and second factors rest on; `openssl rand -hex 32` makes one";
        let current = self.needed_secret("SECRET_KEY", 32, what);
        let old = self.secret("SECRET_KEY_OLD");
        if let (Some(current), Some(old)) = (&current, &old)
            && current.expose_secret() == old.expose_secret()
        {
            self.fault(
                "SECRET_KEY_OLD",
                "is the same as SECRET_KEY; leave it out when nothing is being rotated",
            );
        }
        Some(Arc::new(Keyring::new(&current?, old.as_ref())))
    }

    fn mail(&mut self) -> Option<MailSettings> {
        let url = self.needed_secret(
            "SMTP_URL",
            1,
            "the mail relay, such as smtps://USER:PASSWORD@relay.example",
        );
        if url
            .as_ref()
            .is_some_and(|url| !crate::mail::is_safe_url(url.expose_secret()))
        {
            self.fault(
                "SMTP_URL",
                "must be smtps://…, smtp://…?tls=required, or plain smtp:// to a loopback address",
            );
        }
        let from = self.parsed(
            "MAIL_FROM",
            "an address that receipts and codes come from, such as shop@shop.example",
        );
        if self.text("MAIL_FROM").is_none() {
            self.fault(
                "MAIL_FROM",
                "must be set: the address that receipts and codes come from",
            );
        }
        Some(MailSettings::Smtp(SmtpSettings { url: url?, from: from? }))
    }

    fn public_url(&mut self) -> Option<String> {
        let url = self.text("PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned());
        let fits = url
            .as_deref()
            .is_some_and(|url| crate::tenancy::origins::parse(url).is_ok());
        if !fits {
            self.fault("PUBLIC_URL", "must be set: where people reach this service, such as https://chat.shop.example; links in mails begin with it");
        }
        url.filter(|_| fits)
    }

    fn limits(&mut self) -> Limits {
        let defaults = Limits::default();
        let mut rate = |name: &'static str, default: Rate| {
            let per_second = self.number(name, 1..=100_000, default.per_second.into()) as u32;
            Rate {
                per_second,
                // A quiet time is worth as many seconds as by default.
                burst: per_second * (default.burst / default.per_second),
            }
        };
        Limits {
            address: rate("LIMIT_ADDRESS_PER_SECOND", defaults.address),
            door: rate("LIMIT_DOOR_PER_SECOND", defaults.door),
            account: rate("LIMIT_ACCOUNT_PER_SECOND", defaults.account),
        }
    }

    fn connections(&mut self) -> Connections {
        let networks = self.text("TRUSTED_PROXIES").unwrap_or_default();
        let networks: Vec<Option<IpNet>> = networks
            .split(',')
            .map(str::trim)
            .filter(|network| !network.is_empty())
            .map(|network| {
                network
                    .parse()
                    .ok()
                    .or_else(|| network.parse().ok().map(|address: IpAddr| address.into()))
            })
            .collect();
        if networks
            .iter()
            .any(|network| network.is_none_or(|network| network.prefix_len() == 0))
        {
            self.fault(
                "TRUSTED_PROXIES",
                "must be networks or addresses, such as 10.0.0.0/8, 192.0.2.7; never everybody",
            );
        }
        let header = match self
            .text("CLIENT_ADDRESS_HEADER")
            .map(|name| name.to_lowercase())
            .as_deref()
        {
            None | Some("x-forwarded-for") => AddressHeader::XForwardedFor,
            Some("forwarded") => AddressHeader::Forwarded,
            Some("cf-connecting-ip") => AddressHeader::CfConnectingIp,
            Some(_) => {
                self.fault(
                    "CLIENT_ADDRESS_HEADER",
                    "must be X-Forwarded-For, Forwarded or CF-Connecting-IP",
                );
                AddressHeader::XForwardedFor
            }
        };
        let defaults = Connections::default();
        Connections {
            most: self.number("MOST_CONNECTIONS", 16..=1_000_000, defaults.most as i64) as usize,
            most_from_address: self.number(
                "MOST_CONNECTIONS_FROM_ADDRESS",
                1..=1_000_000,
                defaults.most_from_address as i64,
            ) as usize,
            proxies: Proxies {
                networks: networks.into_iter().flatten().collect(),
                header,
            },
        }
    }

    /// The price of the model, for its budget.
    fn price(&mut self, model: Option<&str>) -> Option<Price> {
        let table = self.text("MODEL_PRICES").unwrap_or_default();
        let mut prices = table.split(',').filter_map(|entry| entry.trim().split_once('='));
        let price = prices
            .find(|(name, _)| Some(name.trim()) == model)
            .and_then(|(_, price)| price.parse().ok());
        if price.is_none() {
            self.fault(
                "MODEL_PRICES",
                "must name the price of OPENAI_MODEL for a million tokens in and out, such as gpt-4o-mini=0.15/0.60; budgets are counted in it",
            );
        }
        price
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
                let price = self.price(model.as_deref());
                let base_url = self
                    .text("OPENAI_BASE_URL")
                    .unwrap_or_else(|| "https://api.openai.com/v1".into());
                Some(ModelSettings::OpenAi(OpenAiSettings {
                    base_url,
                    api_key: api_key?,
                    model: model?,
                    price: price?,
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

    const GOOD: [(&str, &str); 12] = [
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
        for (variable, bad) in [
            ("MODEL_PRICES", "other=1/2"),
            ("MODEL_PRICES", "some-model=cheap"),
            ("SECRET_KEY", "short"),
            ("SECRET_KEY_OLD", "0123456789abcdef0123456789abcdef"),
            ("SMTP_URL", "smtp://relay.example"),
            ("MAIL_FROM", "nobody"),
            ("PUBLIC_URL", "http://chat.shop.example"),
            ("TRUSTED_PROXIES", "0.0.0.0/0"),
            ("TRUSTED_PROXIES", "10.0.0.0/8, everybody"),
            ("CLIENT_ADDRESS_HEADER", "X-Real-IP"),
            ("LIMIT_DOOR_PER_SECOND", "0"),
        ] {
            assert_eq!(faults(&[(variable, bad)]), [variable], "{bad}");
        }
        assert_eq!(faults(&[("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1")]), [""; 0]);
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
