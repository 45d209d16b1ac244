//! The lines of Shopify's orders.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{body::id, order_body::Order, refunds::has_status};
use crate::{
    integrations::json_fields::{count, line, list},
    store::records::LineRecord,
};

impl Order<'_> {
    /// The lines as they are now. One that an edit took off is gone; one that was sent back for money was ordered all the same.
    pub(super) fn lines(&self, notes: &mut Vec<String>) -> Vec<LineRecord> {
        let mut sent_back: BTreeMap<String, u32> = BTreeMap::new();
        for refund in list(&self.body["refunds"]) {
            if !list(&refund["transactions"])
                .iter()
                .any(|it| has_status(it, &["success"]))
            {
                continue;
            }
            for line in list(&refund["refund_line_items"]) {
                if let (Some(id), Some(units)) = (id(&line["line_item_id"]), count(&line["quantity"])) {
                    *sent_back.entry(id).or_default() += units;
                }
            }
        }
        let lines = list(&self.body["line_items"]).iter().filter_map(|item| {
            let ordered = count(&item["quantity"]).unwrap_or(1);
            let back = id(&item["id"]).and_then(|id| sent_back.get(&id).copied()).unwrap_or(0);
            let quantity =
                count(&item["current_quantity"]).map_or(ordered, |current| (current + back).min(ordered.max(current)));
            let name = line(&item["title"], 200).or_else(|| line(&item["name"], 200));
            let price = self.amount(&item["price"]).or_else(|| {
                notes.push(format!(
                    "the price of `{}` cannot be read",
                    name.as_deref().unwrap_or("a line")
                ));
                None
            });
            let custom = || "custom".to_owned();
            let total = price.and_then(|price| self.line_total(item, price, (quantity, ordered)));
            (quantity > 0).then(|| LineRecord {
                product_id: id(&item["product_id"]).unwrap_or_else(custom),
                item_id: id(&item["variant_id"]).unwrap_or_else(custom),
                name: name.unwrap_or_else(|| "-".to_owned()),
                options: line(&item["variant_title"], 200)
                    .map(|title| ("variant".to_owned(), title))
                    .into_iter()
                    .collect(),
                price: self.decimal(price.unwrap_or(0)),
                quantity,
                total: total.map(|minor| self.decimal(minor)),
            })
        });
        lines.take(1000).collect()
    }

    /// What `quantity` of the `ordered` units of a line cost, where that is not their price: less the line's share of all discounts, and with its
    /// tax where the prices have none.
    fn line_total(&self, item: &Value, price: i64, (quantity, ordered): (u32, u32)) -> Option<i64> {
        let sum = |all: &str, set: &str, one: &str| -> Option<i64> {
            let amounts = list(&item[all]).iter();
            let amounts = amounts.filter_map(|it| self.shop_money(&it[set]).or_else(|| self.amount(&it[one])));
            (!list(&item[all]).is_empty()).then(|| amounts.sum())
        };
        let discount = sum("discount_allocations", "amount_set", "amount")
            .or_else(|| self.amount(&item["total_discount"]))
            .unwrap_or(0);
        let tax = match self.body["taxes_included"] == true {
            true => 0,
            false => sum("tax_lines", "price_set", "price").unwrap_or(0),
        };
        let full = price.checked_mul(ordered.into())?;
        let whole = (full - discount).max(0).checked_add(tax)?;
        let of_those = i128::from(whole) * i128::from(quantity) / i128::from(ordered.max(1));
        let total = i64::try_from(of_those).ok()?;
        (Some(total) != price.checked_mul(quantity.into())).then_some(total)
    }
}
