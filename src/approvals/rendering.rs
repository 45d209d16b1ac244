//! Renders a plan for the people who decide on it: each field of each change, before and after.
//!
//! A decider must see everything that will happen. The rows are made from the whole list of changes and are part of the plan, and so of the
//! digest that a decision names. The code does not compile if a change has a field that is not rendered here.

use serde::{Deserialize, Serialize};

use super::{Names, OrderRef};
use crate::{
    language::{Language, TextKey},
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

/// Renders every change, field by field, in one language, after what was refunded on the order before and what is promised of the rest.
pub fn render(order: Option<&OrderRef>, changes: &[Change], names: &Names, language: Language) -> Vec<Detail> {
    let mut rows = Rows {
        names,
        language,
        details: Vec::new(),
    };
    if let Some(refunded) = order.and_then(|order| order.refunded) {
        let refunded = rows.money(refunded);
        rows.value(TextKey("detail-refunded-before"), refunded);
    }
    if let Some(promised) = order.and_then(|order| order.promised) {
        let promised = rows.money(promised);
        rows.value(TextKey("detail-promised-before"), promised);
    }
    for change in changes {
        rows.change(change);
    }
    rows.details
}

struct Rows<'a> {
    names: &'a Names,
    language: Language,
    details: Vec<Detail>,
}

impl Rows<'_> {
    fn text(&self, message: TextKey) -> String {
        message.in_language(self.language)
    }

    fn row(&mut self, label: impl Into<String>, before: Option<String>, after: Option<String>) {
        let label = label.into();
        self.details.push(Detail { label, before, after });
    }

    fn value(&mut self, label: TextKey, after: impl Into<String>) {
        let label = self.text(label);
        self.row(label, None, Some(after.into()));
    }

    fn money(&self, money: Money) -> String {
        money.in_language(self.language)
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Status { from, to } => {
                let label = self.text(TextKey("detail-order-status"));
                let (from, to) = (self.status(*from), self.status(*to));
                self.row(label, Some(from), Some(to));
            }
            Change::OrderAddress { from, to } => {
                self.address(TextKey("detail-delivery-address"), Some(from), to);
            }
            Change::ProfileAddress { from, to } => {
                self.address(TextKey("detail-profile-address"), from.as_ref(), to);
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
                    PaymentKind::Payment => TextKey("detail-charge"),
                    PaymentKind::Refund => TextKey("detail-refund"),
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
                let label = self.text(TextKey("detail-gift-card-balance"));
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
                    let item = self.names.item(item).to_owned();
                    self.value(TextKey("detail-returned-item"), item);
                }
                let amount = self.money(*amount);
                self.value(TextKey("detail-refund-on-return"), amount);
                self.method(payment_method_id);
            }
            Change::Exchange {
                swaps,
                difference,
                payment_method_id,
            } => {
                for Swap { item_id, new_item_id } in swaps {
                    let label = self.text(TextKey("detail-exchange"));
                    let [old, new] = [item_id, new_item_id].map(|id| self.names.item(id).to_owned());
                    self.row(label, Some(old), Some(new));
                }
                let difference = self.money(*difference);
                self.value(TextKey("detail-difference"), difference);
                self.method(payment_method_id);
            }
            Change::Coupon { discount, days } => {
                let worth = match discount {
                    Discount::Percent { percent, at_most } => {
                        let values = [("percent", (*percent).into()), ("amount", self.money(*at_most).into())];
                        TextKey("detail-percent").with(self.language, &values)
                    }
                    Discount::Amount { amount } => self.money(*amount),
                };
                self.value(TextKey("detail-coupon"), worth);
                self.value(TextKey("detail-valid-days"), days.to_string());
            }
            Change::CrmNote { text } => self.value(TextKey("detail-note"), text),
            Change::HandOff { summary } => {
                self.value(TextKey("detail-hand-off"), summary);
            }
        }
    }

    fn status(&self, status: OrderStatus) -> String {
        let name = match status {
            OrderStatus::Pending => TextKey("order-status-pending"),
            OrderStatus::PendingItemsModified => TextKey("order-status-pending-items-modified"),
            OrderStatus::Processed => TextKey("order-status-processed"),
            OrderStatus::PartlyShipped => TextKey("order-status-partly-shipped"),
            OrderStatus::Shipped => TextKey("order-status-shipped"),
            OrderStatus::OutForDelivery => TextKey("order-status-out-for-delivery"),
            OrderStatus::Delivered => TextKey("order-status-delivered"),
            OrderStatus::Cancelled => TextKey("order-status-cancelled"),
            OrderStatus::ReturnRequested => TextKey("order-status-return-requested"),
            OrderStatus::ExchangeRequested => TextKey("order-status-exchange-requested"),
        };
        self.text(name)
    }

    fn method(&mut self, id: &str) {
        let name = self.names.method(id, self.language).to_owned();
        self.value(TextKey("detail-payment-method"), name);
    }

    fn address(&mut self, whose: TextKey, from: Option<&Address>, to: &Address) {
        let Address {
            address1,
            address2,
            city,
            state,
            zip,
            country,
        } = to;
        let parts = [
            (TextKey("detail-street"), from.map(|from| &from.address1), address1),
            (TextKey("detail-second-line"), from.map(|from| &from.address2), address2),
            (TextKey("detail-city"), from.map(|from| &from.city), city),
            (TextKey("detail-state"), from.map(|from| &from.state), state),
            (TextKey("detail-postal-code"), from.map(|from| &from.zip), zip),
            (TextKey("detail-country"), from.map(|from| &from.country), country),
        ];
        let whose = self.text(whose);
        for (part, before, after) in parts {
            // A part that is empty before and after is left out.
            if before.is_none_or(std::string::String::is_empty) && after.is_empty() {
                continue;
            }
            let label = format!("{whose}, {}", self.text(part));
            self.row(label, before.cloned(), Some(after.clone()));
        }
    }

    /// Adds a line of an order as it was, or as it will be.
    fn line(&mut self, line: &Line, before: bool) {
        let Line {
            item_id,
            product_id,
            name,
            options,
            price,
            quantity,
            total,
        } = line;
        let item = self.text(TextKey("detail-item"));
        let mut rows = vec![
            (item.clone(), name.clone()),
            (
                format!("{item}, {}", self.text(TextKey("detail-quantity"))),
                quantity.to_string(),
            ),
            (
                format!("{item}, {}", self.text(TextKey("detail-price"))),
                self.money(*price),
            ),
            (
                format!("{item}, {}", self.text(TextKey("detail-item-number"))),
                item_id.clone(),
            ),
            (
                format!("{item}, {}", self.text(TextKey("detail-product"))),
                product_id.clone(),
            ),
        ];
        rows.extend(total.map(|total| {
            let label = format!("{item}, {}", self.text(TextKey("detail-line-total")));
            (label, self.money(total))
        }));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// One change of each kind, as data.
    fn samples() -> Vec<Value> {
        let address = |city: &str| json!({ "address1": "1 Lane", "address2": "Flat 2", "city": city, "state": "ME", "zip": "HU1", "country": "UK" });
        let line = |item: &str| json!({ "item_id": item, "product_id": "p", "name": "Mug", "options": { "color": "blue" }, "price": { "amount": "1.50", "currency": "USD" }, "quantity": 2, "total": { "amount": "2.75", "currency": "USD" } });
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

    /// The paths of all values that are text or a number.
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
        let german: Language = "de".parse().ok()?;
        Some(
            [Language::EN, german]
                .map(|language| render(None, std::slice::from_ref(&change), &Names::default(), language)),
        )
    }

    #[test]
    fn every_kind_of_change_has_a_sample() {
        let kinds: std::collections::HashSet<_> = samples().iter().map(|sample| sample["change"].to_string()).collect();
        // A new kind of change must be added to the samples: this match does not compile without it.
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
        /// A change with one field changed is rendered differently, in every language.
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
