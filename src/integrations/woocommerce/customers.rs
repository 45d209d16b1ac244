//! WooCommerce's customers: the users of the site.

use serde_json::Value;

use super::body::{address, email, id, name, version};
use crate::{
    integrations::event_source::Meaning,
    store::records::{Record, ShopperRecord},
};

/// A customer, as its own events tell of it.
pub(super) fn customer(body: &Value) -> Meaning {
    let looks_like_one = body.get("line_items").is_none() && body.get("email").is_some();
    let Some(shopper) = id(&body["id"]).filter(|_| looks_like_one) else {
        return Meaning::Unreadable("`id` or `email` is missing: this is not a customer".into());
    };
    let record = ShopperRecord {
        id: shopper.clone(),
        email: email(&body["email"]),
        first_name: first(body, "first_name"),
        last_name: first(body, "last_name"),
        address: address(body),
        payment_methods: Vec::new(),
        from_platform: true,
    };
    Meaning::Records {
        kind: "shopper",
        id: shopper,
        version: version(body),
        records: vec![Record::Shopper(record)],
    }
}

/// The name of the account, or of the bill where the account has none.
fn first(body: &Value, field: &str) -> String {
    let told = [&body[field], &body["billing"][field]];
    told.into_iter().find_map(|it| name(it, 120)).unwrap_or_default()
}

/// The customer whom an order names. Only that there is one: what was typed into the form of an order, above all an e-mail address, may be
/// somebody else's, who could sign in with it.
pub(super) fn of_order(shopper: String) -> Record {
    Record::Shopper(ShopperRecord {
        id: shopper,
        email: None,
        first_name: String::new(),
        last_name: String::new(),
        address: None,
        payment_methods: Vec::new(),
        from_platform: true,
    })
}
