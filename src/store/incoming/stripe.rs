//! What Stripe says: a refund that could not be paid out after all, a charge that somebody disputes.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::UpsertError;
use crate::{
    integrations::{
        incoming::{Event, Outcome},
        webhooks_out,
    },
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

pub(super) async fn apply(tx: &mut Tx<Executor>, event: &Event, now: DateTime<Utc>) -> Result<Outcome, UpsertError> {
    let object = &event.body["data"]["object"];
    match event.topic.as_str() {
        "refund.failed" => refund_failed(tx, event, object, now).await,
        "refund.updated" | "charge.refund.updated" if object["status"] == "failed" => {
            refund_failed(tx, event, object, now).await
        }
        "charge.dispute.created" => disputed(tx, event, object, now).await,
        _ => Ok(Outcome::Ignored("nothing here is about this topic")),
    }
}

/// The delivery that made the refund becomes one that staff must look at.
async fn refund_failed(
    tx: &mut Tx<Executor>,
    event: &Event,
    refund: &Value,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let Some(id) = refund["id"].as_str() else {
        return Ok(Outcome::Later("`data.object.id` is missing".into()));
    };
    let delivery = sqlx::query_scalar!(
        "UPDATE outbox SET state = 'dead', last_error = 'the provider could not pay the refund out' WHERE channel = 'payment' AND reference = $1 RETURNING id",
        id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(delivery) = delivery else {
        return Ok(Outcome::Ignored("this refund is not ours"));
    };
    let data = json!({ "delivery_id": delivery, "channel": "payment", "kind": "refund" });
    webhooks_out::announce(tx, "delivery.dead", &format!("refund_failed:{}", event.id), data, now).await?;
    let system = Actor::system();
    audit::append(tx, Entry::new(&system, "refund.failed", ("delivery", delivery), now)).await?;
    Ok(Outcome::Done)
}

async fn disputed(
    tx: &mut Tx<Executor>,
    event: &Event,
    dispute: &Value,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let short = |name: &str| {
        dispute[name]
            .as_str()
            .map(|text| text.chars().take(100).collect::<String>())
    };
    let data = json!({ "dispute": short("id"), "charge": short("charge"), "payment_intent": short("payment_intent") });
    webhooks_out::announce(
        tx,
        "dispute.created",
        &format!("dispute:{}", event.id),
        data.clone(),
        now,
    )
    .await?;
    let system = Actor::system();
    audit::append(
        tx,
        Entry::new(&system, "dispute.created", ("webhook", event.id), now).after(data),
    )
    .await?;
    Ok(Outcome::Done)
}
