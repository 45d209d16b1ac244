//! The state of the money that is paid out for a proposal, and what the shopper is told about it.
//!
//! The changes are made at once, but a refund counts as paid only when its provider, or a member of staff, confirms it. No text tells a
//! shopper earlier that money was paid.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Plan,
    outcome::{self, Settled},
};
use crate::{
    ids::ProposalId,
    language::{LocalizedText, TextKey},
    ledger::{self, Payout},
    mail::{self, Mail},
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

const DONE: TextKey = TextKey("request-done");
const DONE_BUT_FOR_THE_REFUND: TextKey = TextKey("request-done-except-refund");
const REFUND_REQUESTED: TextKey = TextKey("refund-requested");
const REFUND_PAID: TextKey = TextKey("refund-paid");
const REFUND_FAILED: TextKey = TextKey("refund-failed");

/// What the shopper reads when the changes of a proposal are made. Records that its money is still to come, if it is.
pub(super) async fn done(tx: &mut Tx<Executor>, id: ProposalId, plan: &Plan) -> Result<LocalizedText, sqlx::Error> {
    let payout = ledger::payout(tx, id).await?;
    note(tx, id, payout.map(|(state, _)| state)).await?;
    Ok(match payout {
        None | Some((Payout::Paid, _)) => plan.localized_message(DONE),
        Some(_) if plan.only_pays_out() => plan.localized_message(REFUND_REQUESTED),
        Some(_) => plan.localized_message(DONE_BUT_FOR_THE_REFUND),
    })
}

/// Tells the shopper what has happened to the money since the last message. Does nothing when there is no news.
pub(super) async fn post_news(
    tx: &mut Tx<Executor>,
    settled: &Settled<'_>,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let id = settled.id;
    let told = sqlx::query_scalar!(
        r#"SELECT payout AS "payout: Payout" FROM proposals WHERE tenant_id = $2 AND id = $1"#,
        id.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_one(&mut **tx)
    .await?;
    let Some((payout, amount)) = ledger::payout(tx, id).await?.filter(|(now, _)| Some(*now) != told) else {
        return Ok(());
    };
    note(tx, id, Some(payout)).await?;
    let (sentence, mail, event) = match payout {
        // This is a return whose parcel is back. A refund that failed is tried again without a message.
        Payout::Requested if told.is_none() => (REFUND_REQUESTED, None, "refund.requested"),
        Payout::Requested => return Ok(()),
        Payout::Paid => (
            REFUND_PAID,
            Some(("refund_made", Mail::RefundMade { proposal: id })),
            "refund.paid",
        ),
        Payout::Failed => (
            REFUND_FAILED,
            Some(("refund_failed", Mail::RefundFailed { proposal: id })),
            "refund.failed",
        ),
    };
    let text = LocalizedText::from_fn(|language| {
        let (plan, amount) = (plan.summary_in(language), amount.in_language(language));
        sentence.with(language, &[("plan", plan.into()), ("amount", amount.into())])
    });
    outcome::post_message(tx, settled, &text, now).await?;
    let key = format!("{event}:{id}:{}", now.timestamp_micros());
    if let Some((kind, mail)) = mail {
        mail::queue(tx, &mail, kind, &key, now).await?;
    }
    let system = Actor::system();
    audit::append(tx, Entry::new(&system, event, ("proposal", id), now)).await?;
    let data = json!({ "proposal_id": id, "amount": amount });
    crate::integrations::webhook_delivery::announce(tx, event, &key, data, now).await
}

async fn note(tx: &mut Tx<Executor>, id: ProposalId, payout: Option<Payout>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE proposals SET payout = $3 WHERE tenant_id = $2 AND id = $1 AND payout IS DISTINCT FROM $3",
        id.as_uuid(),
        tx.tenant_id().as_uuid(),
        payout as Option<Payout> as _
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
