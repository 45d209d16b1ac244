//! What is particular to Shopify's bodies: ids, which are numbers in webhooks and `gid://shopify/…` in the Admin API, and addresses.

use serde_json::Value;

use crate::{
    integrations::json_fields::{line, text},
    store::Address,
};

/// The last part of an id: `55` of 55, `"55"` and `"gid://shopify/Order/55"`.
pub(super) fn id(value: &Value) -> Option<String> {
    let id = text(value)?;
    let last = id.rsplit('/').next().unwrap_or(&id);
    let last = last.split('?').next().unwrap_or(last);
    Some(last.chars().filter(|c| !c.is_control()).take(100).collect()).filter(|id: &String| !id.is_empty())
}

/// The id that the Admin API knows an order by.
pub(super) fn order_reference(order: &str) -> String {
    format!("gid://shopify/Order/{order}")
}

/// An address as far as it is given. `-` stands for what every address has and this one does not.
pub(super) fn address(value: &Value) -> Address {
    let or_dash = |field: &str, max| line(&value[field], max).unwrap_or_else(|| "-".to_owned());
    Address {
        address1: or_dash("address1", 120),
        address2: line(&value["address2"], 120).unwrap_or_default(),
        city: or_dash("city", 80),
        state: line(&value["province"], 80).unwrap_or_default(),
        zip: or_dash("zip", 20),
        country: or_dash("country", 80),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_read_in_both_spellings() {
        for (given, expected) in [
            (json!(55), Some("55")),
            (json!("55"), Some("55")),
            (json!("gid://shopify/Order/55"), Some("55")),
            (json!("gid://shopify/FulfillmentEvent/55?x=1"), Some("55")),
            (json!(null), None),
            (json!({}), None),
            (json!(""), None),
        ] {
            assert_eq!(id(&given).as_deref(), expected, "{given}");
        }
    }
}
