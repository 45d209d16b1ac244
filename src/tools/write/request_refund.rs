//! `request_refund`: refunds money on an order, never more than was paid and not refunded yet.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::{Ledger, WriteTool, methods, names, order, order_ref, total, unrefunded, wording::spell};
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::{LocalizedText, TextKey},
    money::Money,
    store::orders::PaymentKind,
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct RequestRefund;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    order_number: String,
    /// Decimal text in the order's currency, such as 12.50.
    #[validate(length(min = 1, max = 20), custom(function = crate::text::single_line))]
    amount: String,
    #[validate(length(min = 1, max = 500), custom(function = crate::text::multi_line))]
    reason: String,
}

impl WriteTool for RequestRefund {
    const CONTRACT: Contract = Contract {
        name: "request_refund",
        summary: "Asks to refund an amount on one of the shopper's orders, to where it was paid from.",
        target: "the payments of one of the shopper's orders",
        example: r##"{"order_number": "#W1", "amount": "12.50", "reason": "arrived scratched"}"##,
        effect: Effect::MovesMoney,
        requires: &[
            "the amount is more than nothing",
            "the amount is at most what was paid less what was refunded and what returns under way will pay out",
        ],
        may_retry: true,
        side_effects: &["a refund", "a receipt by mail"],
        activity: TextKey("activity-request-refund"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let order = order(tx, &arguments.order_number).await?;
        let wanted = Money::parse(&arguments.amount, order.total.currency).map_err(|error| PlanError::Argument {
            field: "amount",
            reason: error.to_string(),
        })?;
        if wanted.minor <= 0 {
            return Err(PlanError::Argument {
                field: "amount",
                reason: "must be more than nothing".into(),
            });
        }
        let open = unrefunded(&order);
        let most = total(&open, order.total.currency);
        if wanted.minor > most.minor {
            return Err(PlanError::rule(format!(
                "at most {most} can still be refunded on this order"
            )));
        }
        let methods = methods(tx, shopper).await?;
        let mut ledger = Ledger::new(&methods);
        let (mut left, mut refunds) = (wanted.minor, Vec::new());
        for (method, paid) in open {
            let amount = Money::new(left.min(paid.minor), paid.currency);
            if amount.minor > 0 {
                ledger.book(PaymentKind::Refund, amount, &method)?;
                left -= amount.minor;
                refunds.push((method, amount));
            }
        }
        let names = names(&methods, &order.lines);
        let summary = LocalizedText::from_fn(|language| {
            let (number, amounts) = (order.number.as_str(), spell(&refunds, &names, language));
            TextKey("plan-refund").with(language, &[("number", number.into()), ("amounts", amounts.into())])
        });
        Ok(Plan::with_names(
            summary,
            order_ref(&order),
            Some(wanted),
            ledger.into_changes(),
            &names,
        ))
    }
}
