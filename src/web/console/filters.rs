//! Template filters that format the API's values: `{{ tool|words }}`.

use askama::{Result, Values, filter_fn};

use crate::money;

/// Formats a name of the API for people: `return_items` becomes `Return items`.
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

/// Formats millionths as an amount, with at least two decimals and no further trailing zeros. They are in the currency of the model's
/// price table.
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
