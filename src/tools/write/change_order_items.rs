//! `change_order_items`: changes units of a pending order into other variants, once.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    ItemChange, Ledger, WriteTool, book_difference, method, methods, must_be, must_be_paid, must_cover, names, order,
    order_ref, swap, wording::swapped,
};
use crate::{
    approvals::{
        Plan, PlanError, executed_for,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::TextKey,
    money::Money,
    store::{changes::Change, orders::OrderStatus},
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct ChangeOrderItems;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    /// One entry for each unit.
    #[validate(nested, length(min = 1, max = 50))]
    changes: Vec<ItemChange>,
    /// The payment method that pays, or gets, the difference in price.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    payment_method_id: String,
}

impl WriteTool for ChangeOrderItems {
    const CONTRACT: Contract = Contract {
        name: "change_order_items",
        summary: "Asks to change items of a pending order to other available variants of the same products. Possible once.",
        target: "one of the shopper's orders",
        example: r##"{"order_number": "#W1", "changes": [{"item_id": "8214883393", "new_item_id": "2880340443"}], "payment_method_id": "paypal_1530316"}"##,
        effect: Effect::MovesMoney,
        requires: &[
            "the order is pending and its items were not changed before",
            "its payments were not all refunded",
            "each new item is an available variant of the same product",
            "a gift card covers the difference",
        ],
        may_retry: true,
        side_effects: &["a payment or a refund of the difference", "a receipt by mail"],
        activity: TextKey("activity-change-order-items"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        must_be(&order, OrderStatus::Pending, "pending")?;
        if executed_for(tx, Self::CONTRACT.name, order.id).await? {
            return Err(PlanError::rule(
                "the items of this order were changed before, which is possible once",
            ));
        }
        let (lines, difference, goods) = swap(tx, &order, &arguments.changes).await?;
        must_be_paid(&order)?;
        let methods = methods(tx, shopper).await?;
        let method = method(&methods, &arguments.payment_method_id)?;
        must_cover(tx, (&order, shopper), method, difference).await?;
        let mut ledger = Ledger::new(&methods);
        book_difference(&mut ledger, difference, &method.id)?;
        let names = names(&methods, order.lines.iter().chain(&lines));
        let mut changes = vec![
            Change::Status {
                from: order.status,
                to: OrderStatus::PendingItemsModified,
            },
            Change::Lines {
                from: order.lines.clone(),
                to: lines,
            },
        ];
        changes.extend(ledger.into_changes());
        let summary = swapped(
            TextKey("plan-change-items"),
            &order,
            &arguments.changes,
            (difference, &method.id),
            &names,
        );
        let amount = Some(Money::new(difference.minor.abs(), difference.currency));
        Ok(Plan::with_names(summary, order_ref(&order), amount, changes, &names).sending(goods))
    }
}
