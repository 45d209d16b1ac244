//! Stripe's events: the results of charges, payment pages and refunds. Disputes have a file of their own.
//!
//! Events arrive late, repeatedly and in any order. The ledger's states make each count once.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{amount::StripeAmount, disputes};
use crate::{
    ids::MovementId,
    integrations::{
        event_source::{Event, Outcome},
        webhook_delivery,
    },
    ledger::{self, Direction, Elsewhere, Provider},
    money::Money,
    store::upsert::UpsertError,
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

const NOT_OURS: Outcome = Outcome::Ignored("no money that was asked for here");

pub(super) async fn apply(tx: &mut Tx<Executor>, event: &Event, now: DateTime<Utc>) -> Result<Outcome, UpsertError> {
    let object = &event.body["data"]["object"];
    match event.topic.as_str() {
        "payment_intent.succeeded" => paid(tx, object, (&object["amount_received"], &object["id"]), now).await,
        "payment_intent.payment_failed" | "payment_intent.canceled" => charge_failed(tx, object, now).await,
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            match object["payment_status"].as_str() {
                Some("paid") => paid(tx, object, (&object["amount_total"], &object["payment_intent"]), now).await,
                _ => Ok(Outcome::Ignored("the page was used and the money is not there yet")),
            }
        }
        "checkout.session.expired" | "checkout.session.async_payment_failed" => not_paid(tx, object, now).await,
        "refund.created" | "refund.updated" | "charge.refund.updated" | "refund.failed" => {
            match object["status"].as_str() {
                Some("succeeded") => refunded(tx, event, object, now).await,
                Some("failed" | "canceled") => refund_failed(tx, event, object, now).await,
                _ if event.topic == "refund.failed" => refund_failed(tx, event, object, now).await,
                _ => Ok(Outcome::Ignored("the refund is still on its way")),
            }
        }
        topic if topic.starts_with("charge.dispute.") => disputes::apply(tx, event, object, now).await,
        _ => Ok(Outcome::Ignored("nothing here is about this topic")),
    }
}

/// The movement that a Stripe object was created for.
fn movement(object: &Value) -> Option<MovementId> {
    object["metadata"]["movement"].as_str()?.parse().ok()
}

/// Money came in. Its amount and currency must be those that were requested: the proposal waits for no other.
async fn paid(
    tx: &mut Tx<Executor>,
    object: &Value,
    (amount, reference): (&Value, &Value),
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let Some(id) = movement(object) else {
        return Ok(NOT_OURS);
    };
    let Some(movement) = ledger::get(tx, id)
        .await?
        .filter(|found| found.direction == Direction::In)
    else {
        return Ok(NOT_OURS);
    };
    let paid = StripeAmount::read(amount, &object["currency"]);
    if paid.is_err() || paid != StripeAmount::try_from(movement.amount) {
        return Ok(Outcome::Later("another amount was paid than was asked for".into()));
    }
    match ledger::confirm(tx, id, reference.as_str(), now).await? {
        true => Ok(Outcome::Done),
        false if movement.reference.as_deref() == reference.as_str() => Ok(Outcome::Ignored("known already")),
        // The shopper paid twice: a person must refund it.
        false => Ok(Outcome::Later(
            "paid a second time: refund this payment at the provider".into(),
        )),
    }
}

/// A charge failed after it was accepted, as bank debits can. Failures of a charge that was replaced by a payment page are ignored.
async fn charge_failed(tx: &mut Tx<Executor>, intent: &Value, now: DateTime<Utc>) -> Result<Outcome, UpsertError> {
    let Some(id) = movement(intent) else {
        return Ok(NOT_OURS);
    };
    // Only a charge that was recorded as processing waits for this event; any other had its result when it was made.
    match ledger::get(tx, id).await? {
        Some(movement) if movement.reference.is_some() && movement.reference.as_deref() == intent["id"].as_str() => {
            not_paid(tx, intent, now).await
        }
        _ => Ok(Outcome::Ignored("the charge was answered when it was made")),
    }
}

async fn not_paid(tx: &mut Tx<Executor>, object: &Value, now: DateTime<Utc>) -> Result<Outcome, UpsertError> {
    let Some(id) = movement(object) else {
        return Ok(NOT_OURS);
    };
    match ledger::fail(tx, id, "the provider says that it was not paid", now).await? {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::Ignored("known already")),
    }
}

/// The movement that a refund belongs to, if it is one of ours. A refund of an earlier attempt, or with another reference than the
/// movement's, does not change the movement. One of a later attempt raises the movement to it: the database was restored since, or the
/// event came before the answer.
async fn ours(
    tx: &mut Tx<Executor>,
    refund: &Value,
    reference: &str,
    now: DateTime<Utc>,
) -> Result<Refund, UpsertError> {
    let Some(id) = movement(refund) else {
        return Ok(match ledger::by_reference(tx, Direction::Out, reference).await? {
            Some(id) => Refund::Ours(id),
            None => Refund::Elsewhere,
        });
    };
    let attempt: u16 = refund["metadata"]["attempt"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    ledger::reach_attempt(tx, id, (attempt, reference), now).await?;
    Ok(match ledger::get(tx, id).await? {
        None => Refund::Elsewhere,
        Some(known) if known.direction != Direction::Out || i32::from(attempt) < known.retries => Refund::Past,
        Some(known) if known.reference.as_ref().is_some_and(|known| known != reference) => Refund::Past,
        Some(known) => Refund::Ours(known.id),
    })
}

/// Where a refund comes from.
enum Refund {
    Ours(MovementId),
    /// An earlier attempt of ours, which was replaced by another.
    Past,
    /// Somebody made it directly at Stripe.
    Elsewhere,
}

/// Records a refund that somebody made at Stripe, of this amount.
async fn record_elsewhere(
    tx: &mut Tx<Executor>,
    refund: &Value,
    (amount, reference): (Money, &str),
    now: DateTime<Utc>,
) -> Result<Elsewhere, UpsertError> {
    if amount.minor > 0 {
        for payment in ["payment_intent", "charge"] {
            let Some(payment) = refund[payment].as_str() else {
                continue;
            };
            match ledger::record_refund_of(tx, payment, amount, (Provider::Stripe, reference), now).await? {
                Elsewhere::NoPayment => {}
                done => return Ok(done),
            }
        }
    }
    Ok(Elsewhere::NoPayment)
}

const OTHER_CURRENCY: &str = "the refund is in another currency than its payment";
const PAST: Outcome = Outcome::Ignored("another refund of the same money came after it");

/// Money went out: by a refund of ours, or by one that somebody made at Stripe.
async fn refunded(
    tx: &mut Tx<Executor>,
    event: &Event,
    refund: &Value,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let Some(reference) = refund["id"].as_str() else {
        return Ok(Outcome::Later("`data.object.id` is missing".into()));
    };
    match ours(tx, refund, reference, now).await? {
        Refund::Past => return Ok(PAST),
        Refund::Ours(id) => {
            return match ledger::confirm(tx, id, Some(reference), now).await? {
                true => Ok(Outcome::Done),
                false => Ok(Outcome::Ignored("known already")),
            };
        }
        Refund::Elsewhere => {}
    }
    let amount = match StripeAmount::read(&refund["amount"], &refund["currency"]).and_then(Money::try_from) {
        Ok(amount) => amount,
        Err(error) => return Ok(Outcome::Later(error.to_string())),
    };
    match record_elsewhere(tx, refund, (amount, reference), now).await? {
        Elsewhere::Recorded => {}
        Elsewhere::Matched => return Ok(Outcome::Done),
        Elsewhere::Known => return Ok(Outcome::Ignored("known already")),
        Elsewhere::NoPayment => return Ok(Outcome::Ignored("this refund is not ours")),
        Elsewhere::OtherCurrency => return Ok(Outcome::Later(OTHER_CURRENCY.into())),
    }
    let data = json!({ "amount_minor": amount.minor });
    let system = Actor::system();
    audit::append(
        tx,
        Entry::new(&system, "refund.made_elsewhere", ("webhook", event.id), now).after(data),
    )
    .await?;
    Ok(Outcome::Done)
}

/// The refund failed: the money can be paid out again, and staff must look at the delivery that requested it.
async fn refund_failed(
    tx: &mut Tx<Executor>,
    event: &Event,
    refund: &Value,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let Some(reference) = refund["id"].as_str() else {
        return Ok(Outcome::Later("`data.object.id` is missing".into()));
    };
    let reason = "the provider could not pay the refund out";
    let (failed, movement) = match ours(tx, refund, reference, now).await? {
        Refund::Past => return Ok(PAST),
        Refund::Ours(id) => {
            // With the reference stored, a success event that arrives later is recognised as older.
            ledger::note(tx, id, (Some(reference), None), now).await?;
            (ledger::fail(tx, id, reason, now).await?, Some(id))
        }
        Refund::Elsewhere => {
            // The event of its success may still be on its way. It is recorded as made and failed, so that the event is recognised then.
            let amount = StripeAmount::read(&refund["amount"], &refund["currency"]).and_then(Money::try_from);
            if let Ok(amount) = amount {
                record_elsewhere(tx, refund, (amount, reference), now).await?;
            }
            (ledger::fail_by_reference(tx, reference, reason, now).await?, None)
        }
    };
    let delivery = match movement {
        // The ledger has put the delivery before the staff, unless its sender has not come to an end: then the sender does.
        Some(id) if failed => sqlx::query_scalar!(
            "SELECT id FROM outbox WHERE tenant_id = $2 AND idempotency_key = 'refund:' || $1::text AND state = 'dead'",
            id.to_string(),
            tx.tenant_id().as_uuid()
        )
        .fetch_optional(&mut **tx)
        .await?,
        Some(_) => None,
        // A delivery whose movement is not known here is found by what Stripe calls its refund.
        None => {
            sqlx::query_scalar!(
                "UPDATE outbox SET state = 'dead', last_error = 'the provider could not pay the refund out'
                WHERE tenant_id = $2 AND channel = 'payment' AND reference = $1 AND state = 'done' RETURNING id",
                reference,
                tx.tenant_id().as_uuid()
            )
            .fetch_optional(&mut **tx)
            .await?
        }
    };
    let Some(delivery) = delivery else {
        return Ok(match failed {
            true => Outcome::Done,
            false => Outcome::Ignored("known already, or not ours"),
        });
    };
    let data = json!({ "delivery_id": delivery, "channel": "payment", "kind": "refund" });
    webhook_delivery::announce(tx, "delivery.dead", &format!("refund_failed:{}", event.id), data, now).await?;
    let system = Actor::system();
    audit::append(tx, Entry::new(&system, "refund.failed", ("delivery", delivery), now)).await?;
    Ok(Outcome::Done)
}
