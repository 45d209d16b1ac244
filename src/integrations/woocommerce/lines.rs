//! The lines of an order: what was bought, at the price that the shopper saw.

use serde_json::Value;

use super::{
    amounts::amount,
    body::{id, name},
};
use crate::{
    integrations::json_fields::{list, text},
    money::{self, Currency},
    store::{Options, records::LineRecord},
};

/// The lines of an order, and what their amounts come to.
pub(super) struct Lines {
    pub records: Vec<LineRecord>,
    /// The sum of the records' prices, in minor units.
    pub goods: i64,
    /// What lines with a negative price take off: plug-ins for discounts write such.
    pub discount: i64,
    /// What of them could not be taken, for staff.
    pub notes: Vec<String>,
}

/// An order's lines. Prices have the tax in them where the shop enters its prices so: then that is what the shopper saw.
pub(super) fn lines(body: &Value, with_tax: bool, currency: Currency) -> Lines {
    let mut lines = Lines {
        records: Vec::new(),
        goods: 0,
        discount: 0,
        notes: Vec::new(),
    };
    for item in list(&body["line_items"]).iter().take(1000) {
        let label = name(&item["name"], 180).unwrap_or_else(|| "-".to_owned());
        let quantity = Quantity::of(&item["quantity"]);
        if matches!(quantity, Quantity::Units(0)) {
            continue;
        }
        let cost = cost(item, with_tax, currency);
        if cost.is_none() {
            lines.notes.push(format!("the price of `{label}` cannot be read"));
        }
        let cost = cost.unwrap_or(0);
        if cost < 0 {
            lines.discount -= cost;
            continue;
        }
        let (units, label) = match quantity {
            Quantity::Units(units) => (units, label),
            Quantity::Other(amount) => (1, format!("{label} × {amount}")),
        };
        let price = rounded_share(cost, units);
        lines.goods += price * i64::from(units);
        let product = id(&item["product_id"]);
        let custom = || "custom".to_owned();
        lines.records.push(LineRecord {
            item_id: id(&item["variation_id"])
                .or_else(|| product.clone())
                .unwrap_or_else(custom),
            product_id: product.unwrap_or_else(custom),
            name: label,
            options: options(item),
            price: money::decimal(price, currency.decimals()),
            quantity: units,
            total: paid_for(item, currency).map(|minor| money::decimal(minor, currency.decimals())),
        });
    }
    lines
}

/// How much of a thing was bought.
enum Quantity {
    Units(u32),
    /// A part of a unit, such as 1.5 kg by a plug-in, or more units than a line can have: told in the line's name.
    Other(String),
}

impl Quantity {
    fn of(value: &Value) -> Self {
        let Some(told) = text(value) else { return Self::Units(1) };
        match told.parse::<f64>() {
            Ok(amount) if amount <= 0.0 => Self::Units(0),
            Ok(amount) if amount.fract() == 0.0 && amount <= 10_000.0 => {
                Self::Units(format!("{amount:.0}").parse().unwrap_or(1))
            }
            Ok(_) => Self::Other(told.chars().take(15).collect()),
            Err(_) => Self::Units(1),
        }
    }
}

/// What was paid for a line: after discounts and with its tax, which WooCommerce tells apart whether prices have it in them or not.
fn paid_for(item: &Value, currency: Currency) -> Option<i64> {
    let tax = amount(&item["total_tax"], currency).unwrap_or(0);
    Some(amount(&item["total"], currency)? + tax).filter(|minor| *minor >= 0)
}

/// What a line cost before discounts. `price` is what it cost after them, with PHP's decimals (woocommerce/woocommerce 27911), so it is only
/// taken where nothing else is told.
fn cost(item: &Value, with_tax: bool, currency: Currency) -> Option<i64> {
    let whole = |cost: &str, tax: &str| {
        let tax = if with_tax {
            amount(&item[tax], currency).unwrap_or(0)
        } else {
            0
        };
        Some(amount(&item[cost], currency)? + tax)
    };
    let of_units = || {
        let units = text(&item["quantity"]).map_or(Some(1), |units| units.parse::<i64>().ok())?;
        amount(&item["price"], currency)?.checked_mul(units)
    };
    whole("subtotal", "subtotal_tax")
        .or_else(|| whole("total", "total_tax"))
        .or_else(of_units)
}

/// The price of one unit. Where a line's cost is no multiple of it, WooCommerce has rounded the tax of the line and not of the unit.
fn rounded_share(cost: i64, units: u32) -> i64 {
    let units = i64::from(units);
    (2 * cost + units) / (2 * units)
}

/// The attributes of the variation and what the shopper wrote. Fields that begin with `_` are plug-ins' own; values that are lists or
/// objects are for programs (XiaoFaye/WooCommerce.NET 606).
fn options(item: &Value) -> Options {
    let told = list(&item["meta_data"]).iter().filter_map(|field| {
        let key = text(&field["key"]).filter(|key| !key.starts_with('_'))?;
        let label = name(&field["display_key"], 200).unwrap_or(key.strip_prefix("pa_").unwrap_or(&key).to_owned());
        let value = name(&field["display_value"], 200).or_else(|| name(&field["value"], 200))?;
        Some((name(&Value::from(label), 200)?, value))
    });
    told.take(50).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(items: Value, with_tax: bool) -> Lines {
        lines(
            &json!({ "line_items": items }),
            with_tax,
            "USD".parse().expect("a currency"),
        )
    }

    #[test]
    fn a_unit_costs_what_the_shopper_saw() {
        let three = json!([{ "quantity": 3, "subtotal": "25.18", "subtotal_tax": "4.78", "total": "20.00", "total_tax": "3.80", "price": 6.666_666_666 }]);
        for (with_tax, price, goods) in [(true, "9.99", 2997), (false, "8.39", 2517)] {
            let lines = read(three.clone(), with_tax);
            assert_eq!((lines.records[0].price.as_str(), lines.goods), (price, goods));
        }
        let only_price = read(json!([{ "quantity": 2, "price": 14.309_999_999_999_999 }]), false);
        assert_eq!(only_price.records[0].price, "14.31");
    }

    #[test]
    fn quantities_that_are_no_units_stand_in_the_name() {
        for (quantity, units, name) in [
            (json!(1.5), 1, "Cheese × 1.5"),
            (json!("2"), 2, "Cheese"),
            (json!(2.0), 2, "Cheese"),
            (json!(20_000), 1, "Cheese × 20000"),
            (json!(null), 1, "Cheese"),
            (json!("some"), 1, "Cheese"),
        ] {
            let read = read(
                json!([{ "name": "Cheese", "quantity": quantity, "subtotal": "12.00" }]),
                false,
            );
            assert_eq!((read.records[0].quantity, read.records[0].name.as_str()), (units, name));
        }
        assert!(
            read(json!([{ "quantity": 0, "subtotal": "12.00" }]), false)
                .records
                .is_empty()
        );
    }

    #[test]
    fn a_line_that_costs_less_than_nothing_is_a_discount() {
        let lines = read(
            json!([{ "name": "3 for 2", "quantity": 1, "subtotal": "-5.00" }, { "name": "Mug", "subtotal": "x" }]),
            false,
        );
        assert_eq!((lines.discount, lines.goods, lines.records.len()), (500, 0, 1));
        assert_eq!(lines.notes, ["the price of `Mug` cannot be read"]);
    }

    #[test]
    fn options_are_what_people_read() {
        let item = json!({ "meta_data": [
            { "key": "pa_color", "value": "navy-blue", "display_key": "Color", "display_value": "<p>Navy &amp; blue</p>" },
            { "key": "size", "value": "M" }, { "key": "_reduced_stock", "value": "1" },
            { "key": "bundle", "value": [1, 2], "display_value": { "id": 1 } }, { "key": "pa_fit", "value": "slim" }] });
        let options = options(&item);
        let options: Vec<(&str, &str)> = options
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(options, [("Color", "Navy & blue"), ("fit", "slim"), ("size", "M")]);
    }
}
