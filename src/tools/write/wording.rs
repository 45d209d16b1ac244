//! Parts of plans, in words.

use super::ItemChange;
use crate::{
    language::{Language, LocalizedText},
    money::Money,
    store::orders::{Line, Order},
};

/// `28.00 USD to gift-mia and 5.00 USD to card-mia`.
pub(super) fn spell(amounts: &[(String, Money)]) -> LocalizedText<String> {
    let words = LocalizedText {
        en: ("to", " and "),
        de: ("an", " und "),
    };
    words.each(|language, (to, and)| {
        let spelt: Vec<_> = amounts
            .iter()
            .map(|(method, amount)| format!("{} {to} {method}", amount.in_language(language)))
            .collect();
        spelt.join(and)
    })
}

/// How many different goods a summary names.
const NAMED: usize = 3;

/// These units of an order, as the shopper knows them: `2 × Enamel Mug and Storm Lantern`.
pub(super) fn goods<'a>(lines: &[Line], item_ids: impl IntoIterator<Item = &'a String>) -> LocalizedText<String> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for id in item_ids {
        let line = lines.iter().find(|line| line.item_id == *id);
        let name = line.map_or(id.as_str(), |line| line.name.as_str());
        match counted.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counted.push((name, 1)),
        }
    }
    let more: usize = counted.iter().skip(NAMED).map(|(_, count)| count).sum();
    let tell = |(name, count): &(&str, usize)| match count {
        1 => (*name).to_owned(),
        count => format!("{count} × {name}"),
    };
    let named: Vec<String> = counted.iter().take(NAMED).map(tell).collect();
    let words = LocalizedText {
        en: ("and", "more"),
        de: ("und", "weitere"),
    };
    words.each(|_, (and, others)| {
        let mut told = named.clone();
        told.extend((more > 0).then(|| format!("{more} {others}")));
        match told.pop() {
            Some(last) if !told.is_empty() => format!("{} {and} {last}", told.join(", ")),
            only => only.unwrap_or_default(),
        }
    })
}

/// `Exchange Enamel Mug of order #W1; the difference of 2.00 USD goes by card-mia.`
pub(super) fn swapped(
    verb: LocalizedText,
    order: &Order,
    changes: &[ItemChange],
    (difference, by): (Money, &str),
) -> LocalizedText<String> {
    let goods = goods(&order.lines, changes.iter().map(|change| &change.item_id));
    let number = &order.number;
    LocalizedText {
        en: format!(
            "{} {} of order {number}; the difference of {difference} goes by {by}.",
            verb.en, goods.en
        ),
        de: format!(
            "{} der Bestellung {number} {}; der Unterschied von {} geht über {by}.",
            goods.de,
            verb.de,
            difference.in_language(Language::De)
        ),
    }
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
            };
            names.iter().map(line).collect::<Vec<_>>()
        };
        let lines = of(&["Mug", "Lamp", "Rope", "Sail", "Oar"]);
        let told = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            goods(&lines, &ids)
        };
        assert_eq!(told(&["mug"]).en, "Mug");
        assert_eq!(told(&["mug", "mug", "lamp"]).en, "2 × Mug and Lamp");
        assert_eq!(told(&["mug", "lamp", "rope"]).de, "Mug, Lamp und Rope");
        assert_eq!(
            told(&["mug", "lamp", "rope", "sail", "oar", "oar"]).en,
            "Mug, Lamp, Rope and 3 more"
        );
    }
}
