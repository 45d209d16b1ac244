//! Mail: put together when it is sent, from ids in the outbox, so that neither queue nor outbox holds anybody's words.

mod message;
mod smtp;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::Deserialize;

pub use smtp::{SmtpError, is_safe as is_safe_url};

use crate::{
    identity::{self, CodeId},
    ids::TenantId,
    keyring::Keyring,
    tenancy::{self, Executor, Pool, Scope},
};

/// How mail leaves.
#[derive(Clone, Debug)]
pub enum MailSettings {
    Smtp(SmtpSettings),
    /// To the terminal: the demo's.
    Print,
}

#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// `smtps://user:password@relay` or `smtp://…?tls=required`; plain `smtp://` to loopback alone.
    pub url: SecretString,
    pub from: Mailbox,
}

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Comes again.
    #[error("the mail was not taken: {0}")]
    Smtp(#[from] SmtpError),
    #[error("the mail cannot be written: {0}")]
    Unwritable(String),
    #[error("the database: {}", crate::telemetry::cause(.0))]
    Database(#[from] sqlx::Error),
}

/// A mail in the outbox.
#[derive(Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
enum Queued {
    Code { code: CodeId },
}

/// Puts mails together and sends them.
#[derive(Clone)]
pub struct PostOffice {
    transport: Transport,
    keyring: Arc<Keyring>,
    /// What links begin with. Never taken from a request: whoever sends one would choose where its reader goes.
    public_url: String,
}

#[derive(Clone)]
enum Transport {
    Smtp(smtp::Smtp),
    Print,
}

impl PostOffice {
    pub fn new(settings: &MailSettings, keyring: Arc<Keyring>, public_url: String) -> Result<Self, SmtpError> {
        let transport = match settings {
            MailSettings::Smtp(settings) => Transport::Smtp(smtp::Smtp::new(settings)?),
            MailSettings::Print => Transport::Print,
        };
        Ok(Self {
            transport,
            keyring,
            public_url,
        })
    }

    /// Sends a mail of the outbox, unless it was sent. A crash between sending and noting it sends the same Message-ID again.
    pub async fn send(
        &self,
        pool: &Pool<Executor>,
        tenant: TenantId,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<(), MailError> {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        let queued = sqlx::query!(
            "SELECT id, payload FROM outbox WHERE idempotency_key = $1 AND sent_at IS NULL",
            key
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(queued) = queued else { return Ok(()) };
        let store = tenancy::current(&mut tx).await?;
        let Queued::Code { code } =
            serde_json::from_value(queued.payload).map_err(|error| MailError::Unwritable(error.to_string()))?;
        let code = identity::mailed(&mut tx, &self.keyring, code).await?;
        // No connection is held while a relay takes its time.
        drop(tx);
        // A code that was used or has gone meanwhile is nothing to mail.
        if let Some(code) = code {
            let message = message::of_code(&store, &code, &self.public_url)?;
            match &self.transport {
                Transport::Smtp(smtp) => smtp.send(&message, queued.id).await?,
                Transport::Print => println!("\n--- mail to {}: {}\n{}---", message.to, message.subject, message.text),
            }
        }
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        sqlx::query!("UPDATE outbox SET sent_at = $2 WHERE id = $1", queued.id, now)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
