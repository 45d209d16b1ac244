//! Reads the fields of a submitted form.

use serde::{Deserialize, Serialize};

use crate::money;

/// The fields of a form as a browser sends them.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Submitted(Vec<(String, String)>);

/// The value of a field for a number. Text that is not a number is sent to the API unchanged, so that the API explains what is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum NumberField {
    Nothing,
    Number(i64),
    Text(String),
}

impl Submitted {
    pub fn text(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.trim())
    }

    /// The text of a field, or none if it was left empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The values of all fields with this name, such as the boxes that were ticked.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The parts of a field that are separated by commas.
    pub fn parts(&self, name: &str) -> Vec<&str> {
        let parts = self.text(name).split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// An amount of money in its smallest units, of which 10^`decimals` make one.
    pub fn amount(&self, name: &str, decimals: u32) -> NumberField {
        self.typed(name, |text| money::units(text, decimals))
    }

    pub fn number(&self, name: &str) -> NumberField {
        self.typed(name, |text| text.parse().ok())
    }

    fn typed(&self, name: &str, read: impl Fn(&str) -> Option<i64>) -> NumberField {
        self.optional(name).map_or(NumberField::Nothing, |text| {
            read(text).map_or_else(|| NumberField::Text(text.to_owned()), NumberField::Number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_amounts_are_read_and_anything_else_is_passed_on() {
        let pairs = [("a", "12.50"), ("b", " 3 "), ("c", ""), ("d", "12.505"), ("e", "x, ,y")];
        let form = Submitted(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(form.amount("a", 2), NumberField::Number(1250));
        assert_eq!(form.number("b"), NumberField::Number(3));
        assert_eq!(
            (form.number("c"), form.number("none")),
            (NumberField::Nothing, NumberField::Nothing)
        );
        assert_eq!(form.amount("d", 2), NumberField::Text("12.505".into()));
        assert_eq!(form.parts("e"), ["x", "y"]);
        assert_eq!(
            serde_json::to_string(&[form.number("c"), form.number("b"), form.number("a")]).expect("JSON"),
            r#"[null,3,"12.50"]"#
        );
    }
}
