//! What an outbox row asks of Stripe: a charge, a payment page or a refund. Each request has an idempotency key, so that a movement happens
//! only once.
//!
//! Stripe forgets a key after 24 hours. Before a movement that old is requested again, Stripe is asked whether it knows the movement. A
//! movement's id, and so its key, is the same when a restored database executes its proposal again (`movement_id` in the migrations).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(in crate::integrations) use super::call::Api;
use super::{
    call::Call,
    charges::{charge, payment_link},
    refunds::refund,
};
use crate::{
    ids::MovementId,
    integrations::credentials::{self, Kind},
    jobs::outbox::{ClaimedDelivery, Sent},
    keyring::Keyring,
    ledger::{self, Direction},
};

/// The payload of an outbox row: everything else is in the ledger.
#[derive(Serialize, Deserialize)]
pub(in crate::integrations) struct Queued {
    pub movement: MovementId,
}

/// Does what an outbox row asks for, and records the result in the ledger.
pub(in crate::integrations) async fn send(
    api: Api<'_>,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Queued { movement } = match claimed.read() {
        Ok(queued) => queued,
        Err(unreadable) => return Ok(unreadable),
    };
    let Some(movement) = ledger::get(&mut claimed.tx, movement).await? else {
        return Ok(Sent::Dropped("there is no such movement"));
    };
    let credential = credentials::of(&mut claimed.tx, keyring, Kind::Stripe)
        .await?
        .into_iter()
        .next();
    let Some(credential) = credential else {
        return Ok(Sent::Retry {
            error: "there is no Stripe key any more".into(),
            not_before: None,
        });
    };
    let call = Call {
        api: &api,
        secret: credential.secret,
    };
    match (claimed.kind.as_str(), movement.direction) {
        ("charge", Direction::In) => charge(&call, claimed, &movement, now).await,
        ("payment_link", Direction::In) => payment_link(&call, claimed, &movement, now).await,
        ("refund", Direction::Out) => refund(&call, claimed, &movement, now).await,
        _ => Ok(Sent::Never(
            "the row asks for another movement than the ledger has".into(),
        )),
    }
}
