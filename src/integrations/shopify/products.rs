//! Shopify's products with their variants.

use serde_json::Value;

use super::body::id;
use crate::{
    integrations::{
        event_source::Meaning,
        html,
        json_fields::{amount, line, list, text, time},
    },
    money::{self, Currency},
    store::{
        Options,
        records::{ProductRecord, Record, VariantRecord},
    },
};

pub(super) fn product(body: &Value, currency: Currency) -> Meaning {
    let (Some(product), true) = (id(&body["id"]), body["variants"].is_array()) else {
        return Meaning::Unreadable("`id` or `variants` is missing".into());
    };
    let is_sold = text(&body["status"]).is_none_or(|status| status == "active");
    let names: Vec<String> = list(&body["options"])
        .iter()
        .map(|option| line(&option["name"], 200).unwrap_or_default())
        .collect();
    let variants = list(&body["variants"]).iter().filter_map(|variant| {
        Some(VariantRecord {
            id: id(&variant["id"])?,
            options: options(variant, &names),
            price: money::decimal(amount(&variant["price"], currency)?, currency.decimals()),
            available: is_sold && is_in_stock(variant),
        })
    });
    let picture = text(&body["image"]["src"]).filter(|src| src.starts_with("https://") && src.len() <= 1000);
    let record = ProductRecord {
        id: product.clone(),
        name: line(&body["title"], 200).unwrap_or_else(|| product.clone()),
        description: html::description(&text(&body["body_html"]).unwrap_or_default()),
        picture,
        variants: variants.take(1000).collect(),
        variants_apart: Vec::new(),
    };
    Meaning::Records {
        kind: "product",
        id: product,
        version: time(&body["updated_at"]).map_or(0, |at| at.timestamp_millis()),
        records: vec![Record::Product(record)],
    }
}

/// A variant has the values of up to three options; a product without options has one that says nothing.
fn options(variant: &Value, names: &[String]) -> Options {
    let values = ["option1", "option2", "option3"].map(|field| line(&variant[field], 200));
    let named = values.into_iter().enumerate().filter_map(|(at, value)| {
        let name = names.get(at).filter(|name| !name.is_empty()).cloned();
        Some((name.unwrap_or_else(|| format!("option {}", at + 1)), value?))
    });
    named
        .filter(|(name, value)| (name.as_str(), value.as_str()) != ("Title", "Default Title"))
        .collect()
}

/// A shop may not count a variant, or sell what it has no more of.
fn is_in_stock(variant: &Value) -> bool {
    text(&variant["inventory_management"]).is_none()
        || variant["inventory_policy"] == "continue"
        || variant["inventory_quantity"].as_i64().is_none_or(|left| left > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lone_variant_has_no_options() {
        let lone = json!({ "option1": "Default Title", "option2": null });
        assert!(options(&lone, &["Title".into()]).is_empty());
        let named = options(&json!({ "option1": "M", "option2": "navy" }), &["Size".into()]);
        let named: Vec<(&str, &str)> = named
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(named, [("Size", "M"), ("option 2", "navy")]);
    }

    #[test]
    fn stock_is_what_the_shop_sells() {
        for (variant, expected) in [
            (
                json!({ "inventory_management": "shopify", "inventory_quantity": 0 }),
                false,
            ),
            (
                json!({ "inventory_management": "shopify", "inventory_quantity": 3 }),
                true,
            ),
            (
                json!({ "inventory_management": "shopify", "inventory_quantity": -1, "inventory_policy": "continue" }),
                true,
            ),
            (json!({ "inventory_management": null, "inventory_quantity": 0 }), true),
        ] {
            assert_eq!(is_in_stock(&variant), expected, "{variant}");
        }
    }
}
