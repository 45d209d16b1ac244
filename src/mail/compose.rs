//! Composes mails: loads what a mail needs, by ids, when it is sent.

use chrono::{DateTime, Utc};

use super::{
    Addressed, Mail, MailError, Mailer,
    codes::{self, CodeId, Purpose},
    letter::Letter,
    words::{MailText, mail_text},
};
use crate::{
    clock::local_text,
    ids::{ConversationId, MessageId, ProposalId, SessionId},
    language::{Language, TextKey},
    ledger::{self, Payout},
    tenancy::{Executor, Tx},
};

/// How many messages a transcript has at most; the newest are kept.
const MAX_TRANSCRIPT_MESSAGES: i64 = 500;

/// The store, as a mail shows it.
pub(super) struct Sender {
    pub name: String,
    pub reply_to: Option<String>,
    pub language: Language,
    /// The IANA name of its time zone.
    pub time_zone: String,
}

impl Sender {
    /// Formats a time by the store's clock.
    pub(super) fn local(&self, at: DateTime<Utc>) -> String {
        local_text(at, &self.time_zone)
    }
}

/// The shopper that a mail goes to.
struct Recipient {
    email: Option<String>,
    first_name: String,
    language: Option<Language>,
}

impl Mailer {
    /// Composes the mail; none when there is nobody to send it to, or it is no longer needed.
    pub(super) async fn compose(&self, tx: &mut Tx<Executor>, mail: &Mail) -> Result<Option<Addressed>, MailError> {
        let sender = sqlx::query_as!(
            Sender,
            r#"SELECT name, reply_to, language AS "language: Language", coalesce((SELECT time_zone FROM staff_hours), 'UTC') AS "time_zone!"
            FROM tenants WHERE tenant_id = $1"#,
            tx.tenant_id().as_uuid()
        )
        .fetch_one(&mut **tx)
        .await?;
        match mail {
            Mail::Code { code } => self.code(tx, sender, *code).await,
            Mail::ProposalReceived { proposal } => {
                self.proposal(tx, sender, *proposal, true, |_| TextKey("mail-request-received"))
                    .await
            }
            // A coupon without its code is of no use: the mail with the code follows.
            Mail::ProposalExecuted { proposal } if waits_for_code(tx, *proposal).await? => Ok(None),
            Mail::ProposalExecuted { proposal } => self.proposal(tx, sender, *proposal, false, executed).await,
            Mail::CouponReady { proposal } => {
                self.proposal(tx, sender, *proposal, false, |_| TextKey("mail-coupon-ready"))
                    .await
            }
            Mail::ProposalRejected { proposal } => {
                self.proposal(tx, sender, *proposal, false, |_| TextKey("mail-request-rejected"))
                    .await
            }
            Mail::ProposalUndone { proposal } => {
                self.proposal(tx, sender, *proposal, false, |_| TextKey("mail-request-undone"))
                    .await
            }
            Mail::PaymentNeeded { proposal } => {
                let Some(link) = ledger::payment_link(tx, *proposal).await? else {
                    return Ok(None);
                };
                let addressed = self
                    .proposal(tx, sender, *proposal, false, |_| TextKey("mail-payment-needed"))
                    .await?;
                Ok(addressed.map(|mut addressed| {
                    addressed.letter.link = Some(link);
                    addressed
                }))
            }
            Mail::RefundMade { proposal } => {
                self.proposal(tx, sender, *proposal, false, |_| TextKey("mail-refund-made"))
                    .await
            }
            Mail::RefundFailed { proposal } => {
                self.proposal(tx, sender, *proposal, false, |_| TextKey("mail-refund-failed"))
                    .await
            }
            Mail::NewSignIn { session } => self.new_sign_in(tx, sender, *session).await,
            Mail::BudgetAlert { scope, period, percent } => {
                let text = match scope.as_str() {
                    "store_month" => TextKey("mail-budget-month"),
                    _ => TextKey("mail-budget-day"),
                };
                self.budget(tx, sender, text, (period, *percent)).await
            }
            Mail::ModelOutage {
                since,
                by_rules,
                reason,
                mend,
            } => self.model_outage(tx, sender, (*since, *by_rules), (reason, mend)).await,
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
        let language = language.unwrap_or(sender.language);
        let key = match (code.known, code.purpose) {
            (true, _) => TextKey("mail-account-known"),
            (_, Purpose::Register) => TextKey("mail-code-register"),
            (_, Purpose::LogIn) => TextKey("mail-code-log-in"),
            (_, Purpose::ProveOrder) => TextKey("mail-code-prove-order"),
            (_, Purpose::ResetPassword) => TextKey("mail-code-reset-password"),
            (_, Purpose::InviteStaff) => TextKey("mail-code-invite-staff"),
        };
        let values = [("store", sender.name.as_str().into()), ("minutes", code.minutes.into())];
        let text = mail_text(key, language, &values);
        let name = recipient.map(|recipient| recipient.first_name).unwrap_or_default();
        let mut letter = letter(language, &sender, &name, text);
        let page = match code.purpose {
            Purpose::ResetPassword => Some("reset-password"),
            Purpose::InviteStaff => Some("staff/join"),
            _ => None,
        };
        match page {
            Some(page) => {
                let (store, language) = (store_key(tx).await?.unwrap_or_default(), language.tag());
                let link = format!("{}/{page}?store={store}&lang={language}#{}", self.public_url, code.text);
                letter.link = Some(link);
            }
            None if !code.known => letter.highlight = Some(code.text),
            None => {}
        }
        Ok(addressed(vec![code.email], sender, language, letter))
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
        let language = session.language.unwrap_or(sender.language);
        let text = mail_text(
            TextKey("mail-new-sign-in"),
            language,
            &[("store", sender.name.as_str().into())],
        );
        let mut letter = letter(language, &sender, &session.first_name, text);
        letter
            .facts
            .push((WHEN.in_language(language), sender.local(session.created_at)));
        letter.facts.extend(
            session
                .address
                .map(|address| (TextKey("mail-address").in_language(language), address)),
        );
        letter.facts.extend(
            session
                .device
                .map(|device| (TextKey("mail-device").in_language(language), device)),
        );
        Ok(addressed(vec![email], sender, language, letter))
    }

    async fn budget(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        text: TextKey,
        (period, percent): (&str, i64),
    ) -> Result<Option<Addressed>, MailError> {
        let admins = staff(tx, &["admin"]).await?;
        let language = sender.language;
        let values = [("period", period.into()), ("percent", percent.into())];
        let letter = letter(language, &sender, "", mail_text(text, language, &values));
        Ok(addressed(admins, sender, language, letter))
    }

    async fn audit_head(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        head: &str,
    ) -> Result<Option<Addressed>, MailError> {
        let admins = staff(tx, &["admin"]).await?;
        let language = sender.language;
        let mut letter = letter(
            language,
            &sender,
            "",
            mail_text(TextKey("mail-audit-head"), language, &[]),
        );
        letter.highlight = Some(head.to_owned());
        Ok(addressed(admins, sender, language, letter))
    }

    async fn people_wait(&self, tx: &mut Tx<Executor>, sender: Sender) -> Result<Option<Addressed>, MailError> {
        let waiting = sqlx::query!(
            r#"SELECT count(*) AS "count!", min(waiting_since) AS since FROM conversations WHERE waiting_since IS NOT NULL AND held_by IS NULL"#
        )
        .fetch_one(&mut **tx)
        .await?;
        let Some(since) = waiting.since else { return Ok(None) };
        let language = sender.language;
        let values = [("store", sender.name.as_str().into()), ("count", waiting.count.into())];
        let mut letter = letter(
            language,
            &sender,
            "",
            mail_text(TextKey("mail-people-wait"), language, &values),
        );
        letter.facts.push((WHEN.in_language(language), sender.local(since)));
        letter.link = Some(format!("{}/console/conversations?open=true", self.public_url));
        let to = staff(tx, &["approver", "admin"]).await?;
        Ok(addressed(to, sender, language, letter))
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
        let language = answer.language;
        let text = mail_text(
            TextKey("mail-staff-answer"),
            language,
            &[("store", sender.name.as_str().into())],
        );
        let mut letter = letter(language, &sender, &answer.first_name, text);
        letter.paragraphs.push(answer.body);
        Ok(addressed(vec![email], sender, language, letter))
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
            MAX_TRANSCRIPT_MESSAGES
        )
        .fetch_all(&mut **tx)
        .await?;
        let language = language.unwrap_or(sender.language);
        let text = mail_text(
            TextKey("mail-transcript"),
            language,
            &[("store", sender.name.as_str().into())],
        );
        let mut letter = letter(language, &sender, &first_name, text);
        let you = TextKey("mail-you").in_language(language);
        letter.facts = messages
            .into_iter()
            .map(|message| {
                let who = if message.author == "shopper" {
                    &you
                } else {
                    &sender.name
                };
                (format!("{} {who}", sender.local(message.created_at)), message.body)
            })
            .collect();
        Ok(addressed(vec![email], sender, language, letter))
    }
}

/// A store key of the store, which names the store on the page that a link leads to.
async fn store_key(tx: &mut Tx<Executor>) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT key FROM store_keys WHERE revoked_at IS NULL ORDER BY id DESC LIMIT 1")
        .fetch_optional(&mut **tx)
        .await
}

/// The addresses of the store's staff with one of these roles, at most twenty.
pub(super) async fn staff(tx: &mut Tx<Executor>, roles: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    sqlx::query_scalar!(
        "SELECT email FROM staff WHERE role = ANY ($1) AND disabled_at IS NULL ORDER BY email LIMIT 20",
        &roles
    )
    .fetch_all(&mut **tx)
    .await
}

/// The label of the line that says when something happened.
pub(super) const WHEN: TextKey = TextKey("mail-when");

/// The text for a request whose changes are made; its money may still be on its way.
/// Whether the proposal gave a coupon that cannot be used yet.
async fn waits_for_code(tx: &mut Tx<Executor>, proposal: ProposalId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM coupons WHERE tenant_id = $1 AND proposal_id = $2 AND ready_at IS NULL) AS "waits!""#,
        tx.tenant_id().as_uuid(),
        proposal.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await
}

fn executed(payout: Option<Payout>) -> TextKey {
    match payout {
        None | Some(Payout::Paid) => TextKey("mail-request-executed"),
        Some(Payout::Requested | Payout::Failed) => TextKey("mail-request-executed-except-refund"),
    }
}

pub(super) fn letter(language: Language, sender: &Sender, name: &str, text: MailText) -> Letter {
    let greeting = match name {
        "" => TextKey("mail-greeting").in_language(language),
        name => TextKey("mail-greeting-name").with(language, &[("name", name.into())]),
    };
    Letter {
        subject: format!("{}: {}", sender.name, text.subject),
        greeting,
        paragraphs: text.paragraphs,
        notes: text.notes,
        closing: TextKey("mail-closing").with(language, &[("store", sender.name.as_str().into())]),
        ..Letter::default()
    }
}

/// A letter to these addresses; none if there is nobody to read it. Nothing is delivered below `.invalid` (RFC 2606), where the addresses of
/// shoppers who were erased are.
pub(super) fn addressed(mut to: Vec<String>, sender: Sender, language: Language, letter: Letter) -> Option<Addressed> {
    to.retain(|address| !address.ends_with(".invalid"));
    let mail = Addressed {
        to,
        from_name: sender.name,
        reply_to: sender.reply_to,
        language,
        letter,
    };
    Some(mail).filter(|mail| !mail.to.is_empty())
}
