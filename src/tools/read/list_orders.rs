//! `list_orders`: what the shopper has ordered.

use serde::Serialize;

use super::Nothing;
use crate::{
    identity::Shopper,
    language::TextKey,
    store::orders::{self, OrderSummary},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

/// The most orders one answer lists: what fits a prompt.
const MOST: u32 = 20;

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
    type Arguments = Nothing;
    type Answer = Answer;

    async fn run(_: Nothing, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Answer, ToolError> {
        Ok(Answer {
            orders: orders::list(tx, MOST, None).await?,
        })
    }
}
