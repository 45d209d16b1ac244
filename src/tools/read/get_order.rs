//! `get_order`: one order with its lines, parcels and payments.

use super::OrderNumber;
use crate::{
    identity::Shopper,
    language::TextKey,
    store::orders::{self, Order},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

pub struct GetOrder;

impl ReadTool for GetOrder {
    const CONTRACT: Contract = Contract::read(
        "get_order",
        "Looks up one of the shopper's orders by its number: status, items, tracking numbers, payments, delivery address.",
        "one of the shopper's orders",
        r##"{"order_number": "#W2611340"}"##,
        TextKey("activity-get-order"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = OrderNumber;
    type Answer = Order;

    async fn run(arguments: OrderNumber, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Order, ToolError> {
        orders::by_number(tx, &arguments.order_number)
            .await?
            .ok_or(ToolError::NotFound("order"))
    }
}
