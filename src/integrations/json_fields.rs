//! Reads fields of the JSON that shops' platforms send. They give numbers as texts and texts as numbers, and leave fields out; a field of an odd
//! type counts as absent, so that it never loses the whole record.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    money::{Currency, Money, MoneyError},
    text,
};

/// A text or a number as text; none when it is absent or empty.
pub(in crate::integrations) fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A text that people read, as one line of at most `max` characters: without what nobody can see, line breaks as spaces.
pub(in crate::integrations) fn line(value: &Value, max: usize) -> Option<String> {
    let cleaned = text::clean(&text(value)?);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(max).collect();
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

pub(in crate::integrations) fn time(value: &Value) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(time.with_timezone(&Utc))
}

pub(in crate::integrations) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(in crate::integrations) fn count(value: &Value) -> Option<u32> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    Some(u32::try_from(number.clamp(0, 10_000)).unwrap_or(0))
}

/// An amount in minor units; none when it is negative. Decimals that the currency does not have are cut off: platforms write two for most currencies.
pub(in crate::integrations) fn amount(value: &Value, currency: Currency) -> Option<i64> {
    let text = text(value)?;
    let parsed = Money::parse(&text, currency).or_else(|error| match (error, text.split_once('.')) {
        (MoneyError::TooPrecise(..), Some((whole, fraction))) => {
            let decimals = currency.decimals() as usize;
            let kept: String = fraction.chars().take(decimals).collect();
            match decimals {
                0 => Money::parse(whole, currency),
                _ => Money::parse(&format!("{whole}.{kept}"), currency),
            }
        }
        (error, _) => Err(error),
    });
    parsed.ok().map(|money| money.minor).filter(|minor| *minor >= 0)
}

/// The same of an amount that may be negative.
pub(in crate::integrations) fn signed_amount(value: &Value, currency: Currency) -> Option<i64> {
    let text = text(value)?;
    match text.strip_prefix('-') {
        Some(rest) => amount(&rest.into(), currency).map(|minor| -minor),
        None => amount(&text.into(), currency),
    }
}

/// Whether a text is an `https://` address without a user that fits into a record.
pub(in crate::integrations) fn is_web_address(url: &str) -> bool {
    url.starts_with("https://") && url.len() <= 1000 && url::Url::parse(url).is_ok_and(|url| url.username().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_read_as_shops_write_them() {
        for (given, expected) in [
            (json!("Mug\r\n\u{200f}blue \u{202e}"), Some("Mug blue")),
            (json!(" \n "), None),
            (json!(7), Some("7")),
            (json!([]), None),
        ] {
            assert_eq!(line(&given, 200).as_deref(), expected, "{given}");
        }
        assert_eq!(line(&json!("x".repeat(255)), 200).map(|line| line.len()), Some(200));
        assert_eq!(
            (
                count(&json!(3)),
                count(&json!("3")),
                count(&json!(-1)),
                count(&json!(null))
            ),
            (Some(3), Some(3), Some(0), None)
        );
    }

    #[test]
    fn amounts_are_read_in_the_decimals_of_their_currency() {
        for (given, currency, expected) in [
            (json!("84.10"), "USD", Some(8410)),
            (json!(84.1), "USD", Some(8410)),
            (json!("8000.00"), "JPY", Some(8000)),
            (json!("8000.50"), "JPY", Some(8000)),
            (json!("1.2345"), "KWD", Some(1234)),
            (json!("1.25"), "KWD", Some(1250)),
            (json!("x"), "USD", None),
            (json!("-5.00"), "USD", None),
            (json!(null), "USD", None),
        ] {
            let currency = currency.parse().expect("a currency");
            assert_eq!(amount(&given, currency), expected, "{given}");
        }
        let dollars = "USD".parse().expect("a currency");
        for (given, expected) in [("-5.00", Some(-500)), ("5.1", Some(510)), ("--5", None), ("-", None)] {
            assert_eq!(signed_amount(&json!(given), dollars), expected, "{given}");
        }
    }
}
