//! Mail: composed when it is sent, from ids in the outbox, so that neither the queue nor the outbox holds personal text.

pub mod codes;
mod compose;
mod dkim;
mod inbox;
mod letter;
mod model_outage;
mod receipts;
mod smtp;
mod words;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub use dkim::{DkimError, DkimSettings};
pub use inbox::{CaughtMail, Inbox};
pub use smtp::{SmtpError, is_safe as is_safe_url};

use codes::CodeId;

use crate::{
    ids::{ConversationId, MessageId, ProposalId, SessionId},
    jobs::outbox::{self, Channel, ClaimedDelivery, Sent},
    keyring::{Keyring, Purpose},
    language::{Language, LocalizedText},
    tenancy::{Executor, Role, Tx},
};

/// How mails are sent.
#[derive(Clone, Debug)]
pub enum MailSettings {
    Smtp(SmtpSettings),
    /// Mails are kept in memory and shown on the demo's inbox page.
    Inbox(Inbox),
}

#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// `smtps://user:password@relay` or `smtp://…?tls=required`; plain `smtp://` to loopback alone.
    pub url: SecretString,
    pub from: Mailbox,
    /// The keys that mails are signed with; none where the relay signs.
    pub dkim: Vec<DkimSettings>,
    /// How long the relay may take for one mail.
    pub deadline: std::time::Duration,
    /// Whether plain SMTP is allowed to any host. Only for a relay that delivers nothing to the outside.
    pub plain: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    #[error("the mail cannot be written: {0}")]
    Unwritable(String),
    #[error("the database: {}", crate::telemetry::cause(.0))]
    Database(#[from] sqlx::Error),
}

/// How long a shopper waits for a person before staff is told by mail: staff who watch the console are quicker.
const STAFF_CALL_DELAY: chrono::Duration = chrono::Duration::minutes(3);

/// How often staff are told by mail about shoppers who wait.
const STAFF_CALL_INTERVAL: chrono::Duration = chrono::Duration::minutes(15);

/// What a mail is about, as ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum Mail {
    Code {
        code: CodeId,
    },
    ProposalReceived {
        proposal: ProposalId,
    },
    ProposalExecuted {
        proposal: ProposalId,
    },
    /// The code of the proposal's coupon can be used now.
    CouponReady {
        proposal: ProposalId,
    },
    ProposalRejected {
        proposal: ProposalId,
    },
    /// The proposal expired, went stale or failed.
    ProposalUndone {
        proposal: ProposalId,
    },
    /// The shopper must pay at the provider's page before the change is made.
    PaymentNeeded {
        proposal: ProposalId,
    },
    /// All of the money was paid, as its provider confirms.
    RefundMade {
        proposal: ProposalId,
    },
    /// Some of the money could not be paid; staff take care of it.
    RefundFailed {
        proposal: ProposalId,
    },
    NewSignIn {
        session: SessionId,
    },
    /// A mail to the store's admins: how much of a budget is used.
    BudgetAlert {
        scope: String,
        period: String,
        percent: i64,
    },
    /// A mail to the store's admins: the first language model does not answer.
    ModelOutage {
        since: DateTime<Utc>,
        by_rules: bool,
        reason: LocalizedText,
        mend: LocalizedText,
    },
    /// A mail to the store's admins with the head of the audit chain, for them to keep.
    AuditHead {
        head: String,
    },
    Transcript {
        conversation: ConversationId,
    },
    /// A mail to a shopper who left the chat, with a person's answer.
    StaffAnswer {
        message: MessageId,
    },
    /// A mail to staff: how many shoppers wait for a person.
    PeopleWait,
}

/// Queues a mail in the caller's transaction. The key makes it one mail, however often it is queued.
pub async fn queue<R: Role>(
    tx: &mut Tx<R>,
    mail: &Mail,
    kind: &str,
    key: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    queue_for_later(tx, mail, kind, key, (now, chrono::Duration::zero())).await
}

/// Queues the mail that tells staff about waiting shoppers. At most one is sent each quarter of an hour, with everybody who still waits
/// then. A shopper who starts to wait is counted in the first mail that is sent at least [`STAFF_CALL_DELAY`] later.
pub async fn queue_call<R: Role>(tx: &mut Tx<R>, since: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let quarter = STAFF_CALL_INTERVAL.num_seconds();
    let due = ((since + STAFF_CALL_DELAY).timestamp() / quarter + 1) * quarter;
    let wait = chrono::Duration::seconds(due - since.timestamp());
    let key = format!("people_wait:{due}");
    queue_for_later(tx, &Mail::PeopleWait, "people_wait", &key, (since, wait)).await
}

async fn queue_for_later<R: Role>(
    tx: &mut Tx<R>,
    mail: &Mail,
    kind: &str,
    key: &str,
    due: (DateTime<Utc>, chrono::Duration),
) -> Result<(), sqlx::Error> {
    let payload = serde_json::to_value(mail).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    outbox::queue_for_later(tx, Channel::Mail, kind, &format!("mail:{key}"), payload, due).await
}

/// A mail that is ready to be sent.
// No `Debug`: it holds private data.
struct Addressed {
    to: Vec<String>,
    /// The store's name, which is shown as the sender.
    from_name: String,
    reply_to: Option<String>,
    language: Language,
    letter: letter::Letter,
}

/// Composes mails and sends them.
#[derive(Clone)]
pub struct Mailer {
    transport: Transport,
    keyring: Arc<Keyring>,
    /// The beginning of links in mails. Never taken from a request: its sender could choose where the reader is led.
    public_url: String,
}

#[derive(Clone)]
enum Transport {
    Smtp(Box<smtp::Smtp>),
    Inbox(Inbox),
}

impl Mailer {
    pub fn new(settings: &MailSettings, keyring: Arc<Keyring>, public_url: String) -> Result<Self, SmtpError> {
        let transport = match settings {
            MailSettings::Smtp(settings) => Transport::Smtp(Box::new(smtp::Smtp::new(settings)?)),
            MailSettings::Inbox(inbox) => Transport::Inbox(inbox.clone()),
        };
        Ok(Self {
            transport,
            keyring,
            public_url,
        })
    }

    /// Sends a mail from the outbox. If the process dies before recording it, the mail is sent again with the same Message-ID.
    pub async fn send(&self, claimed: &mut ClaimedDelivery, now: DateTime<Utc>) -> Result<Sent, sqlx::Error> {
        let mail: Mail = match claimed.read() {
            Ok(mail) => mail,
            Err(unreadable) => return Ok(unreadable),
        };
        let mut addressed = match self.compose(&mut claimed.tx, &mail).await {
            Ok(Some(addressed)) => addressed,
            Ok(None) => return Ok(Sent::Dropped("there is nobody to write to, or no need any more")),
            Err(MailError::Database(error)) => return Err(error),
            Err(error) => return Ok(Sent::Never(error.to_string())),
        };
        addressed.to = self.not_suppressed(&mut claimed.tx, addressed.to).await?;
        if addressed.to.is_empty() {
            return Ok(Sent::Dropped("the address bounced or complained before"));
        }
        let (text, html) = match addressed.letter.render(addressed.language) {
            Ok(rendered) => rendered,
            Err(error) => return Ok(Sent::Never(error.to_string())),
        };
        match &self.transport {
            Transport::Smtp(smtp) => match smtp.send(&addressed, text, html, claimed.id).await {
                Ok(()) => Ok(Sent::Done(None)),
                Err(MailError::Smtp(SmtpError::Refused(code, true))) => {
                    Ok(Sent::Never(format!("the relay answered {code}")))
                }
                Err(MailError::Unwritable(reason)) => Ok(Sent::Never(reason)),
                Err(error) => Ok(Sent::Retry {
                    error: error.to_string(),
                    not_before: None,
                }),
            },
            Transport::Inbox(inbox) => {
                inbox.catch(CaughtMail {
                    at: now,
                    to: addressed.to.join(", "),
                    subject: addressed.letter.subject,
                    text,
                    html,
                });
                Ok(Sent::Done(None))
            }
        }
    }

    /// Those addresses that are not suppressed.
    async fn not_suppressed(&self, tx: &mut Tx<Executor>, to: Vec<String>) -> Result<Vec<String>, sqlx::Error> {
        let mut good = Vec::new();
        for address in to {
            let macs = self.keyring.macs(Purpose::Address, address.to_lowercase().as_bytes());
            let suppressed = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM suppressed_addresses WHERE mac = ANY ($1)) AS "suppressed!""#,
                &macs
            )
            .fetch_one(&mut **tx)
            .await?;
            if !suppressed {
                good.push(address);
            }
        }
        Ok(good)
    }
}

/// Suppresses an address that bounced or complained: nothing more is mailed to it.
pub async fn suppress(
    tx: &mut Tx<Executor>,
    keyring: &Keyring,
    address: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO suppressed_addresses (tenant_id, mac, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        tx.tenant_id().as_uuid(),
        &keyring.mac(Purpose::Address, address.trim().to_lowercase().as_bytes())[..],
        reason,
        now
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The relay's host name, from SMTP_URL.
pub fn relay_host(settings: &SmtpSettings) -> Option<String> {
    let url = url::Url::parse(settings.url.expose_secret()).ok()?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// Connects and signs in to the relay, without sending anything.
pub async fn reach(settings: &SmtpSettings) -> Result<(), SmtpError> {
    smtp::Smtp::new(settings)?.reach().await
}
