//! Amounts as WooCommerce writes them: as texts or numbers, negative for refunds, with as many decimals as the shop or PHP gives them.

use serde_json::Value;

use crate::{
    integrations::json_fields::text,
    money::{Currency, Money},
};

/// An amount in minor units, rounded to the decimals of its currency. None when it is absent or no decimal number.
pub(super) fn amount(value: &Value, currency: Currency) -> Option<i64> {
    let text = text(value)?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let decimals = currency.decimals() as usize;
    let (kept, cut) = fraction.split_at(decimals.min(fraction.len()));
    let plain = if kept.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{kept}")
    };
    let minor = Money::parse(&plain, currency).ok()?.minor;
    Some(sign * (minor + i64::from(cut.as_bytes().first().is_some_and(|digit| *digit >= b'5'))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_rounded_to_the_decimals_of_their_currency() {
        for (given, currency, expected) in [
            (json!("80.00"), "USD", Some(8000)),
            (json!("-10.00"), "USD", Some(-1000)),
            (json!(14.309_999_999_999_999), "USD", Some(1431)),
            (json!("0.588"), "USD", Some(59)),
            (json!("-0.005"), "USD", Some(-1)),
            (json!(4.47), "USD", Some(447)),
            (json!(0), "USD", Some(0)),
            (json!("8000"), "JPY", Some(8000)),
            (json!("8000.00"), "JPY", Some(8000)),
            (json!("7999.50"), "JPY", Some(8000)),
            (json!("8.2505"), "KWD", Some(8251)),
            (json!("8,25"), "USD", None),
            (json!("8.2x"), "USD", None),
            (json!("--8"), "USD", None),
            (json!(""), "USD", None),
            (json!(null), "USD", None),
        ] {
            let currency = currency.parse().expect("a currency");
            assert_eq!(amount(&given, currency), expected, "{given}");
        }
    }
}
