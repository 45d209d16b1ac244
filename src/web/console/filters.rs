//! Templates write the API's values by these filters: `{{ at|when }}`, `{{ tool|words }}`.

use askama::{Result, Values, filter_fn};
use chrono::{DateTime, Utc};

use crate::money;

/// A moment is written with its zone: `25 Nov 2026, 14:03 UTC`.
#[filter_fn]
pub fn when(at: &DateTime<Utc>, _: &dyn Values) -> Result<String> {
    Ok(date_and_time(*at))
}

pub fn date_and_time(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M UTC").to_string()
}

/// A name of the API is written as people say it: `return_items` is `Return items`.
#[filter_fn]
pub fn words(name: &str, _: &dyn Values) -> Result<String> {
    Ok(in_words(name))
}

pub fn in_words(name: &str) -> String {
    let words = name.split('_').map(|word| match word {
        "api" => "API",
        "crm" => "CRM",
        word => word,
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Millionths are written as an amount, with two digits behind the point at least and no zero more. They are of the currency that
/// the model is priced in.
pub fn amount_of(micros: i64) -> String {
    let text = money::decimal(micros, 6);
    let (most, least) = text.split_at(text.len() - 4);
    format!("{most}{}", least.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_words() {
        assert_eq!(in_words("return_items"), "Return items");
        assert_eq!(in_words("add_crm_note"), "Add CRM note");
        assert_eq!(in_words(""), "");
    }

    #[test]
    fn amounts_have_two_digits_and_more_where_they_matter() {
        assert_eq!(
            (amount_of(500_000), amount_of(1_234_500)),
            ("0.50".into(), "1.2345".into())
        );
    }
}
