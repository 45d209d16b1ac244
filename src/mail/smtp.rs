//! The way to the relay: TLS except to loopback, a pool of connections, deadlines.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::PoolConfig,
};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{MailError, SmtpSettings, message::Message};

/// How long the relay may take for each step.
const DEADLINE: Duration = Duration::from_secs(15);
const CONNECTIONS: u32 = 4;

/// A relay's refusal or silence, without addresses.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error("SMTP_URL must be smtps://…, smtp://…?tls=required, or plain smtp:// to a loopback address")]
    Url,
    #[error("the relay answered {0}")]
    Refused(String),
    #[error("the relay cannot be reached or did not answer in time")]
    Unreachable,
}

#[derive(Clone)]
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    pub fn new(settings: &SmtpSettings) -> Result<Self, SmtpError> {
        let url = settings.url.expose_secret();
        if !is_safe(url) {
            return Err(SmtpError::Url);
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| SmtpError::Url)?
            .timeout(Some(DEADLINE))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS))
            .build();
        Ok(Self {
            transport,
            from: settings.from.clone(),
        })
    }

    /// Hands a mail to the relay. Its Message-ID is the outbox row's, so that a mail sent twice is seen to be one.
    pub async fn send(&self, message: &Message, id: Uuid) -> Result<(), MailError> {
        let unwritable = |error: &dyn std::fmt::Display| MailError::Unwritable(error.to_string());
        let to = message
            .to
            .parse()
            .map_err(|_| unwritable(&"the address cannot be written"))?;
        let from = Mailbox::new(Some(message.from_name.clone()), self.from.email.clone());
        let mail = lettre::Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(&message.subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(message.text.clone())
            .map_err(|error| unwritable(&error))?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.status() {
                Some(code) => SmtpError::Refused(code.to_string()),
                None => SmtpError::Unreachable,
            }
            .into()),
        }
    }
}

/// A password and a code to log in must not cross a network in the clear.
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
