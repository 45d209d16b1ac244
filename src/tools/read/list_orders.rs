//! `list_orders`: the shopper's orders.

use serde::Serialize;

use super::NoArguments;
use crate::{
    identity::Shopper,
    language::TextKey,
    store::orders::{self, OrderSummary},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

/// The most orders that one answer lists, so that it fits into a prompt.
const MAX_RESULTS: u32 = 20;

pub struct ListOrders;

#[derive(Serialize)]
pub struct Answer {
    orders: Vec<OrderSummary>,
}

impl ReadTool for ListOrders {
    const CONTRACT: Contract = Contract::read(
        "list_orders",
        "Lists the shopper's most recent orders with status, total and item names.",
        "the shopper's orders",
        "{}",
        TextKey("activity-list-orders"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = NoArguments;
    type Answer = Answer;

    async fn run(_: NoArguments, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Answer, ToolError> {
        Ok(Answer {
            orders: orders::list(tx, MAX_RESULTS, None).await?,
        })
    }
}
