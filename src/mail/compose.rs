//! From ids to a letter: what a mail needs is read when it is sent.

use super::{
    Addressed, Mail, MailError, Mailer,
    codes::{self, CodeId, Purpose},
    letter::Letter,
    words::{self, Said, Words},
};
use crate::{
    ids::{ConversationId, MessageId, SessionId},
    language::Language,
    ledger,
    tenancy::{Executor, Tx},
};

/// Messages of a transcript, the newest.
const TRANSCRIPT: i64 = 500;

/// The store, as a mail shows it.
pub(super) struct Sender {
    pub name: String,
    pub reply_to: Option<String>,
    pub language: Language,
}

/// Whom a mail is to.
struct Recipient {
    email: Option<String>,
    first_name: String,
    language: Option<Language>,
}

impl Mailer {
    /// The mail, ready to go; none when there is nobody to send it to or no need any more.
    pub(super) async fn compose(&self, tx: &mut Tx<Executor>, mail: &Mail) -> Result<Option<Addressed>, MailError> {
        let sender = sqlx::query_as!(
            Sender,
            r#"SELECT name, reply_to, language AS "language: Language" FROM tenants WHERE tenant_id = $1"#,
            tx.tenant_id().as_uuid()
        )
        .fetch_one(&mut **tx)
        .await?;
        match mail {
            Mail::Code { code } => self.code(tx, sender, *code).await,
            Mail::ProposalReceived { proposal } => {
                self.proposal(tx, sender, *proposal, true, |w, told| w.received(told))
                    .await
            }
            Mail::ProposalExecuted { proposal } => {
                self.proposal(tx, sender, *proposal, false, |w, told| w.executed(told))
                    .await
            }
            Mail::ProposalRejected { proposal } => {
                self.proposal(tx, sender, *proposal, false, |w, told| w.rejected(told))
                    .await
            }
            Mail::ProposalUndone { proposal } => {
                self.proposal(tx, sender, *proposal, false, |w, told| w.undone(told))
                    .await
            }
            Mail::PaymentNeeded { proposal } => {
                let Some(link) = ledger::payment_link(tx, *proposal).await? else {
                    return Ok(None);
                };
                let addressed = self
                    .proposal(tx, sender, *proposal, false, |w, told| w.payment_needed(told))
                    .await?;
                Ok(addressed.map(|mut addressed| {
                    addressed.letter.link = Some(link);
                    addressed
                }))
            }
            Mail::RefundMade { proposal } => {
                self.proposal(tx, sender, *proposal, false, |w, told| w.refunded(told))
                    .await
            }
            Mail::RefundFailed { proposal } => {
                self.proposal(tx, sender, *proposal, false, |w, told| w.refund_failed(told))
                    .await
            }
            Mail::NewSignIn { session } => self.new_sign_in(tx, sender, *session).await,
            Mail::BudgetAlert { scope, period, percent } => {
                self.budget(tx, sender, (&scope.replace('_', " "), period, *percent))
                    .await
            }
            Mail::AuditHead { head } => self.audit_head(tx, sender, head).await,
            Mail::Transcript { conversation } => self.transcript(tx, sender, *conversation).await,
            Mail::StaffAnswer { message } => self.staff_answer(tx, sender, *message).await,
            Mail::PeopleWait => self.people_wait(tx, sender).await,
        }
    }

    async fn code(&self, tx: &mut Tx<Executor>, sender: Sender, code: CodeId) -> Result<Option<Addressed>, MailError> {
        let Some(code) = codes::mailed(tx, &self.keyring, code).await? else {
            return Ok(None);
        };
        let recipient = sqlx::query_as!(
            Recipient,
            r#"SELECT email, first_name, language AS "language: Language" FROM shoppers WHERE email = $1"#,
            code.email
        )
        .fetch_optional(&mut **tx)
        .await?;
        let language = recipient.as_ref().and_then(|recipient| recipient.language);
        let words = words::of(language.unwrap_or(sender.language));
        let said = match code.known {
            true => words.known(&sender.name),
            false => words.code(code.purpose, &sender.name, code.minutes),
        };
        let name = recipient.map(|recipient| recipient.first_name).unwrap_or_default();
        let mut letter = letter(words, &sender, &name, said);
        let page = match code.purpose {
            Purpose::ResetPassword => Some("reset-password"),
            Purpose::InviteStaff => Some("staff/join"),
            _ => None,
        };
        match page {
            Some(page) => {
                let (store, language) = (store_key(tx).await?.unwrap_or_default(), words.language().tag());
                let link = format!("{}/{page}?store={store}&lang={language}#{}", self.public_url, code.text);
                letter.link = Some(link);
            }
            None if !code.known => letter.highlight = Some(code.text),
            None => {}
        }
        Ok(addressed(vec![code.email], sender, words, letter))
    }

    async fn new_sign_in(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        id: SessionId,
    ) -> Result<Option<Addressed>, MailError> {
        let session = sqlx::query!(
            r#"SELECT s.address, s.device, s.created_at, h.email, h.first_name, h.language AS "language: Language"
            FROM sessions s JOIN shoppers h USING (tenant_id, shopper_id) WHERE s.id = $1"#,
            id.as_uuid()
        )
        .fetch_optional(&mut **tx)
        .await?;
        let Some(session) = session else { return Ok(None) };
        let Some(email) = session.email else { return Ok(None) };
        let words = words::of(session.language.unwrap_or(sender.language));
        let mut letter = letter(words, &sender, &session.first_name, words.new_sign_in(&sender.name));
        letter.facts.push((
            words.when().to_owned(),
            session.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
        ));
        letter
            .facts
            .extend(session.address.map(|address| (words.address().to_owned(), address)));
        letter
            .facts
            .extend(session.device.map(|device| (words.device().to_owned(), device)));
        Ok(addressed(vec![email], sender, words, letter))
    }

    async fn budget(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        (scope, period, percent): (&str, &str, i64),
    ) -> Result<Option<Addressed>, MailError> {
        let admins = staff(tx, &["admin"]).await?;
        let words = words::of(sender.language);
        let letter = letter(words, &sender, "", words.budget(scope, period, percent));
        Ok(addressed(admins, sender, words, letter))
    }

    async fn audit_head(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        head: &str,
    ) -> Result<Option<Addressed>, MailError> {
        let admins = staff(tx, &["admin"]).await?;
        let words = words::of(sender.language);
        let mut letter = letter(words, &sender, "", words.audit_head());
        letter.highlight = Some(head.to_owned());
        Ok(addressed(admins, sender, words, letter))
    }

    async fn people_wait(&self, tx: &mut Tx<Executor>, sender: Sender) -> Result<Option<Addressed>, MailError> {
        let waiting = sqlx::query!(
            r#"SELECT count(*) AS "count!", min(waiting_since) AS since FROM conversations WHERE waiting_since IS NOT NULL AND held_by IS NULL"#
        )
        .fetch_one(&mut **tx)
        .await?;
        let Some(since) = waiting.since else { return Ok(None) };
        let words = words::of(sender.language);
        let mut letter = letter(words, &sender, "", words.people_wait(&sender.name, waiting.count));
        letter
            .facts
            .push((words.when().to_owned(), since.format("%Y-%m-%d %H:%M UTC").to_string()));
        letter.link = Some(format!("{}/console/conversations?open=true", self.public_url));
        let to = staff(tx, &["approver", "admin"]).await?;
        Ok(addressed(to, sender, words, letter))
    }

    async fn staff_answer(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        id: MessageId,
    ) -> Result<Option<Addressed>, MailError> {
        let answer = sqlx::query!(
            r#"SELECT m.body, s.email, s.first_name, coalesce(s.language, c.language) AS "language!: Language"
            FROM messages m JOIN shoppers s USING (tenant_id, shopper_id)
                JOIN conversations c ON (c.tenant_id, c.id) = (m.tenant_id, m.conversation_id) WHERE m.id = $1"#,
            id.as_uuid()
        )
        .fetch_optional(&mut **tx)
        .await?;
        let Some((answer, email)) = answer.and_then(|mut answer| answer.email.take().map(|email| (answer, email)))
        else {
            return Ok(None);
        };
        let words = words::of(answer.language);
        let mut letter = letter(words, &sender, &answer.first_name, words.staff_answer(&sender.name));
        letter.paragraphs.push(answer.body);
        Ok(addressed(vec![email], sender, words, letter))
    }

    async fn transcript(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        id: ConversationId,
    ) -> Result<Option<Addressed>, MailError> {
        let owner = sqlx::query_as!(
            Recipient,
            r#"SELECT s.email, s.first_name, coalesce(s.language, c.language) AS "language: Language"
            FROM conversations c JOIN shoppers s USING (tenant_id, shopper_id) WHERE c.id = $1"#,
            id.as_uuid()
        )
        .fetch_optional(&mut **tx)
        .await?;
        let Some(Recipient {
            email: Some(email),
            first_name,
            language,
        }) = owner
        else {
            return Ok(None);
        };
        let messages = sqlx::query!(
            "SELECT author, body, created_at FROM (SELECT id, author, body, created_at FROM messages WHERE conversation_id = $1
                ORDER BY created_at DESC, id DESC LIMIT $2) newest ORDER BY created_at, id",
            id.as_uuid(),
            TRANSCRIPT
        )
        .fetch_all(&mut **tx)
        .await?;
        let words = words::of(language.unwrap_or(sender.language));
        let mut letter = letter(words, &sender, &first_name, words.transcript(&sender.name));
        letter.facts = messages
            .into_iter()
            .map(|message| {
                let who = if message.author == "shopper" {
                    words.shopper()
                } else {
                    &sender.name
                };
                (
                    format!("{} {who}", message.created_at.format("%Y-%m-%d %H:%M")),
                    message.body,
                )
            })
            .collect();
        Ok(addressed(vec![email], sender, words, letter))
    }
}

/// A publishable key of the store's: the page that a link leads to is at its door.
async fn store_key(tx: &mut Tx<Executor>) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT key FROM store_keys WHERE revoked_at IS NULL ORDER BY id DESC LIMIT 1")
        .fetch_optional(&mut **tx)
        .await
}

/// The addresses of the store's staff with one of these roles, at most twenty.
async fn staff(tx: &mut Tx<Executor>, roles: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    sqlx::query_scalar!(
        "SELECT email FROM staff WHERE role = ANY ($1) AND disabled_at IS NULL ORDER BY email LIMIT 20",
        &roles
    )
    .fetch_all(&mut **tx)
    .await
}

pub(super) fn letter(words: &dyn Words, sender: &Sender, name: &str, said: Said) -> Letter {
    Letter {
        subject: format!("{}: {}", sender.name, said.subject),
        greeting: words.greeting(name),
        paragraphs: said
            .paragraphs
            .into_iter()
            .filter(|paragraph| !paragraph.is_empty())
            .collect(),
        notes: said.notes,
        closing: words.closing(&sender.name),
        ..Letter::default()
    }
}

pub(super) fn addressed(to: Vec<String>, sender: Sender, words: &dyn Words, letter: Letter) -> Option<Addressed> {
    let mail = Addressed {
        to,
        from_name: sender.name,
        reply_to: sender.reply_to,
        language: words.language(),
        letter,
    };
    Some(mail).filter(|mail| !mail.to.is_empty())
}
