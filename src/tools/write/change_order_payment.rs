//! `change_order_payment`: changes the payment method of a pending order.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{Ledger, WriteTool, method, methods, must_be, must_cover, must_promise_nothing, names, order, order_ref};
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::{LocalizedText, TextKey},
    store::orders::{OrderStatus, PaymentKind},
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct ChangeOrderPayment;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    payment_method_id: String,
}

impl WriteTool for ChangeOrderPayment {
    const CONTRACT: Contract = Contract {
        name: "change_order_payment",
        summary: "Asks to pay a pending order by another of the shopper's payment methods.",
        target: "one of the shopper's orders",
        example: r##"{"order_number": "#W1", "payment_method_id": "paypal_1530316"}"##,
        effect: Effect::MovesMoney,
        requires: &[
            "the order is pending and its items were not changed",
            "there is exactly one payment so far",
            "the method is another one of the shopper's",
            "a gift card covers the whole amount",
        ],
        may_retry: true,
        side_effects: &["a new payment and a refund of the old one", "a receipt by mail"],
        activity: TextKey("activity-change-order-payment"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        must_be(&order, OrderStatus::Pending, "pending")?;
        must_promise_nothing(&order)?;
        let [paid] = &order.payments[..] else {
            return Err(PlanError::rule("the payment of this order was changed before"));
        };
        if paid.kind != PaymentKind::Payment {
            return Err(PlanError::rule("this order has no payment to change"));
        }
        let methods = methods(tx, shopper).await?;
        let new = method(&methods, &arguments.payment_method_id)?;
        if new.id == paid.payment_method_id {
            return Err(PlanError::rule("the order is paid by that method already"));
        }
        must_cover(tx, (&order, shopper), new, paid.amount).await?;
        let mut ledger = Ledger::new(&methods);
        ledger.book(PaymentKind::Payment, paid.amount, &new.id)?;
        ledger.book(PaymentKind::Refund, paid.amount, &paid.payment_method_id)?;
        let names = names(&methods, &order.lines);
        let summary = LocalizedText::from_fn(|language| {
            let values = [
                ("number", order.number.as_str().into()),
                ("amount", paid.amount.in_language(language).into()),
                ("new", names.method(&new.id, language).into()),
                ("old", names.method(&paid.payment_method_id, language).into()),
            ];
            TextKey("plan-payment").with(language, &values)
        });
        Ok(Plan::with_names(
            summary,
            order_ref(&order),
            Some(paid.amount),
            ledger.into_changes(),
            &names,
        ))
    }
}
