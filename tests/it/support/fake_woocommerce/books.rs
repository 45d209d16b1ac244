//! What was done at the fake store, for tests to compare with the product's records.

use serde_json::Value;

/// A call of the API, whether it succeeded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCall {
    pub method: String,
    /// The path below `/wp-json/wc/v3/`.
    pub path: String,
    pub query: String,
    pub body: Value,
    pub status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRefund {
    pub id: u64,
    pub order: u64,
    /// Decimal text in the order's currency.
    pub amount: String,
    pub reason: String,
    /// Whether the payment provider was told to pay it.
    pub paid: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreNote {
    pub order: u64,
    pub note: String,
    pub for_customer: bool,
}

#[derive(Default)]
pub struct Books {
    pub calls: Vec<StoreCall>,
    pub refunds: Vec<StoreRefund>,
    pub notes: Vec<StoreNote>,
    /// Each change of an order's status.
    pub statuses: Vec<(u64, String)>,
    /// Each delivery address that was set.
    pub addresses: Vec<(u64, Value)>,
    /// Coupons as the API answers them.
    pub coupons: Vec<Value>,
    /// Subscriptions as the API answers them; `secret` is what they sign with.
    pub webhooks: Vec<Value>,
    /// Refunds with `api_refund` fail: the payment's gateway is not there.
    pub gateway_is_gone: bool,
    pub(super) refund_objects: Vec<Value>,
    pub(super) note_objects: Vec<Value>,
}
