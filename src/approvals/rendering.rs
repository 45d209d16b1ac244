//! A plan in words that people decide on: each field of each change, before and after.
//!
//! What is confirmed is all that happens. The rows are made from the whole list of changes, are part of the plan, and so of the digest that
//! a decision names. A field that a change has and this file does not show does not compile.

use serde::{Deserialize, Serialize};

use super::OrderRef;
use crate::{
    language::{Language, LocalizedText},
    money::Money,
    store::{
        Address,
        changes::{Change, Discount, Swap},
        orders::{Line, OrderStatus, PaymentKind},
    },
};

/// One thing that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Detail {
    #[schema(example = "Delivery address, city")]
    pub label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Portland")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Boston")]
    pub after: Option<String>,
}

macro_rules! words {
    ($en:literal, $de:literal) => {
        LocalizedText { en: $en, de: $de }
    };
}

/// Every change, field by field, in one language, and first what was refunded on the order before.
pub fn render(order: Option<&OrderRef>, changes: &[Change], language: Language) -> Vec<Detail> {
    let mut rows = Rows {
        language,
        details: Vec::new(),
    };
    if let Some(refunded) = order.and_then(|order| order.refunded) {
        let refunded = rows.money(refunded);
        rows.value(
            words!(
                "Refunded on this order before",
                "Auf diese Bestellung bereits erstattet"
            ),
            refunded,
        );
    }
    for change in changes {
        rows.change(change);
    }
    rows.details
}

struct Rows {
    language: Language,
    details: Vec<Detail>,
}

impl Rows {
    fn say(&self, words: LocalizedText) -> &'static str {
        words.in_language(self.language)
    }

    fn row(&mut self, label: impl Into<String>, before: Option<String>, after: Option<String>) {
        let label = label.into();
        self.details.push(Detail { label, before, after });
    }

    fn value(&mut self, label: LocalizedText, after: impl Into<String>) {
        let label = self.say(label);
        self.row(label, None, Some(after.into()));
    }

    fn money(&self, money: Money) -> String {
        money.in_language(self.language)
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Status { from, to } => {
                let label = self.say(words!("Status of the order", "Status der Bestellung"));
                let (from, to) = (self.say(status(*from)), self.say(status(*to)));
                self.row(label, Some(from.into()), Some(to.into()));
            }
            Change::OrderAddress { from, to } => {
                self.address(words!("Delivery address", "Lieferadresse"), Some(from), to);
            }
            Change::ProfileAddress { from, to } => {
                self.address(
                    words!("Address in your profile", "Adresse in Ihrem Profil"),
                    from.as_ref(),
                    to,
                );
            }
            Change::Lines { from, to } => {
                for line in from {
                    self.line(line, true);
                }
                for line in to {
                    self.line(line, false);
                }
            }
            Change::Payment {
                kind,
                amount,
                payment_method_id,
            } => {
                let label = match kind {
                    PaymentKind::Payment => words!("Charge", "Abbuchung"),
                    PaymentKind::Refund => words!("Refund", "Erstattung"),
                };
                let amount = self.money(*amount);
                self.value(label, amount);
                self.method(payment_method_id);
            }
            Change::Balance {
                payment_method_id,
                from,
                to,
            } => {
                let label = self.say(words!("Balance of the gift card", "Guthaben der Geschenkkarte"));
                let (from, to) = (self.money(*from), self.money(*to));
                self.row(label, Some(from), Some(to));
                self.method(payment_method_id);
            }
            Change::Return {
                item_ids,
                amount,
                payment_method_id,
            } => {
                for item in item_ids {
                    self.value(words!("Item that comes back", "Artikel, der zurückkommt"), item);
                }
                let amount = self.money(*amount);
                self.value(words!("Refund when it is back", "Erstattung nach der Rückkehr"), amount);
                self.method(payment_method_id);
            }
            Change::Exchange {
                swaps,
                difference,
                payment_method_id,
            } => {
                for Swap { item_id, new_item_id } in swaps {
                    let label = self.say(words!("Exchange", "Umtausch"));
                    self.row(label, Some(item_id.clone()), Some(new_item_id.clone()));
                }
                let difference = self.money(*difference);
                self.value(words!("Difference in price", "Unterschied im Preis"), difference);
                self.method(payment_method_id);
            }
            Change::Coupon { discount, days } => {
                let worth = match discount {
                    Discount::Percent { percent, at_most } => {
                        let most = self.say(words!("at most", "höchstens"));
                        format!("{percent} %, {most} {}", self.money(*at_most))
                    }
                    Discount::Amount { amount } => self.money(*amount),
                };
                self.value(words!("Coupon", "Gutschein"), worth);
                self.value(
                    words!("Valid for so many days", "Gültig für so viele Tage"),
                    days.to_string(),
                );
            }
            Change::CrmNote { text } => self.value(
                words!("Note, written by the assistant", "Notiz, vom Assistenten geschrieben"),
                text,
            ),
            Change::HandOff { summary } => {
                self.value(
                    words!(
                        "For our staff, written by the assistant",
                        "Für unser Team, vom Assistenten geschrieben"
                    ),
                    summary,
                );
            }
        }
    }

    fn method(&mut self, id: &str) {
        self.value(words!("Payment method", "Zahlungsart"), id);
    }

    fn address(&mut self, whose: LocalizedText, from: Option<&Address>, to: &Address) {
        let Address {
            address1,
            address2,
            city,
            state,
            zip,
            country,
        } = to;
        let parts = [
            (words!("street", "Straße"), from.map(|from| &from.address1), address1),
            (
                words!("second line", "zweite Zeile"),
                from.map(|from| &from.address2),
                address2,
            ),
            (words!("city", "Ort"), from.map(|from| &from.city), city),
            (words!("state", "Bundesland"), from.map(|from| &from.state), state),
            (words!("postal code", "Postleitzahl"), from.map(|from| &from.zip), zip),
            (words!("country", "Land"), from.map(|from| &from.country), country),
        ];
        let whose = self.say(whose);
        for (part, before, after) in parts {
            // A part that is empty before and after is none.
            if before.is_none_or(|before| before.is_empty()) && after.is_empty() {
                continue;
            }
            let label = format!("{whose}, {}", self.say(part));
            self.row(label, before.cloned(), Some(after.clone()));
        }
    }

    /// A line of an order as it was, or as it will be.
    fn line(&mut self, line: &Line, before: bool) {
        let Line {
            item_id,
            product_id,
            name,
            options,
            price,
            quantity,
        } = line;
        let item = self.say(words!("Item", "Artikel"));
        let mut rows = vec![
            (item.to_owned(), name.clone()),
            (
                format!("{item}, {}", self.say(words!("quantity", "Anzahl"))),
                quantity.to_string(),
            ),
            (
                format!("{item}, {}", self.say(words!("price of one", "Einzelpreis"))),
                self.money(*price),
            ),
            (
                format!("{item}, {}", self.say(words!("item number", "Artikelnummer"))),
                item_id.clone(),
            ),
            (
                format!("{item}, {}", self.say(words!("product", "Produkt"))),
                product_id.clone(),
            ),
        ];
        rows.extend(
            options
                .iter()
                .map(|(name, value)| (format!("{item}, {name}"), value.clone())),
        );
        for (label, value) in rows {
            match before {
                true => self.row(label, Some(value), None),
                false => self.row(label, None, Some(value)),
            }
        }
    }
}

fn status(status: OrderStatus) -> LocalizedText {
    match status {
        OrderStatus::Pending => words!("placed", "bestellt"),
        OrderStatus::PendingItemsModified => words!("placed, items changed", "bestellt, Artikel geändert"),
        OrderStatus::Processed => words!("sent", "versandt"),
        OrderStatus::Delivered => words!("delivered", "zugestellt"),
        OrderStatus::Cancelled => words!("cancelled", "storniert"),
        OrderStatus::ReturnRequested => words!("return requested", "Rücksendung erbeten"),
        OrderStatus::ExchangeRequested => words!("exchange requested", "Umtausch erbeten"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// One change of each kind, as data.
    fn samples() -> Vec<Value> {
        let address = |city: &str| json!({ "address1": "1 Lane", "address2": "Flat 2", "city": city, "state": "ME", "zip": "HU1", "country": "UK" });
        let line = |item: &str| json!({ "item_id": item, "product_id": "p", "name": "Mug", "options": { "color": "blue" }, "price": { "amount": "1.50", "currency": "USD" }, "quantity": 2 });
        let money = json!({ "amount": "12.00", "currency": "USD" });
        vec![
            json!({ "change": "status", "from": "pending", "to": "cancelled" }),
            json!({ "change": "order_address", "from": address("Hull"), "to": address("York") }),
            json!({ "change": "profile_address", "from": address("Hull"), "to": address("York") }),
            json!({ "change": "lines", "from": [line("a")], "to": [line("b"), line("c")] }),
            json!({ "change": "payment", "kind": "refund", "amount": money, "payment_method_id": "card" }),
            json!({ "change": "balance", "payment_method_id": "gift", "from": money, "to": { "amount": "9.00", "currency": "USD" } }),
            json!({ "change": "return", "item_ids": ["a", "b"], "payment_method_id": "card" }),
            json!({ "change": "exchange", "swaps": [{ "item_id": "a", "new_item_id": "b" }], "difference": money, "payment_method_id": "card" }),
            json!({ "change": "coupon", "discount": { "kind": "percent", "percent": 10, "at_most": money }, "days": 30 }),
            json!({ "change": "coupon", "discount": { "kind": "amount", "amount": money }, "days": 30 }),
            json!({ "change": "crm_note", "text": "likes tea" }),
            json!({ "change": "hand_off", "summary": "wants a person" }),
        ]
    }

    /// Every place of a value that holds text or a number.
    fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| leaves(value, format!("{at}/{name}"), found)),
            Value::Array(all) => all
                .iter()
                .enumerate()
                .for_each(|(place, value)| leaves(value, format!("{at}/{place}"), found)),
            _ => found.push(at),
        }
    }

    fn rendered(change: &Value) -> Option<[Vec<Detail>; 2]> {
        let change: Change = serde_json::from_value(change.clone()).ok()?;
        Some([Language::En, Language::De].map(|language| render(None, std::slice::from_ref(&change), language)))
    }

    #[test]
    fn every_kind_of_change_has_a_sample() {
        let kinds: std::collections::HashSet<_> = samples().iter().map(|sample| sample["change"].to_string()).collect();
        // A kind more must be added to the samples: this match says so when it does not compile.
        let known = |change: &Change| match change {
            Change::Status { .. }
            | Change::OrderAddress { .. }
            | Change::ProfileAddress { .. }
            | Change::Lines { .. }
            | Change::Payment { .. }
            | Change::Balance { .. }
            | Change::Return { .. }
            | Change::Exchange { .. }
            | Change::Coupon { .. }
            | Change::CrmNote { .. }
            | Change::HandOff { .. } => 11,
        };
        let change: Change = serde_json::from_value(samples()[0].clone()).expect("a change");
        assert_eq!(kinds.len(), known(&change));
    }

    proptest! {
        /// A field of a change that is another one is shown otherwise, in every language.
        #[test]
        fn another_plan_is_shown_otherwise(sample in 0..12usize, place in any::<prop::sample::Index>(), text in "[a-zA-Z0-9 ,.;:/()-]{0,20}", number in 1..10_000u32) {
            let original = samples()[sample].clone();
            let mut places = Vec::new();
            leaves(&original, String::new(), &mut places);
            places.retain(|at| !at.ends_with("/change") && at != "/discount/kind");
            let at = place.get(&places);
            let mut other = original.clone();
            let replaced = other.pointer_mut(at).expect("a place");
            *replaced = match (&*replaced, at.rsplit('/').next()) {
                (Value::Number(_), _) => json!(number),
                (_, Some("amount")) => json!(format!("{}.{:02}", number / 100, number % 100)),
                (_, Some("currency")) => json!("EUR"),
                (_, Some("kind")) => json!("payment"),
                (_, Some("from" | "to")) if sample == 0 => json!(["pending", "delivered", "processed", "return_requested"][number as usize % 4]),
                _ => json!(text),
            };
            if let Some(shown) = rendered(&other).filter(|_| other != original) {
                let before = rendered(&original).expect("a change");
                prop_assert_ne!(&shown[0], &before[0], "{}", at);
                prop_assert_ne!(&shown[1], &before[1], "{}", at);
            }
        }
    }
}
