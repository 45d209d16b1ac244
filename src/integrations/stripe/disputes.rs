//! Disputes (chargebacks): a bank takes a payment back. The ledger has it as money out, so that nothing is paid out twice: requested when the
//! dispute is opened, confirmed when the money is withdrawn or the dispute is lost, failed when the store gets it back.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::amount::{AmountError, StripeAmount};
use crate::{
    integrations::{
        event_source::{Event, Outcome},
        webhook_delivery,
    },
    ledger::{self, Elsewhere},
    money::Money,
    store::upsert::UpsertError,
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

/// What an event says of the disputed money.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A bank asks, and takes nothing yet.
    Asked,
    Open,
    Withdrawn,
    Reinstated,
}

fn standing(topic: &str, status: &str) -> Standing {
    match (topic, status) {
        ("charge.dispute.funds_withdrawn", _) => Standing::Withdrawn,
        ("charge.dispute.funds_reinstated", _) | (_, "won" | "prevented" | "warning_closed") => Standing::Reinstated,
        (_, "lost") => Standing::Withdrawn,
        (_, status) if status.starts_with("warning_") => Standing::Asked,
        _ => Standing::Open,
    }
}

pub(super) async fn apply(
    tx: &mut Tx<Executor>,
    event: &Event,
    dispute: &Value,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let standing = standing(&event.topic, dispute["status"].as_str().unwrap_or_default());
    if standing != Standing::Asked
        && let Some(later) = book(tx, dispute, standing, now).await?
    {
        return Ok(Outcome::Later(later));
    }
    let action = match (event.topic.as_str(), standing) {
        ("charge.dispute.created", _) => "dispute.created",
        (_, Standing::Withdrawn) => "dispute.withdrawn",
        (_, Standing::Reinstated) => "dispute.reinstated",
        (_, Standing::Asked | Standing::Open) => return Ok(Outcome::Done),
    };
    let short = |name: &str| {
        dispute[name]
            .as_str()
            .map(|text| text.chars().take(100).collect::<String>())
    };
    let data = json!({ "dispute": short("id"), "charge": short("charge"), "payment_intent": short("payment_intent") });
    if action == "dispute.created" {
        webhook_delivery::announce(tx, action, &format!("dispute:{}", event.id), data.clone(), now).await?;
    }
    let system = Actor::system();
    audit::append(tx, Entry::new(&system, action, ("webhook", event.id), now).after(data)).await?;
    Ok(Outcome::Done)
}

/// Books the disputed money, as much of it as has not gone out otherwise. Says why it cannot be booked yet. A dispute of a payment that
/// nobody told us of is of no order here.
async fn book(
    tx: &mut Tx<Executor>,
    dispute: &Value,
    standing: Standing,
    now: DateTime<Utc>,
) -> Result<Option<String>, UpsertError> {
    let Some(reference) = dispute["id"].as_str() else {
        return Ok(Some("`data.object.id` is missing".into()));
    };
    let amount = match StripeAmount::read(&dispute["amount"], &dispute["currency"]).and_then(Money::try_from) {
        Ok(amount) => amount,
        // The store is told of it, and there is nothing to book.
        Err(AmountError::Missing) => return Ok(None),
        Err(error) => return Ok(Some(error.to_string())),
    };
    for payment in ["payment_intent", "charge"] {
        let Some(payment) = dispute[payment].as_str() else {
            continue;
        };
        match ledger::record_dispute_of(tx, payment, amount, reference, now).await? {
            Elsewhere::NoPayment => {}
            Elsewhere::OtherCurrency => {
                return Ok(Some("the dispute is in another currency than its payment".into()));
            }
            Elsewhere::Recorded | Elsewhere::Matched | Elsewhere::Known => break,
        }
    }
    match standing {
        Standing::Withdrawn => ledger::confirm_by_reference(tx, reference, now).await?,
        Standing::Reinstated => {
            let reason = "the dispute was decided for the store";
            ledger::fail_by_reference(tx, reference, reason, now).await?
        }
        Standing::Asked | Standing::Open => false,
    };
    Ok(None)
}
