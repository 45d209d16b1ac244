//! What people call the payment methods and goods in a plan.
//!
//! Plans hold ids, which say nothing to whoever decides. A name stands for one id alone, so that what is shown still says which method and
//! which item: where two would have the same name, both have their id beside it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    language::{Language, TextKey},
    store::{PaymentMethod, orders::Line},
};

/// Names by id. An id without a name is shown as it is.
#[derive(Clone, Default)]
pub struct Names {
    methods: BTreeMap<Language, BTreeMap<String, String>>,
    goods: BTreeMap<String, String>,
}

impl Names {
    pub fn of<'a>(methods: impl Iterator<Item = &'a PaymentMethod> + Clone) -> Self {
        let in_language = |language| {
            let names = methods
                .clone()
                .map(|method| (method.id.clone(), method_name(method, language)));
            (language, unique(names.collect()))
        };
        Self {
            methods: Language::all().map(in_language).collect(),
            goods: BTreeMap::new(),
        }
    }

    /// Adds the names of the goods in `lines`.
    pub fn with_goods<'a>(mut self, lines: impl IntoIterator<Item = &'a Line>) -> Self {
        let names = lines.into_iter().map(|line| (line.item_id.clone(), item_name(line)));
        self.goods = unique(names.collect());
        self
    }

    /// Such as `Visa ending in 1234`.
    pub fn method<'a>(&'a self, id: &'a str, language: Language) -> &'a str {
        self.methods
            .get(&language)
            .and_then(|names| names.get(id))
            .map_or(id, String::as_str)
    }

    /// Such as `Fisherman Sweater, navy, M`.
    pub fn item<'a>(&'a self, id: &'a str) -> &'a str {
        self.goods.get(id).map_or(id, String::as_str)
    }
}

fn method_name(method: &PaymentMethod, language: Language) -> String {
    let brand = method.brand.as_deref().filter(|brand| !brand.is_empty());
    match (method.kind.as_str(), brand, method.last_four.as_deref()) {
        ("gift_card", ..) => TextKey("method-gift-card").in_language(language),
        ("paypal", ..) => TextKey("method-paypal").in_language(language),
        (_, Some(brand), Some(digits)) => {
            let values = [("brand", capitalised(brand).into()), ("digits", digits.into())];
            TextKey("method-brand-and-digits").with(language, &values)
        }
        (_, None, Some(digits)) => TextKey("method-digits").with(language, &[("digits", digits.into())]),
        (_, Some(brand), None) => capitalised(brand),
        (_, None, None) => TextKey("method-card").in_language(language),
    }
}

/// Platforms write brands in small letters.
fn capitalised(brand: &str) -> String {
    let mut letters = brand.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn item_name(line: &Line) -> String {
    let options = line
        .options
        .values()
        .map(String::as_str)
        .filter(|option| !option.is_empty());
    std::iter::once(line.name.as_str())
        .chain(options)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Adds the id to each name that several ids have. Where that does not tell them apart either, nothing has a name.
fn unique(names: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names.values() {
        *counts.entry(name.clone()).or_default() += 1;
    }
    let told = |(id, name): (String, String)| match counts.get(&name) {
        Some(1) => (id, name),
        _ => {
            let name = format!("{name} ({id})");
            (id, name)
        }
    };
    let told: BTreeMap<String, String> = names.into_iter().map(told).collect();
    let different: BTreeSet<&String> = told.values().collect();
    match different.len() == told.len() {
        true => told,
        false => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn card(id: &str, brand: Option<&str>, digits: Option<&str>) -> PaymentMethod {
        PaymentMethod {
            id: id.into(),
            kind: "credit_card".into(),
            brand: brand.map(str::to_owned),
            last_four: digits.map(str::to_owned),
            balance: None,
        }
    }

    #[test]
    fn methods_have_the_names_that_people_know_them_by() {
        let gift = PaymentMethod {
            kind: "gift_card".into(),
            ..card("gift", None, None)
        };
        let methods = [
            card("a", Some("visa"), Some("1234")),
            card("b", None, Some("9876")),
            card("c", None, None),
            gift,
        ];
        let names = Names::of(methods.iter());
        let told = ["a", "b", "c", "gift", "unknown"].map(|id| names.method(id, Language::EN));
        assert_eq!(
            told,
            [
                "Visa ending in 1234",
                "card ending in 9876",
                "card",
                "gift card",
                "unknown"
            ]
        );
    }

    proptest! {
        /// No two ids have one name, whatever a store calls its methods and ids.
        #[test]
        fn a_name_stands_for_one_id(methods in prop::collection::btree_map("[a-c()0-9 ]{1,3}", (prop::option::of("[ab]"), prop::option::of("[12]{4}")), 1..6)) {
            let methods: Vec<_> = methods.iter().map(|(id, (brand, digits))| card(id, brand.as_deref(), digits.as_deref())).collect();
            let names = Names::of(methods.iter());
            let told: BTreeSet<&str> = methods.iter().map(|method| names.method(&method.id, Language::EN)).collect();
            prop_assert_eq!(told.len(), methods.len());
        }
    }
}
