//! `return_items`: units of a delivered order are sent back for a refund.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    WriteTool, method, methods, must_be_paid, must_be_sent, names, order, order_ref, total, unit_cost, unit_of,
    units_left, unrefunded, wording::goods,
};
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::{LocalizedText, TextKey},
    money::Money,
    store::{changes::Change, orders::OrderStatus},
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct ReturnItems;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    /// One entry for each unit.
    #[validate(length(min = 1, max = 50), custom(function = crate::text::single_lines))]
    item_ids: Vec<String>,
    /// The payment method that gets the refund when the items are back: the original one, or a gift card of the shopper's.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    payment_method_id: String,
}

impl WriteTool for ReturnItems {
    const CONTRACT: Contract = Contract {
        name: "return_items",
        summary: "Asks to return items of a delivered order.",
        target: "one of the shopper's orders",
        example: r##"{"order_number": "#W1", "item_ids": ["8214883393"], "payment_method_id": "paypal_1530316"}"##,
        effect: Effect::MovesMoney,
        requires: &[
            "the order is delivered",
            "the items are in the order",
            "its payments were not all refunded",
            "the refund goes to the original method or a gift card of the shopper's",
        ],
        may_retry: true,
        side_effects: &["instructions by mail"],
        activity: TextKey("activity-return-items"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        must_be_sent(&order)?;
        let mut left = units_left(tx, &order).await?;
        let mut worth = Money::new(0, order.total.currency);
        for item in &arguments.item_ids {
            let at = unit_of(&order.lines, &left, item).ok_or(PlanError::NotFound("item in this order"))?;
            worth = worth
                .checked_add(unit_cost(&order.lines[at], left[at]))
                .map_err(|error| PlanError::rule(error.to_string()))?;
            left[at] -= 1;
        }
        must_be_paid(&order)?;
        let methods = methods(tx, shopper).await?;
        let method = method(&methods, &arguments.payment_method_id)?;
        let original = order
            .payments
            .iter()
            .any(|payment| payment.payment_method_id == method.id);
        if !original && method.balance.is_none() {
            return Err(PlanError::rule(
                "a refund goes to the original payment method or to a gift card",
            ));
        }
        // What was refunded already is not refunded again.
        let refund = Money::new(
            worth.minor.min(total(&unrefunded(&order), worth.currency).minor),
            worth.currency,
        );
        if refund.minor == 0 {
            return Err(PlanError::rule(
                "no payment of this order is known that could be refunded",
            ));
        }
        let changes = vec![
            Change::Status {
                from: order.status,
                to: OrderStatus::ReturnRequested,
            },
            Change::Return {
                item_ids: arguments.item_ids.clone(),
                amount: refund,
                payment_method_id: method.id.clone(),
            },
        ];
        let message = match refund == worth {
            true => TextKey("plan-return"),
            false => TextKey("plan-return-rest"),
        };
        let names = names(&methods, &order.lines);
        let summary = LocalizedText::from_fn(|language| {
            let values = [
                ("goods", goods(&order.lines, &arguments.item_ids, language).into()),
                ("number", order.number.as_str().into()),
                ("worth", worth.in_language(language).into()),
                ("refund", refund.in_language(language).into()),
                ("method", names.method(&method.id, language).into()),
            ];
            message.with(language, &values)
        });
        Ok(Plan::with_names(
            summary,
            order_ref(&order),
            Some(refund),
            changes,
            &names,
        ))
    }
}
