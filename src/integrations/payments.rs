//! Moves money: each movement of the ledger is handed to a provider that can move it, and confirmed or failed by the provider's answer.
//!
//! Stripe and the shop's platform are called through the outbox. The demo's provider confirms at once and moves no real money. What no
//! provider can move is a task for the store's staff.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    credentials::Kind,
    platform_effects,
    stripe::{amount::StripeAmount, api::Queued},
    webhook_delivery,
};
use crate::{
    ids::{MovementId, OrderId, ProposalId, ShopperId},
    jobs::outbox::{self, Channel},
    ledger::{self, Direction, LedgerError, Movement, Provider},
    money::{Currency, Money},
    tenancy::{Executor, Tx},
};

/// What a proposal moves money for.
#[derive(Clone, Copy)]
pub struct Purpose {
    pub shopper: ShopperId,
    pub order: OrderId,
    pub proposal: ProposalId,
}

/// Requests money from a payment method. Returns who was asked; with [`Provider::Demo`] the money is held already.
pub async fn collect(
    tx: &mut Tx<Executor>,
    purpose: Purpose,
    (method, amount): (&str, Money),
    now: DateTime<Utc>,
) -> Result<Provider, LedgerError> {
    let (order, direction) = (purpose.order, Direction::In);
    let (method, provider) = ledger::provider_for(tx, purpose.shopper, (order, method), (direction, amount), false)
        .await?
        .ok_or(LedgerError::NotCovered)?;
    let provider = able(provider, amount);
    let movement = ledger::request_in(tx, (order, method), amount, provider, purpose.proposal, now).await?;
    match provider {
        Provider::Stripe => {
            let kind = match ledger::get(tx, movement).await? {
                Some(movement) if movement.method_reference.is_some() => "charge",
                _ => "payment_link",
            };
            let key = format!("{kind}:{movement}");
            outbox::queue(tx, Channel::Payment, kind, &key, json!(Queued { movement }), now).await?;
        }
        Provider::Demo => confirm_in_demo(tx, movement, now).await?,
        Provider::Staff | Provider::Platform | Provider::Store => {
            call_staff(tx, movement, purpose.proposal, now).await?;
        }
    }
    Ok(provider)
}

/// Requests a payout to a payment method.
pub async fn pay_out(
    tx: &mut Tx<Executor>,
    purpose: Purpose,
    (method, amount): (&str, Money),
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    let (order, direction) = (purpose.order, Direction::Out);
    let at_platform = platform_effects::knows(tx, order).await?;
    let (method, provider) =
        ledger::provider_for(tx, purpose.shopper, (order, method), (direction, amount), at_platform)
            .await?
            .ok_or(LedgerError::NotCovered)?;
    let provider = able(provider, amount);
    for movement in ledger::request_out(tx, (order, method), amount, provider, purpose.proposal, now).await? {
        hand_over(tx, movement, now).await?;
    }
    Ok(())
}

/// Gives back what came in for a proposal whose change is not made. Does nothing when nothing came in.
pub async fn give_back(tx: &mut Tx<Executor>, proposal: ProposalId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    for movement in ledger::give_back(tx, proposal, now).await? {
        hand_over(tx, movement, now).await?;
    }
    Ok(())
}

/// Stripe cannot express each amount, such as a hundredth of an ariary: then people move the money.
fn able(provider: Provider, amount: Money) -> Provider {
    match provider {
        Provider::Stripe if StripeAmount::try_from(amount).is_err() => Provider::Staff,
        provider => provider,
    }
}

/// Why a provider with credentials of this kind cannot move the money of a store with this currency. None when it can.
pub fn refused_currency(kind: Kind, currency: Currency) -> Option<String> {
    let nothing = Money::new(0, currency);
    match kind {
        Kind::Stripe => StripeAmount::try_from(nothing).err().map(|error| error.to_string()),
        _ => None,
    }
}

/// Hands a payout to its provider.
async fn hand_over(tx: &mut Tx<Executor>, id: MovementId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let Some(movement) = ledger::get(tx, id).await? else {
        return Ok(());
    };
    match movement.provider {
        Provider::Stripe => {
            let key = format!("refund:{id}");
            outbox::queue(
                tx,
                Channel::Payment,
                "refund",
                &key,
                json!(Queued { movement: id }),
                now,
            )
            .await?;
        }
        Provider::Platform => platform_effects::queue_refund(tx, movement.order, id, now).await?,
        Provider::Demo => confirm_in_demo(tx, id, now).await?,
        Provider::Staff | Provider::Store => {
            if let Movement {
                proposal: Some(proposal),
                ..
            } = movement
            {
                call_staff(tx, id, proposal, now).await?;
            }
        }
    }
    Ok(())
}

/// The demo's provider: it confirms every movement and moves no real money.
async fn confirm_in_demo(tx: &mut Tx<Executor>, movement: MovementId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let reference = format!("demo_{movement}");
    ledger::confirm(tx, movement, Some(&reference), now).await.map(drop)
}

/// Tells the store's systems that a person must move money. The console lists the task.
async fn call_staff(
    tx: &mut Tx<Executor>,
    movement: MovementId,
    proposal: ProposalId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let data = json!({ "payment_id": movement, "proposal_id": proposal });
    webhook_delivery::announce(tx, "payment.requested", &format!("payment:{movement}"), data, now).await
}
