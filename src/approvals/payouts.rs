//! Whether the money that goes out for a proposal has arrived, and what the shopper is told of it.
//!
//! A change is made at once, and a refund only when its provider, or a member of staff, says so. Nothing that a shopper reads says that
//! money was paid before that.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Plan,
    outcome::{self, Settled},
};
use crate::{
    ids::ProposalId,
    language::LocalizedText,
    ledger::{self, Payout},
    mail::{self, Mail},
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

const DONE: LocalizedText = LocalizedText {
    en: "Done:",
    de: "Erledigt:",
};
const DONE_BUT_FOR_THE_REFUND: LocalizedText = LocalizedText {
    en: "Done, except for the refund, which has not been paid yet. You are told here when it is:",
    de: "Erledigt bis auf die Erstattung, die noch nicht ausgezahlt ist. Sie erfahren es hier, sobald sie es ist:",
};
const REFUND_REQUESTED: LocalizedText = LocalizedText {
    en: "Your request was approved. The refund has not been paid yet. You are told here when it is:",
    de: "Ihre Anfrage wurde genehmigt. Die Erstattung ist noch nicht ausgezahlt. Sie erfahren es hier, sobald sie es ist:",
};
const REFUND_PAID: LocalizedText = LocalizedText {
    en: "The refund has been paid:",
    de: "Die Erstattung wurde ausgezahlt:",
};
const REFUND_FAILED: LocalizedText = LocalizedText {
    en: "The refund could not be paid. Our staff has been told and looks after it:",
    de: "Die Erstattung konnte nicht ausgezahlt werden. Unser Team weiß davon und kümmert sich darum:",
};

/// What the shopper reads when the changes of a proposal are made. Notes that its money is still to come, if it is.
pub(super) async fn done(
    tx: &mut Tx<Executor>,
    id: ProposalId,
    plan: &Plan,
) -> Result<LocalizedText<String>, sqlx::Error> {
    let payout = ledger::payout(tx, id).await?;
    note(tx, id, payout.map(|(state, _)| state)).await?;
    Ok(match payout {
        None | Some((Payout::Paid, _)) => plan.said_after(&DONE),
        Some(_) if plan.only_pays_out() => plan.said_after(&REFUND_REQUESTED),
        Some(_) => plan.said_after(&DONE_BUT_FOR_THE_REFUND),
    })
}

/// Tells the shopper what became of the money since it was last told. Nothing when that is nothing new.
pub(super) async fn tell(
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
        // Of a return whose parcel is back; a refund that failed is tried again without a word.
        Payout::Requested if told.is_none() => (&REFUND_REQUESTED, None, "refund.requested"),
        Payout::Requested => return Ok(()),
        Payout::Paid => (
            &REFUND_PAID,
            Some(("refund_made", Mail::RefundMade { proposal: id })),
            "refund.paid",
        ),
        Payout::Failed => (
            &REFUND_FAILED,
            Some(("refund_failed", Mail::RefundFailed { proposal: id })),
            "refund.failed",
        ),
    };
    let text = plan.said_after(sentence);
    let text = match payout {
        Payout::Paid => text.each(|language, text| format!("{text} ({})", amount.in_language(language))),
        _ => text,
    };
    outcome::tell(tx, settled, &text, now).await?;
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
