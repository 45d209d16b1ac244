//! The follow-up of a proposal's changes in other systems: payouts, the shop's platform, the CRM, the store's webhooks.

use chrono::{DateTime, Utc};

use super::Plan;
use crate::{
    integrations::{
        crm,
        payments::{self, Purpose},
        platform::Ability,
        platform_effects::{self, Effect},
        webhook_delivery,
    },
    store::{
        changes::{Change, ChangeError, Target},
        orders::{OrderStatus, PaymentKind},
    },
    tenancy::{self, Tx},
};

/// Queues the follow-up in other systems: refunds at the payment provider, a note in the CRM, a call to a person of the staff.
pub(super) async fn queue_follow_ups(
    tx: &mut Tx<tenancy::Executor>,
    target: &Target,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), ChangeError> {
    for (position, change) in plan.changes.iter().enumerate() {
        match (change, target.order) {
            (
                Change::Payment {
                    kind: PaymentKind::Refund,
                    amount,
                    payment_method_id,
                },
                Some((order, _)),
            ) => {
                let purpose = Purpose {
                    shopper: target.shopper,
                    order,
                    proposal: target.proposal,
                };
                payments::pay_out(tx, purpose, (payment_method_id, *amount), now).await?;
            }
            (Change::Status { to, .. }, Some((order, _))) => {
                if let Some(effect) = effect_of_status(*to) {
                    platform_effects::queue(tx, (target.proposal, position), order, effect, now).await?;
                }
            }
            (Change::Lines { .. }, Some((order, _))) => {
                platform_effects::queue(tx, (target.proposal, position), order, Effect::Items, now).await?;
            }
            (Change::OrderAddress { .. }, Some((order, _))) => {
                platform_effects::queue(tx, (target.proposal, position), order, Effect::Address, now).await?;
            }
            (Change::Coupon { .. }, _) => platform_effects::queue_coupon(tx, target.proposal, now).await?,
            (Change::CrmNote { .. }, _) => crm::queue_note(tx, target.proposal, now).await?,
            (Change::HandOff { .. }, _) => {
                let data = serde_json::json!({ "proposal_id": target.proposal });
                let key = format!("handed_off:{}", target.proposal);
                webhook_delivery::announce(tx, "conversation.handed_off", &key, data, now).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a platform must be able to do for a change; none where each can.
pub(super) fn ability_for(change: &Change) -> Option<Ability> {
    match change {
        Change::Lines { .. } => Some(Ability::ItemChanges),
        Change::Return { .. } | Change::Exchange { .. } => Some(Ability::Returns),
        _ => None,
    }
}

/// What the money of an order's proposal is moved for; none where there is no order.
pub(super) fn purpose(target: &Target) -> Option<Purpose> {
    target.order.map(|(order, _)| Purpose {
        shopper: target.shopper,
        order,
        proposal: target.proposal,
    })
}

/// What is done at the shop's platform that follows an order's new status.
fn effect_of_status(status: OrderStatus) -> Option<Effect> {
    match status {
        OrderStatus::Cancelled => Some(Effect::Cancel),
        OrderStatus::ReturnRequested | OrderStatus::ExchangeRequested => Some(Effect::Return),
        _ => None,
    }
}
