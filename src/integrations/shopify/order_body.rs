//! The body of one of Shopify's orders, with the currency that its amounts are read in.

use serde_json::Value;

use crate::{
    integrations::json_fields::amount,
    money::{self, Currency},
};

pub(super) struct Order<'a> {
    pub body: &'a Value,
    pub currency: Currency,
}

impl Order<'_> {
    pub(super) fn amount(&self, value: &Value) -> Option<i64> {
        amount(value, self.currency)
    }

    pub(super) fn decimal(&self, minor: i64) -> String {
        money::decimal(minor, self.currency.decimals())
    }

    /// An amount in the shop's own currency, which is the order's, of a set that has the customer's too.
    pub(super) fn shop_money(&self, set: &Value) -> Option<i64> {
        self.amount(&set["shop_money"]["amount"])
    }
}
