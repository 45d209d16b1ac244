//! Parts of a plan's summary, in words.

use super::ItemChange;
use crate::{
    approvals::Names,
    language::{Language, LocalizedText, TextKey},
    money::Money,
    store::orders::{Line, Order},
};

/// `28.00 USD to gift card and 5.00 USD to Visa ending in 1234`.
pub(super) fn spell(amounts: &[(String, Money)], names: &Names, language: Language) -> String {
    let spell = |(method, amount): &(String, Money)| {
        let values = [
            ("amount", amount.in_language(language).into()),
            ("method", names.method(method, language).into()),
        ];
        TextKey("amount-to-method").with(language, &values)
    };
    amounts
        .iter()
        .map(spell)
        .reduce(|first, last| both(&first, &last, language))
        .unwrap_or_default()
}

fn both(first: &str, last: &str, language: Language) -> String {
    TextKey("two-and-more").with(language, &[("first", first.into()), ("last", last.into())])
}

/// How many different goods a summary names.
const MAX_NAMED_GOODS: usize = 3;

/// The given units of an order, as the shopper knows them: `2 × Enamel Mug and Storm Lantern`.
pub(super) fn goods<'a>(lines: &[Line], item_ids: impl IntoIterator<Item = &'a String>, language: Language) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for id in item_ids {
        let line = lines.iter().find(|line| line.item_id == *id);
        let name = line.map_or(id.as_str(), |line| line.name.as_str());
        match counted.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counted.push((name, 1)),
        }
    }
    let more: usize = counted.iter().skip(MAX_NAMED_GOODS).map(|(_, count)| count).sum();
    let tell = |(name, count): &(&str, usize)| match count {
        1 => (*name).to_owned(),
        count => format!("{count} × {name}"),
    };
    let mut told: Vec<String> = counted.iter().take(MAX_NAMED_GOODS).map(tell).collect();
    told.extend((more > 0).then(|| TextKey("more-goods").with(language, &[("count", more.into())])));
    match told.pop() {
        Some(last) if !told.is_empty() => both(&told.join(", "), &last, language),
        only => only.unwrap_or_default(),
    }
}

/// `Exchange Enamel Mug of order #W1; the difference of 2.00 USD goes by Visa ending in 1234.`
pub(super) fn swapped(
    message: TextKey,
    order: &Order,
    changes: &[ItemChange],
    (difference, method): (Money, &str),
    names: &Names,
) -> LocalizedText {
    LocalizedText::from_fn(|language| {
        let items = changes.iter().map(|change| &change.item_id);
        let values = [
            ("goods", goods(&order.lines, items, language).into()),
            ("number", order.number.as_str().into()),
            ("difference", difference.in_language(language).into()),
            ("method", names.method(method, language).into()),
        ];
        message.with(language, &values)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn goods_are_named_counted_and_cut() {
        let of = |names: &[&str]| {
            let line = |name: &&str| Line {
                item_id: name.to_lowercase(),
                product_id: "p".into(),
                name: (*name).to_owned(),
                options: BTreeMap::new(),
                price: Money::new(100, "USD".parse().expect("a currency")),
                quantity: 2,
                total: None,
            };
            names.iter().map(line).collect::<Vec<_>>()
        };
        let lines = of(&["Mug", "Lamp", "Rope", "Sail", "Oar"]);
        let german: Language = "de".parse().expect("a language");
        let told = |ids: &[&str], language| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            goods(&lines, &ids, language)
        };
        assert_eq!(told(&["mug"], Language::EN), "Mug");
        assert_eq!(told(&["mug", "mug", "lamp"], Language::EN), "2 × Mug and Lamp");
        assert_eq!(told(&["mug", "lamp", "rope"], german), "Mug, Lamp und Rope");
        assert_eq!(
            told(&["mug", "lamp", "rope", "sail", "oar", "oar"], Language::EN),
            "Mug, Lamp, Rope and 3 more"
        );
    }
}
