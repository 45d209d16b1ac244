//! What was done at the fake shop, for tests to compare with the product's records.

use std::collections::BTreeMap;

use serde_json::Value;

/// A call that had a document, whether it succeeded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopCall {
    /// The first field of the operation, such as `orderCancel`.
    pub operation: String,
    pub query: String,
    pub variables: Value,
    /// The errors or user errors that it was answered with.
    pub errors: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelledOrder {
    pub order: String,
    pub refund: bool,
    pub restock: bool,
    pub notify: bool,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopRefund {
    pub id: String,
    pub order: String,
    /// Decimal text in the order's currency.
    pub amount: String,
    pub note: String,
    /// `SUCCESS`, `PENDING` or `FAILURE`.
    pub status: String,
    pub notify: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopReturn {
    pub id: String,
    pub order: String,
    /// The status it was made with.
    pub status: String,
    pub lines: Value,
    pub exchange_lines: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscountCode {
    pub id: String,
    pub code: String,
    pub input: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSubscription {
    pub id: String,
    pub topic: String,
    pub address: String,
    pub(super) object: Value,
}

#[derive(Default)]
pub struct Books {
    pub calls: Vec<ShopCall>,
    pub cancelled: Vec<CancelledOrder>,
    pub refunds: Vec<ShopRefund>,
    pub returns: Vec<ShopReturn>,
    pub approved_returns: Vec<String>,
    pub discount_codes: Vec<DiscountCode>,
    /// The last note, address and tags that were set, of each order.
    pub notes: BTreeMap<String, String>,
    pub addresses: BTreeMap<String, Value>,
    pub tags: BTreeMap<String, Vec<String>>,
    pub webhooks: Vec<WebhookSubscription>,
    /// Terms of searches that the fake does not know and the real shop may not either.
    pub unknown_search_terms: Vec<String>,
    /// How the next refunds end; without one they succeed.
    pub next_refunds: std::collections::VecDeque<RefundOutcome>,
    pub(super) jobs: Vec<String>,
}

/// How the payment of a refund ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    Succeeds,
    Pending,
    Fails,
}

impl Books {
    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| call.operation == operation).count()
    }
}
