//! `change_order_address`: changes the delivery address of a pending order.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{WriteTool, must_be, order, order_ref};
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::TextKey,
    store::{Address, changes::Change, orders::OrderStatus},
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct ChangeOrderAddress;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    #[validate(nested)]
    address: Address,
}

impl WriteTool for ChangeOrderAddress {
    const CONTRACT: Contract = Contract {
        name: "change_order_address",
        summary: "Asks to send a pending order to another address.",
        target: "one of the shopper's orders",
        example: r##"{"order_number": "#W1", "address": {"address1": "4 Quay Street", "address2": "", "city": "Portland", "state": "ME", "zip": "04101", "country": "USA"}}"##,
        effect: Effect::ChangesStore,
        requires: &["the order is pending and its items were not changed"],
        may_retry: true,
        side_effects: &["a receipt by mail"],
        activity: TextKey("activity-change-order-address"),
    };
    const POLICY: Policy = Policy::new(Mode::Shopper);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, _: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        must_be(&order, OrderStatus::Pending, "pending")?;
        if order.address == arguments.address {
            return Err(PlanError::rule("the order goes to that address already"));
        }
        let (number, to) = (&order.number, arguments.address.in_short());
        let values = [("number", number.as_str().into()), ("address", to.as_str().into())];
        let summary = TextKey("plan-order-address").everywhere_with(&values);
        let change = Change::OrderAddress {
            from: order.address.clone(),
            to: arguments.address.clone(),
        };
        Ok(Plan::new(summary, order_ref(&order), None, vec![change]))
    }
}
