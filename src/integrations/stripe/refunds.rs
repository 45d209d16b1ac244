//! Refunds of payments, to where they came from.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    amount::StripeAmount,
    call::{Call, Failure, IDEMPOTENCY_KEY_TTL, later, refuse},
};
use crate::{
    jobs::outbox::{ClaimedDelivery, Sent},
    ledger::{self, LedgerError, Movement, MovementState},
};

/// Refunds money to the payment that it came from.
pub(super) async fn refund(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let mut retries = movement.retries;
    match movement.state {
        MovementState::Confirmed => return Ok(Sent::Done(movement.reference.clone())),
        // Staff try it again. Its share of the order's money was released when it failed.
        MovementState::Failed => match ledger::retry_out(&mut claimed.tx, movement.id, now).await {
            Ok(_) => retries += 1,
            Err(LedgerError::Database(error)) => return Err(error),
            Err(_) => return Ok(Sent::Never("the money has gone out otherwise".into())),
        },
        MovementState::Requested => {}
    }
    let Some(payment) = &movement.source_reference else {
        return Ok(Sent::Never("the payment has no name at the provider".into()));
    };
    let kind = if payment.starts_with("ch_") {
        "charge"
    } else {
        "payment_intent"
    };
    let id = movement.id.to_string();
    if now - movement.requested_since > IDEMPOTENCY_KEY_TTL {
        let listed = match call.get("/v1/refunds", &[(kind, payment), ("limit", "100")]).await {
            Ok(listed) => listed,
            Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => return Ok(sent),
        };
        let known = listed["data"].as_array().into_iter().flatten().find(|refund| {
            refund["metadata"]["movement"] == id.as_str()
                && !matches!(refund["status"].as_str(), Some("failed" | "canceled"))
        });
        if let Some(known) = known {
            return refunded(claimed, movement, known, now).await;
        }
    }
    let (amount, _) = match StripeAmount::try_from(movement.amount) {
        Ok(amount) => amount.parameters(),
        Err(error) => return refuse(claimed, movement, &error.to_string(), now).await,
    };
    let attempt = retries.to_string();
    let proposal = movement.proposal.map(|id| id.to_string()).unwrap_or_default();
    let form = [
        (kind, payment.as_str()),
        ("amount", &amount),
        ("metadata[movement]", &id),
        ("metadata[attempt]", &attempt),
        ("metadata[proposal]", &proposal),
    ];
    // A retry after a final failure is a new refund and needs a new key.
    let key = match retries {
        0 => claimed.key.clone(),
        retries => format!("{}:{retries}", claimed.key),
    };
    match call.post("/v1/refunds", &key, &form).await {
        Ok(refund) => refunded(claimed, movement, &refund, now).await,
        Err(Failure::Sent(sent @ Sent::Never(_)) | Failure::Declined(sent, _)) => {
            ledger::fail(&mut claimed.tx, movement.id, "the provider refused the refund", now).await?;
            Ok(sent)
        }
        Err(Failure::Sent(sent)) => Ok(sent),
    }
}

async fn refunded(
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    refund: &Value,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Some(reference) = refund["id"].as_str() else {
        return Ok(later("the answer cannot be read"));
    };
    let amount = StripeAmount::read(&refund["amount"], &refund["currency"]);
    if amount.is_err() || amount != StripeAmount::try_from(movement.amount) {
        return Ok(Sent::Never(
            "the provider refunded another amount than was asked for".into(),
        ));
    }
    match refund["status"].as_str() {
        Some("failed" | "canceled") => {
            ledger::fail(
                &mut claimed.tx,
                movement.id,
                "the provider could not pay the refund out",
                now,
            )
            .await?;
            return Ok(Sent::Never("the provider could not pay the refund out".into()));
        }
        // A webhook reports the result.
        Some("pending" | "requires_action") => {
            ledger::note(&mut claimed.tx, movement.id, (Some(reference), None), now).await?;
        }
        _ => {
            ledger::confirm(&mut claimed.tx, movement.id, Some(reference), now).await?;
        }
    }
    // The event that it failed may have come before this answer. The ledger's lock is held since, so that a later one finds the delivery.
    match ledger::get(&mut claimed.tx, movement.id).await?.map(|now| now.state) {
        Some(MovementState::Failed) => Ok(Sent::Never("the provider could not pay the refund out".into())),
        _ => Ok(Sent::Done(Some(reference.to_owned()))),
    }
}
