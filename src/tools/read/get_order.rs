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
        "Looks up one of the shopper's orders by its number, or by the tracking number of a parcel of it: status, items, tracking numbers, payments, delivery address.",
        "one of the shopper's orders",
        r##"{"order_number": "#W2611340"}"##,
        TextKey("activity-get-order"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = OrderNumber;
    type Answer = Order;

    async fn run(arguments: OrderNumber, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Order, ToolError> {
        let asked = &arguments.order_number;
        if let Some(order) = orders::by_number(tx, asked).await? {
            return Ok(order);
        }
        let number = orders::number_by_tracking(tx, asked)
            .await?
            .ok_or(ToolError::NotFound("order"))?;
        orders::by_number(tx, &number)
            .await?
            .ok_or(ToolError::NotFound("order"))
    }
}
