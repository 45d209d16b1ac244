//! A form arrives as the fields that a person has filled in.

use serde::{Deserialize, Serialize};

use crate::money;

/// These are the fields of a form as a browser sends them.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Submitted(Vec<(String, String)>);

/// Somebody typed this where a number belongs. Text that is no number goes to the API as it is, which says what is wrong with it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Typed {
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

    /// A field that was left empty has none.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Several boxes can have one name; these are the values of those that were chosen.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The parts of a field are separated by commas.
    pub fn parts(&self, name: &str) -> Vec<&str> {
        let parts = self.text(name).split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// An amount of money is read in units of which 10^`decimals` make one.
    pub fn amount(&self, name: &str, decimals: u32) -> Typed {
        self.typed(name, |text| money::units(text, decimals))
    }

    pub fn number(&self, name: &str) -> Typed {
        self.typed(name, |text| text.parse().ok())
    }

    fn typed(&self, name: &str, read: impl Fn(&str) -> Option<i64>) -> Typed {
        self.optional(name).map_or(Typed::Nothing, |text| {
            read(text).map_or_else(|| Typed::Text(text.to_owned()), Typed::Number)
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
        assert_eq!(form.amount("a", 2), Typed::Number(1250));
        assert_eq!(form.number("b"), Typed::Number(3));
        assert_eq!(
            (form.number("c"), form.number("none")),
            (Typed::Nothing, Typed::Nothing)
        );
        assert_eq!(form.amount("d", 2), Typed::Text("12.505".into()));
        assert_eq!(form.parts("e"), ["x", "y"]);
        assert_eq!(
            serde_json::to_string(&[form.number("c"), form.number("b"), form.number("a")]).expect("JSON"),
            r#"[null,3,"12.50"]"#
        );
    }
}
