//! `create_coupon`: creates a coupon for this shopper, once.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::WriteTool;
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    integrations::{platform::Ability, platform_effects},
    language::{LocalizedText, TextKey},
    money::Money,
    store::changes::{Change, Discount},
    tenancy::{Role, Tx, current},
    tools::{Contract, Effect},
};

/// The largest discounts of any store; a store's policy can lower the limit by the amount at stake.
const MAX_PERCENT: u32 = 20;
const MAX_MINOR: i64 = 5_000;
const DAYS: u32 = 30;

pub struct CreateCoupon;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    kind: Kind,
    /// Whole percents (1 to 20), or decimal text in the store's currency.
    #[validate(length(min = 1, max = 20), custom(function = crate::text::single_line))]
    value: String,
    #[validate(length(min = 1, max = 500), custom(function = crate::text::multi_line))]
    reason: String,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Percent,
    Amount,
}

impl WriteTool for CreateCoupon {
    const CONTRACT: Contract = Contract {
        name: "create_coupon",
        summary: "Asks for a coupon for this shopper, usable once within 30 days.",
        target: "the shopper's coupons",
        example: r#"{"kind": "percent", "value": "10", "reason": "late delivery"}"#,
        effect: Effect::MovesMoney,
        requires: &["at most 20 percent, and never more than 50.00"],
        may_retry: true,
        side_effects: &["the code by mail"],
        activity: TextKey("activity-create-coupon"),
    };
    const POLICY: Policy = Policy::new(Mode::Staff);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, _: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let currency = current(tx).await?.currency;
        let refuse = |reason: String| PlanError::Argument { field: "value", reason };
        let (discount, amount, worth) = match arguments.kind {
            Kind::Percent => {
                let percent = arguments
                    .value
                    .parse()
                    .ok()
                    .filter(|percent| (1..=MAX_PERCENT).contains(percent));
                let percent =
                    percent.ok_or_else(|| refuse(format!("must be whole percents from 1 to {MAX_PERCENT}")))?;
                if !platform_effects::can(tx, Ability::CappedCoupons).await? {
                    return Err(PlanError::rule(
                        "the shop's platform cannot limit what a coupon of percents takes off; ask for a coupon of an amount",
                    ));
                }
                let at_most = Money::new(MAX_MINOR, currency);
                let worth = LocalizedText::from_fn(|language| {
                    let values = [
                        ("percent", percent.into()),
                        ("amount", at_most.in_language(language).into()),
                    ];
                    TextKey("percent-coupon").with(language, &values)
                });
                (Discount::Percent { percent, at_most }, at_most, worth)
            }
            Kind::Amount => {
                let amount = Money::parse(&arguments.value, currency).map_err(|error| refuse(error.to_string()))?;
                if !(1..=MAX_MINOR).contains(&amount.minor) {
                    return Err(refuse(format!(
                        "must be more than nothing and at most {}",
                        Money::new(MAX_MINOR, currency)
                    )));
                }
                let worth = LocalizedText::from_fn(|language| amount.in_language(language));
                (Discount::Amount { amount }, amount, worth)
            }
        };
        let summary = LocalizedText::from_fn(|language| {
            let values = [("worth", worth.in_language(language).into()), ("days", DAYS.into())];
            TextKey("plan-coupon").with(language, &values)
        });
        let change = Change::Coupon { discount, days: DAYS };
        Ok(Plan::new(summary, None, Some(amount), vec![change]))
    }
}
