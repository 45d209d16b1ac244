//! The lines of a mail about a proposal.

use std::collections::BTreeMap;

use sqlx::types::Json;

use serde::Deserialize;

use super::{
    Addressed, MailError, Mailer,
    compose::{Sender, addressed, letter},
    words::mail_text,
};
use crate::{
    ids::ProposalId,
    language::{Language, TextKey},
    ledger::Payout,
    money::Money,
    tenancy::{Executor, Tx},
};

/// A row of the plan's changes.
#[derive(Deserialize)]
struct Detail {
    label: String,
    before: Option<String>,
    after: Option<String>,
}

impl Detail {
    /// The row as a line of the letter; none where nothing changes.
    fn to_line(&self) -> Option<(String, String)> {
        let value = match (&self.before, &self.after) {
            (before, after) if before == after => return None,
            (Some(before), Some(after)) if !before.is_empty() => format!("{before} → {after}"),
            (_, Some(after)) => after.clone(),
            (before, None) => format!("− {}", before.as_deref().unwrap_or_default()),
        };
        Some((self.label.clone(), value))
    }
}

struct Proposal {
    tool: String,
    summary: Option<String>,
    translations: Option<Json<BTreeMap<Language, String>>>,
    details: Option<Json<BTreeMap<Language, Vec<Detail>>>>,
    order: Option<String>,
    amount: Option<Json<Money>>,
    reason: Option<String>,
    payout: Option<Payout>,
    email: Option<String>,
    first_name: String,
    language: Option<Language>,
    /// The code of its coupon, and the day until which it can be used.
    coupon: Option<String>,
    coupon_until: Option<String>,
    /// Nobody had to decide, so a receipt for a request that was carried out at once would only be noise.
    automatic: bool,
}

impl Mailer {
    pub(super) async fn proposal(
        &self,
        tx: &mut Tx<Executor>,
        sender: Sender,
        id: ProposalId,
        only_waiting: bool,
        text: impl Fn(Option<Payout>) -> TextKey + Send,
    ) -> Result<Option<Addressed>, MailError> {
        let proposal = sqlx::query_as!(
            Proposal,
            r#"SELECT p.tool, p.plan->>'summary' AS summary, o.number AS "order?", p.plan->'amount' AS "amount: Json<Money>", p.reason, p.payout AS "payout: Payout", s.email,
                s.first_name, coalesce(s.language, c.language) AS "language: Language", p.awaiting = 'nobody' AS "automatic!",
                p.plan->'translations' AS "translations: Json<BTreeMap<Language, String>>",
                k.code AS "coupon?", to_char(k.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS coupon_until,
                p.plan->'details' AS "details: Json<BTreeMap<Language, Vec<Detail>>>"
            FROM proposals p JOIN shoppers s USING (tenant_id, shopper_id)
                JOIN conversations c ON (c.tenant_id, c.id) = (p.tenant_id, p.conversation_id)
                LEFT JOIN coupons k ON (k.tenant_id, k.proposal_id) = (p.tenant_id, p.id) AND k.ready_at IS NOT NULL
                LEFT JOIN orders o ON (o.tenant_id, o.id) = (p.tenant_id, p.order_id) WHERE p.id = $1"#,
            id.as_uuid()
        )
        .fetch_optional(&mut **tx)
        .await?;
        let Some(Proposal { email: Some(email), .. }) = &proposal else {
            return Ok(None);
        };
        let Some(proposal) = &proposal else { return Ok(None) };
        if only_waiting && proposal.automatic {
            return Ok(None);
        }
        let language = proposal.language.unwrap_or(sender.language);
        let translated = proposal
            .translations
            .as_ref()
            .and_then(|translations| translations.get(&language));
        let summary = translated.or(proposal.summary.as_ref()).map(String::as_str);
        let values = [
            ("plan", summary.unwrap_or_default().into()),
            ("reason", proposal.reason.as_deref().unwrap_or_default().into()),
            ("tool", proposal.tool.as_str().into()),
        ];
        let text = mail_text(text(proposal.payout), language, &values);
        let mut letter = letter(language, &sender, &proposal.first_name, text);
        if let (Some(code), Some(until)) = (&proposal.coupon, &proposal.coupon_until) {
            letter
                .facts
                .push((TextKey("mail-coupon-code").in_language(language), code.clone()));
            letter
                .facts
                .push((TextKey("mail-coupon-until").in_language(language), until.clone()));
        }
        letter.facts.extend(
            proposal
                .order
                .iter()
                .map(|order| (TextKey("mail-order").in_language(language), order.clone())),
        );
        letter.facts.extend(proposal.amount.iter().map(|amount| {
            (
                TextKey("mail-amount").in_language(language),
                amount.0.in_language(language),
            )
        }));
        let details = proposal.details.as_ref().and_then(|details| details.get(&language));
        letter
            .facts
            .extend(details.into_iter().flatten().filter_map(Detail::to_line));
        Ok(addressed(vec![email.clone()], sender, language, letter))
    }
}
