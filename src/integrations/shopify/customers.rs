//! Shopify's customers.

use serde_json::Value;

use super::body::{address, id};
use crate::{
    integrations::{
        event_source::{Meaning, Outcome},
        json_fields::{line, text, time},
    },
    store::records::{Record, ShopperRecord},
};

/// A customer, as its own events tell of it.
pub(super) fn customer(body: &Value) -> Meaning {
    let (Some(shopper), None) = (id(&body["id"]), body.get("line_items")) else {
        return Meaning::Unreadable("`id` is missing".into());
    };
    let version = time(&body["updated_at"]).map_or(0, |at| at.timestamp_millis());
    Meaning::Records {
        kind: "shopper",
        id: shopper.clone(),
        version,
        records: vec![Record::Shopper(record(shopper, body))],
    }
}

/// The record of a customer. The address of an order is not the customer's: whoever has it may be somebody else, and could sign in with it.
pub(super) fn record(shopper: String, customer: &Value) -> ShopperRecord {
    ShopperRecord {
        id: shopper,
        email: email(&customer["email"]),
        first_name: line(&customer["first_name"], 120).unwrap_or_default(),
        last_name: line(&customer["last_name"], 120).unwrap_or_default(),
        address: customer["default_address"]
            .is_object()
            .then(|| address(&customer["default_address"])),
        payment_methods: Vec::new(),
        from_platform: true,
    }
}

/// An address that mail can be sent to. Any other counts as absent.
pub(super) fn email(value: &Value) -> Option<String> {
    let email = text(value)?.to_lowercase();
    (validator::ValidateEmail::validate_email(&email) && email.len() <= 254).then_some(email)
}

/// Two customers were found to be one person. Shopify also tells of a merge that failed, which leaves both.
pub(super) fn merge(body: &Value) -> Meaning {
    if text(&body["status"]).is_some_and(|status| status != "completed") {
        return Meaning::Applied(Outcome::Ignored("the shop did not complete the merge"));
    }
    let kept = id(&body["admin_graphql_api_customer_kept_id"]);
    let deleted = id(&body["admin_graphql_api_customer_deleted_id"]);
    match (kept, deleted) {
        (Some(kept), Some(deleted)) if kept != deleted => Meaning::Merge { kept, deleted },
        _ => Meaning::Unreadable(
            "`admin_graphql_api_customer_kept_id` and `…_deleted_id` must name two customers".into(),
        ),
    }
}
