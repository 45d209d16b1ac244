//! What is particular to WooCommerce's bodies: ids of 0, times without a zone, addresses, names with HTML in them, fields of plug-ins.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use crate::{
    integrations::{
        html,
        json_fields::{self, line, list, text},
    },
    store::Address,
};

/// What the reference of an order begins with.
const REFERENCE: &str = "woocommerce:";

/// An id; none when it is 0, which stands for "none": of a guest, or of a line whose product was deleted.
pub(super) fn id(value: &Value) -> Option<String> {
    line(value, 100).filter(|id| id != "0")
}

/// What an order is known by here. Ids of WooCommerce are small numbers, so the name of the platform stands before them.
pub(super) fn order_reference(order: &str) -> String {
    format!("{REFERENCE}{order}")
}

/// The id of the order with such a reference; none where it is another platform's.
pub(super) fn order_of(reference: &str) -> Option<&str> {
    let order = reference.strip_prefix(REFERENCE)?;
    let is_id = !order.is_empty() && order.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some(order)
}

/// A time of one of the fields `…_gmt`, which end without a zone (woocommerce/woocommerce 13727).
pub(super) fn time(value: &Value) -> Option<DateTime<Utc>> {
    let without_zone = || NaiveDateTime::parse_from_str(value.as_str()?.trim(), "%Y-%m-%dT%H:%M:%S").ok();
    json_fields::time(value).or_else(|| without_zone().map(|time| time.and_utc()))
}

/// When the record changed last, in milliseconds.
pub(super) fn version(body: &Value) -> i64 {
    let at = time(&body["date_modified_gmt"]).or_else(|| time(&body["date_created_gmt"]));
    at.map_or(0, |at| at.timestamp_millis())
}

/// A name or a value that people read. WordPress stores them with entities, and with tags where a theme or a plug-in puts them.
pub(super) fn name(value: &Value, max: usize) -> Option<String> {
    line(&Value::from(html::one_line(&text(value)?)), max)
}

/// An address that mail can be sent to. Any other counts as absent, and so does what WordPress writes over an erased one
/// (`deleted@site.invalid`): orders of different people would become one person's.
pub(super) fn email(value: &Value) -> Option<String> {
    let email = text(value)?.to_lowercase();
    (validator::ValidateEmail::validate_email(&email) && email.len() <= 254 && !email.ends_with(".invalid"))
        .then_some(email)
}

/// The first of the addresses that is filled in. The country alone is not: forms fill it in by themselves.
pub(super) fn address(body: &Value) -> Option<Address> {
    let is_given = |address: &&Value| {
        ["address_1", "city", "postcode"]
            .iter()
            .any(|field| line(&address[*field], 1).is_some())
    };
    let given = [&body["shipping"], &body["billing"]].into_iter().find(is_given)?;
    // `-` stands for what every address has and this one does not.
    let or_dash = |field: &str, max| name(&given[field], max).unwrap_or_else(|| "-".to_owned());
    Some(Address {
        address1: or_dash("address_1", 120),
        address2: name(&given["address_2"], 120).unwrap_or_default(),
        city: or_dash("city", 80),
        state: name(&given["state"], 80).unwrap_or_default(),
        zip: or_dash("postcode", 20),
        country: or_dash("country", 80),
    })
}

/// The address of an order that has none, such as one of downloads.
pub(super) fn no_address() -> Address {
    let dash = || "-".to_owned();
    Address {
        address1: dash(),
        address2: String::new(),
        city: dash(),
        state: String::new(),
        zip: dash(),
        country: dash(),
    }
}

/// The value of a plug-in's field.
pub(super) fn meta<'a>(body: &'a Value, key: &str) -> &'a Value {
    let found = list(&body["meta_data"]).iter().find(|field| field["key"] == key);
    found.map_or(&Value::Null, |field| &field["value"])
}

/// The entries of a list with their keys. PHP writes a list from which something was taken as an object: `{"1": …}`.
pub(super) fn entries(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .collect(),
        Value::Object(fields) => fields.iter().map(|(key, item)| (key.clone(), item)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_have_no_zone_and_ids_of_0_are_none() {
        let expected = "2026-11-20T09:00:00Z".parse::<DateTime<Utc>>().ok();
        for given in [
            "2026-11-20T09:00:00",
            "2026-11-20T09:00:00Z",
            "2026-11-20T10:00:00+01:00",
        ] {
            assert_eq!(time(&json!(given)), expected, "{given}");
        }
        for odd in [json!("2026-11-20"), json!(""), json!(null), json!(false), json!(1)] {
            assert_eq!(time(&odd), None, "{odd}");
        }
        for (given, expected) in [
            (json!(55), Some("55")),
            (json!("55"), Some("55")),
            (json!(0), None),
            (json!("0"), None),
            (json!(""), None),
            (json!(false), None),
        ] {
            assert_eq!(id(&given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn the_address_is_the_first_that_is_filled_in() {
        let bill = json!({ "address_1": "1 High St", "city": "Bath", "postcode": "BA1", "country": "GB" });
        let only_country = json!({ "address_1": " ", "city": "", "country": "GB" });
        let body = json!({ "shipping": only_country, "billing": bill });
        assert_eq!(
            address(&body).map(|address| address.address1).as_deref(),
            Some("1 High St")
        );
        assert!(address(&json!({ "shipping": only_country, "billing": [] })).is_none());
    }

    #[test]
    fn an_erased_address_is_none() {
        for (given, expected) in [
            ("Mia@Example.com", Some("mia@example.com")),
            ("deleted@site.invalid", None),
            ("mia", None),
            ("", None),
        ] {
            assert_eq!(email(&json!(given)).as_deref(), expected, "{given}");
        }
    }
}
