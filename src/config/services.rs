//! What the service works with: database, mail, its own secret, outgoing calls.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;

use super::Reader;
use crate::{
    integrations::{OutboundSettings, challenge::ChallengeSettings},
    keyring::Keyring,
    mail::{DkimSettings, MailSettings, SmtpSettings},
    tenancy::{DatabaseSettings, Pooler},
};

impl Reader<'_> {
    pub fn database(&mut self) -> Option<DatabaseSettings> {
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
        .map(|name| self.required_secret(name, 16, what));
        let connections = self.number("DATABASE_CONNECTIONS", 1..=200, 16) as u32;
        let deadline = Duration::from_millis(self.number("DATABASE_DEADLINE_MS", 100..=60_000, 3_000) as u64);
        let pooler = match self.text("DATABASE_POOLER").as_deref() {
            None | Some("none") => Pooler::None,
            Some("transaction") => Pooler::Transaction,
            Some(_) => {
                self.fault("DATABASE_POOLER", "must be `none` or `transaction`");
                Pooler::None
            }
        };
        let [reader_password, web_password, executor_password] = passwords;
        Some(DatabaseSettings {
            address: address?,
            reader_password: reader_password?,
            web_password: web_password?,
            executor_password: executor_password?,
            connections,
            deadline,
            pooler,
        })
    }

    /// The server's secret, which protects tokens, codes and second factors, and the previous one during a rotation.
    pub fn keyring(&mut self) -> Option<Arc<Keyring>> {
        let what = "what tokens, codes and second factors rest on; `openssl rand -hex 32` makes one";
        let current = self.required_secret("SECRET_KEY", 32, what);
        let old = self.secret("SECRET_KEY_OLD");
        Some(Arc::new(Keyring::new(&current?, old.as_ref())))
    }

    pub fn mail(&mut self) -> Option<MailSettings> {
        let url = self.required_secret(
            "SMTP_URL",
            1,
            "the mail relay, such as smtps://USER:PASSWORD@relay.example",
        );
        // This is for a test relay in the same compose network.
        let plain = self.text("COUNTERSIGN_ALLOW_PLAIN_SMTP").as_deref() == Some("yes");
        if url
            .as_ref()
            .is_some_and(|url| !plain && !crate::mail::is_safe_url(url.expose_secret()))
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
        let dkim = self.dkim();
        let deadline = Duration::from_secs(self.number("SMTP_DEADLINE_SECONDS", 1..=120, 20) as u64);
        Some(MailSettings::Smtp(SmtpSettings {
            url: url?,
            from: from?,
            dkim,
            deadline,
            plain,
        }))
    }

    /// The DKIM keys: an RSA key, an Ed25519 key, both or none.
    fn dkim(&mut self) -> Vec<DkimSettings> {
        let domain = self.text("DKIM_DOMAIN");
        let mut keys = Vec::new();
        for (key_name, selector_name) in [
            ("DKIM_RSA_KEY", "DKIM_RSA_SELECTOR"),
            ("DKIM_ED25519_KEY", "DKIM_ED25519_SELECTOR"),
        ] {
            let (Some(key), selector) = (self.secret(key_name), self.text(selector_name)) else {
                continue;
            };
            let (Some(domain), Some(selector)) = (&domain, selector) else {
                self.fault(key_name, "needs DKIM_DOMAIN and its selector beside it");
                continue;
            };
            let settings = DkimSettings {
                domain: domain.clone(),
                selector,
                key,
            };
            if let Err(error) = settings.check() {
                self.fault(key_name, error.to_string());
            }
            keys.push(settings);
        }
        keys
    }

    pub fn outbound(&mut self) -> OutboundSettings {
        let defaults = OutboundSettings::default();
        OutboundSettings {
            stripe_url: self.text("STRIPE_URL").unwrap_or(defaults.stripe_url),
            allow_loopback: self.text("COUNTERSIGN_ALLOW_LOOPBACK_WEBHOOKS").as_deref() == Some("yes"),
            deadline: Duration::from_secs(self.number("OUTBOUND_TIMEOUT_SECONDS", 1..=60, 15) as u64),
            dns: self.parsed("DNS_SERVER", "an address and a port such as 10.0.0.2:53"),
        }
    }

    /// The challenge. Its URL and its secret must be set together.
    pub fn challenge(&mut self) -> Option<ChallengeSettings> {
        let url = self.text("CHALLENGE_VERIFY_URL");
        let secret = self.secret("CHALLENGE_SECRET");
        match (url, secret) {
            (None, None) => None,
            (Some(url), Some(secret)) => match crate::integrations::outbound_http::check(&url, true) {
                Ok(_) => Some(ChallengeSettings {
                    verify_url: url,
                    secret,
                }),
                Err(fault) => {
                    self.fault("CHALLENGE_VERIFY_URL", fault);
                    None
                }
            },
            _ => {
                self.fault(
                    "CHALLENGE_VERIFY_URL",
                    "needs CHALLENGE_SECRET beside it, and the other way round",
                );
                None
            }
        }
    }

    pub fn public_url(&mut self) -> Option<String> {
        let url = self.text("PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned());
        let fits = url
            .as_deref()
            .is_some_and(|url| crate::tenancy::origins::parse(url).is_ok());
        if !fits {
            self.fault("PUBLIC_URL", "must be set: where people reach this service, such as https://chat.shop.example; links in mails begin with it");
        }
        url.filter(|_| fits)
    }
}
