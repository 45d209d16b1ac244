//! `exchange_items`: units of a delivered order come back and others are sent.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{
    ItemChange, WriteTool, method, methods, must_be_paid, must_be_sent, must_cover, names, order, order_ref, swap,
    swaps, wording::swapped,
};
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::TextKey,
    money::Money,
    store::{changes::Change, orders::OrderStatus},
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct ExchangeItems;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    /// One entry for each unit.
    #[validate(nested, length(min = 1, max = 50))]
    changes: Vec<ItemChange>,
    /// The payment method that pays, or gets, the difference in price when the items are back.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    payment_method_id: String,
}

impl WriteTool for ExchangeItems {
    const CONTRACT: Contract = Contract {
        name: "exchange_items",
        summary: "Asks to exchange items of a delivered order for other available variants of the same products.",
        target: "one of the shopper's orders",
        example: r##"{"order_number": "#W1", "changes": [{"item_id": "8214883393", "new_item_id": "2880340443"}], "payment_method_id": "paypal_1530316"}"##,
        effect: Effect::MovesMoney,
        requires: &[
            "the order is delivered",
            "its payments were not all refunded",
            "each new item is an available variant of the same product",
            "a gift card covers the difference",
        ],
        may_retry: true,
        side_effects: &["instructions by mail"],
        activity: TextKey("activity-exchange-items"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        must_be_sent(&order)?;
        let (lines, difference, goods) = swap(tx, &order, &arguments.changes).await?;
        must_be_paid(&order)?;
        let methods = methods(tx, shopper).await?;
        let method = method(&methods, &arguments.payment_method_id)?;
        must_cover(tx, (&order, shopper), method, difference).await?;
        let changes = vec![
            Change::Status {
                from: order.status,
                to: OrderStatus::ExchangeRequested,
            },
            Change::Exchange {
                swaps: swaps(&arguments.changes),
                difference,
                payment_method_id: method.id.clone(),
            },
        ];
        let names = names(&methods, order.lines.iter().chain(&lines));
        let summary = swapped(
            TextKey("plan-exchange"),
            &order,
            &arguments.changes,
            (difference, &method.id),
            &names,
        );
        let amount = Some(Money::new(difference.minor.abs(), difference.currency));
        Ok(Plan::with_names(summary, order_ref(&order), amount, changes, &names).sending(goods))
    }
}
