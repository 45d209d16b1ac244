//! The connection to the mail relay: TLS except to loopback, a connection pool, deadlines.

use std::{sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, MultiPart, dkim::DkimConfig, header},
    transport::smtp::PoolConfig,
};
use secrecy::ExposeSecret;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Addressed, MailError, SmtpSettings, dkim};

const CONNECTIONS: u32 = 4;

/// Why the relay did not take a mail, without addresses.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error("SMTP_URL must be smtps://…, smtp://…?tls=required, or plain smtp:// to a loopback address")]
    Url,
    #[error(transparent)]
    Dkim(#[from] super::DkimError),
    /// The relay's status code, and whether the refusal is permanent.
    #[error("the relay answered {0}")]
    Refused(String, bool),
    #[error("the relay cannot be reached or did not answer in time")]
    Unreachable,
}

#[derive(Clone)]
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    dkim: Arc<[DkimConfig]>,
    /// How long a whole mail may take; each SMTP command gets half.
    deadline: Duration,
}

impl Smtp {
    pub fn new(settings: &SmtpSettings) -> Result<Self, SmtpError> {
        let url = settings.url.expose_secret();
        if !settings.plain && !is_safe(url) {
            return Err(SmtpError::Url);
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| SmtpError::Url)?
            .timeout(Some(settings.deadline / 2))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS))
            .build();
        let dkim: Result<Vec<_>, _> = settings.dkim.iter().map(super::DkimSettings::config).collect();
        Ok(Self {
            transport,
            from: settings.from.clone(),
            dkim: dkim?.into(),
            deadline: settings.deadline,
        })
    }

    /// Connects and signs in to the relay.
    pub async fn reach(&self) -> Result<(), SmtpError> {
        match timeout(self.deadline, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Err(error)) if error.status().is_some() => Err(SmtpError::Refused(
                error.status().map(|code| code.to_string()).unwrap_or_default(),
                error.is_permanent(),
            )),
            _ => Err(SmtpError::Unreachable),
        }
    }

    /// Hands a mail to the relay. Its Message-ID is the outbox row's id, so that a mail sent twice is recognised.
    pub async fn send(&self, mail: &Addressed, text: String, html: String, id: Uuid) -> Result<(), MailError> {
        let unwritable = |error: &dyn std::fmt::Display| MailError::Unwritable(error.to_string());
        let mut builder = lettre::Message::builder()
            .from(Mailbox::new(Some(mail.from_name.clone()), self.from.email.clone()))
            .subject(&mail.letter.subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // Keeps out-of-office programs from answering (RFC 3834).
            .header(AutoSubmitted);
        for address in &mail.to {
            let to = address
                .parse()
                .map_err(|_| unwritable(&"the address cannot be written"))?;
            builder = builder.to(Mailbox::new(None, to));
        }
        if let Some(reply_to) = mail.reply_to.as_ref().and_then(|address| address.parse().ok()) {
            builder = builder.reply_to(Mailbox::new(None, reply_to));
        }
        let message = builder
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(|error| unwritable(&error))?;
        let signed = dkim::sign(&message, &self.dkim);
        match timeout(self.deadline, self.transport.send_raw(message.envelope(), &signed)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match error.status() {
                Some(code) => SmtpError::Refused(code.to_string(), error.is_permanent()),
                None => SmtpError::Unreachable,
            }
            .into()),
            Err(_) => Err(SmtpError::Unreachable.into()),
        }
    }
}

#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// Whether the URL is safe: passwords and login codes must not cross a network unencrypted.
pub fn is_safe(url: &str) -> bool {
    if url.starts_with("smtps://") {
        return true;
    }
    let Some(rest) = url.strip_prefix("smtp://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    is_loopback
        || rest
            .split_once('?')
            .is_some_and(|(_, query)| query.split('&').any(|pair| pair == "tls=required"))
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn only_loopback_may_be_plain() {
        for good in [
            "smtps://u:p@relay.example",
            "smtp://relay.example:587?tls=required",
            "smtp://127.0.0.1:25",
            "smtp://[::1]:25",
            "smtp://localhost",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "smtp://relay.example",
            "smtp://relay.example?tls=opportunistic",
            "smtp://127.0.0.1@relay.example",
            "http://x",
            "",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }
}
