//! Gives an approved coupon to the shopper: its code stands in the chat and in a mail, as soon as it can be used.
//!
//! Without a shop's platform the code can be used at once. A platform creates it first, and the shopper is told when it has.

use chrono::{DateTime, Utc};

use super::{
    Plan,
    outcome::{self, Settled},
};
use crate::{
    ids::ProposalId,
    language::{LocalizedText, TextKey},
    mail::{self, Mail},
    store::changes::Change,
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

const DONE_WITH_CODE: TextKey = TextKey("request-done-coupon");
const CODE_FOLLOWS: TextKey = TextKey("request-coupon-follows");
const CODE_IS_READY: TextKey = TextKey("coupon-ready");

/// A code that the shopper was not told yet, if it can be used.
struct Untold {
    code: String,
    expires_at: DateTime<Utc>,
}

/// Takes the code to tell, once.
async fn take(tx: &mut Tx<Executor>, proposal: ProposalId, now: DateTime<Utc>) -> Result<Option<Untold>, sqlx::Error> {
    sqlx::query_as!(
        Untold,
        "UPDATE coupons SET told_at = $3 WHERE tenant_id = $1 AND proposal_id = $2 AND ready_at IS NOT NULL AND told_at IS NULL RETURNING code, expires_at",
        tx.tenant_id().as_uuid(),
        proposal.as_uuid(),
        now
    )
    .fetch_optional(&mut **tx)
    .await
}

fn text(key: TextKey, plan: &Plan, coupon: &Untold) -> LocalizedText {
    LocalizedText::from_fn(|language| {
        let until = coupon.expires_at.format("%Y-%m-%d").to_string();
        let values = [
            ("plan", plan.summary_in(language).into()),
            ("code", coupon.code.as_str().into()),
            ("until", until.into()),
        ];
        key.with(language, &values)
    })
}

/// What the shopper reads when the plan's coupon is stored; none where the plan has none.
pub(super) async fn done(
    tx: &mut Tx<Executor>,
    id: ProposalId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Option<LocalizedText>, sqlx::Error> {
    if !plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::Coupon { .. }))
    {
        return Ok(None);
    }
    Ok(Some(match take(tx, id, now).await? {
        Some(coupon) => text(DONE_WITH_CODE, plan, &coupon),
        None => plan.localized_message(CODE_FOLLOWS),
    }))
}

/// Tells the shopper of a code that the platform has created meanwhile. Does nothing where there is none.
pub(super) async fn tell(
    tx: &mut Tx<Executor>,
    settled: &Settled<'_>,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let id = settled.id;
    let Some(coupon) = take(tx, id, now).await? else {
        return Ok(());
    };
    outcome::post_message(tx, settled, &text(CODE_IS_READY, plan, &coupon), now).await?;
    let mail = Mail::CouponReady { proposal: id };
    mail::queue(tx, &mail, "coupon_ready", &format!("coupon_ready:{id}"), now).await?;
    audit::append(tx, Entry::new(&Actor::system(), "coupon.given", ("proposal", id), now)).await
}
