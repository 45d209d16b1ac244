//! `cancel_order`: cancels a pending order and refunds every payment to where it came from.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    Ledger, WriteTool, methods, must_be, must_promise_nothing, names, order, order_ref, total, unrefunded,
    wording::spell,
};
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::{LocalizedText, TextKey},
    store::{
        changes::Change,
        orders::{OrderStatus, PaymentKind},
    },
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct CancelOrder;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    reason: Reason,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reason {
    NoLongerNeeded,
    OrderedByMistake,
}

impl WriteTool for CancelOrder {
    const CONTRACT: Contract = Contract {
        name: "cancel_order",
        summary: "Asks to cancel a pending order and refund every payment to where it came from.",
        target: "one of the shopper's orders",
        example: r##"{"order_number": "#W5442520", "reason": "no_longer_needed"}"##,
        effect: Effect::MovesMoney,
        requires: &[
            "the order is pending and its items were not changed",
            "no return or exchange of it is under way",
        ],
        may_retry: true,
        side_effects: &["a refund to each payment method", "a receipt by mail"],
        activity: TextKey("activity-cancel-order"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        must_be(&order, OrderStatus::Pending, "pending")?;
        must_promise_nothing(&order)?;
        let refunds = unrefunded(&order);
        let methods = methods(tx, shopper).await?;
        let mut ledger = Ledger::new(&methods);
        for (method, amount) in &refunds {
            ledger.book(PaymentKind::Refund, *amount, method)?;
        }
        let mut changes = vec![Change::Status {
            from: order.status,
            to: OrderStatus::Cancelled,
        }];
        changes.extend(ledger.into_changes());
        let message = match &refunds[..] {
            [] => TextKey("plan-cancel-unpaid"),
            _ => TextKey("plan-cancel"),
        };
        let names = names(&methods, &order.lines);
        let summary = LocalizedText::from_fn(|language| {
            let (number, amounts) = (order.number.as_str(), spell(&refunds, &names, language));
            message.with(language, &[("number", number.into()), ("amounts", amounts.into())])
        });
        Ok(Plan::with_names(
            summary,
            order_ref(&order),
            Some(total(&refunds, order.total.currency)),
            changes,
            &names,
        ))
    }
}
