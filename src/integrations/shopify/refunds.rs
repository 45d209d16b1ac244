//! The refunds of Shopify's orders, in the order's own currency, whatever the customer paid in.
//!
//! The fields are those of <https://shopify.dev/docs/api/admin-rest/latest/resources/refund>: a transaction's `amount` is in its `currency`,
//! and each `…_set` has an amount in the shop's currency too.

use serde_json::Value;

use super::order_body::Order;
use crate::{
    ids::MovementId,
    integrations::{
        json_fields::{amount, list, signed_amount, text},
        platform::refund_of_key,
    },
};

/// A transaction of a refund that was paid out.
pub(super) struct PaidOut<'a> {
    pub transaction: &'a Value,
    /// In the order's currency; none where nothing says it.
    pub minor: Option<i64>,
    /// The movement that it was made for, if we asked for it.
    pub movement: Option<MovementId>,
}

impl Order<'_> {
    /// What was paid out. A transaction that is pending is none yet, and one that failed is none.
    pub(super) fn refunds(&self) -> Vec<PaidOut<'_>> {
        let mut paid_out = Vec::new();
        for refund in list(&self.body["refunds"]) {
            let all = list(&refund["transactions"]).iter();
            let transactions: Vec<&Value> = all.filter(|it| it["kind"] == "refund").collect();
            let amounts = self.amounts(refund, &transactions);
            let movement = of_ours(refund).map(|(movement, _)| movement);
            let done = transactions.into_iter().zip(amounts);
            paid_out.extend(
                done.filter(|(transaction, _)| has_status(transaction, &["success"]))
                    .map(|(transaction, minor)| PaidOut {
                        transaction,
                        minor,
                        movement,
                    }),
            );
        }
        paid_out
    }

    pub(super) fn refunded(&self) -> i64 {
        self.refunds().iter().filter_map(|refund| refund.minor).sum()
    }

    /// What a transaction moved, in the order's currency; none where it is in another and does not say.
    pub(super) fn moved(&self, transaction: &Value) -> Option<i64> {
        match text(&transaction["currency"]) {
            Some(code) if code != self.currency.to_string() => self.shop_money(&transaction["amount_set"]),
            _ => self.amount(&transaction["amount"]),
        }
    }

    /// The amounts of a refund's transactions. Those in another currency that do not say it share what the refund is worth, in proportion.
    fn amounts(&self, refund: &Value, transactions: &[&Value]) -> Vec<Option<i64>> {
        let told: Vec<Option<i64>> = transactions.iter().map(|it| self.moved(it)).collect();
        if told.iter().all(Option::is_some) {
            return told;
        }
        let Some(worth) = self.worth(refund) else { return told };
        let weight = |it: &&Value| {
            let currency = text(&it["currency"])?.parse().ok()?;
            amount(&it["amount"], currency)
        };
        let weights: Option<Vec<i64>> = transactions.iter().map(weight).collect();
        let Some(weights) = weights else { return told };
        let all: i128 = weights.iter().copied().map(i128::from).sum();
        let mut until = 0_i128;
        let mut share = |weight: i64| {
            let before = i128::from(worth) * until / all.max(1);
            until += i128::from(weight);
            i64::try_from(i128::from(worth) * until / all.max(1) - before).ok()
        };
        weights.into_iter().map(&mut share).collect()
    }

    /// What a refund is worth in the order's currency, by its parts: the goods with tax that is not in their prices, duties, and adjustments,
    /// which are negative where more goes back than for the goods.
    fn worth(&self, refund: &Value) -> Option<i64> {
        if let Some(whole) = self.shop_money(&refund["total_refunded_set"]) {
            return Some(whole);
        }
        let of =
            |part: &Value, set: &str| signed_amount(&part[set]["shop_money"]["amount"], self.currency).unwrap_or(0);
        let sum = |parts: &str, sets: &[&str]| -> i64 {
            let parts = list(&refund[parts]).iter();
            parts.flat_map(|part| sets.iter().map(move |set| of(part, set))).sum()
        };
        let goods = match self.body["taxes_included"] == true {
            true => sum("refund_line_items", &["subtotal_set"]),
            false => sum("refund_line_items", &["subtotal_set", "total_tax_set"]),
        };
        let worth =
            goods + sum("duties", &["amount_set"]) - sum("order_adjustments", &["amount_set", "tax_amount_set"]);
        Some(worth).filter(|worth| *worth > 0)
    }
}

/// Older versions of the API name no status of what was done.
pub(super) fn has_status(transaction: &Value, statuses: &[&str]) -> bool {
    statuses.contains(&transaction["status"].as_str().unwrap_or("success"))
}

/// The movement and the attempt of a refund that was made for us.
fn of_ours(refund: &Value) -> Option<(MovementId, i32)> {
    refund_of_key(refund["note"].as_str()?)
}

/// The same of one that failed.
pub(super) fn failed_refund(refund: &Value) -> Option<(MovementId, i32)> {
    let failed = of_ours(refund)?;
    let transactions = list(&refund["transactions"]);
    let all_failed = transactions.iter().all(|it| has_status(it, &["failure", "error"]));
    (!transactions.is_empty() && all_failed).then_some(failed)
}
