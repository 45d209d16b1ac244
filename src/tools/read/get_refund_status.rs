//! `get_refund_status`: what has been refunded on an order.

use serde::Serialize;

use super::OrderNumber;
use crate::{
    identity::Shopper,
    language::TextKey,
    money::Money,
    store::orders::{self, OrderStatus, Payment, PaymentKind},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

pub struct GetRefundStatus;

#[derive(Serialize)]
pub struct Answer {
    order_number: String,
    order_status: OrderStatus,
    paid: Money,
    refunded: Money,
    refunds: Vec<Payment>,
}

impl ReadTool for GetRefundStatus {
    const CONTRACT: Contract = Contract::read(
        "get_refund_status",
        "Tells what was paid and what has been refunded on one of the shopper's orders, and to which payment method.",
        "the payments of one of the shopper's orders",
        r##"{"order_number": "#W2611340"}"##,
        TextKey("activity-get-refund-status"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = OrderNumber;
    type Answer = Answer;

    async fn run(arguments: OrderNumber, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Answer, ToolError> {
        let order = orders::by_number(tx, &arguments.order_number)
            .await?
            .ok_or(ToolError::NotFound("order"))?;
        let sum = |kind| {
            let minor = order
                .payments
                .iter()
                .filter(|payment| payment.kind == kind)
                .map(|payment| payment.amount.minor)
                .sum();
            Money::new(minor, order.total.currency)
        };
        let (paid, refunded) = (sum(PaymentKind::Payment), sum(PaymentKind::Refund));
        let refunds = order
            .payments
            .into_iter()
            .filter(|payment| payment.kind == PaymentKind::Refund)
            .collect();
        Ok(Answer {
            order_number: order.number,
            order_status: order.status,
            paid,
            refunded,
            refunds,
        })
    }
}
