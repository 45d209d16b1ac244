//! WooCommerce's products. One with variations tells only their ids; each variation comes in an event of its own, as a product with a parent.
//!
//! The fields are those of <https://woocommerce.github.io/woocommerce-rest-api-docs/#product-properties>.

use serde_json::Value;

use super::{
    amounts::amount,
    body::{id, name, version},
};
use crate::{
    integrations::{
        event_source::{Meaning, Outcome},
        html,
        json_fields::{is_web_address, list, text},
    },
    money::{self, Currency},
    store::{
        Options,
        records::{ProductRecord, Record, VariantRecord},
    },
};

pub(super) fn product(body: &Value, currency: Currency) -> Meaning {
    let looks_like_one = body.get("line_items").is_none() && body["type"].is_string();
    let Some(product) = id(&body["id"]).filter(|_| looks_like_one) else {
        return Meaning::Unreadable("`id` or `type` is missing: this is not a product".into());
    };
    if matches!(body["status"].as_str(), Some("auto-draft" | "importing")) {
        return Meaning::Applied(Outcome::Ignored("the shop has not saved the product yet"));
    }
    if body["type"] == "variation" {
        return variation(product, body, currency);
    }
    let variations: Vec<String> = list(&body["variations"]).iter().filter_map(id).take(1000).collect();
    let is_alone = variations.is_empty() && !matches!(body["type"].as_str(), Some("grouped" | "variable"));
    let record = ProductRecord {
        id: product.clone(),
        name: name(&body["name"], 200).unwrap_or_else(|| product.clone()),
        description: description(body),
        picture: list(&body["images"])
            .first()
            .and_then(|image| text(&image["src"]))
            .filter(|src| is_web_address(src)),
        variants: match is_alone {
            true => variant(product.clone(), body, currency).into_iter().collect(),
            false => Vec::new(),
        },
        // Those of a product that is not sold are not sold either.
        variants_apart: if is_sold(body) { variations } else { Vec::new() },
    };
    Meaning::Records {
        kind: "product",
        id: product,
        version: version(body),
        records: vec![Record::Product(record)],
    }
}

fn variation(of: String, body: &Value, currency: Currency) -> Meaning {
    match (id(&body["parent_id"]), variant(of, body, currency)) {
        (Some(product), Some(variant)) => Meaning::Variant {
            product,
            variant,
            version: version(body),
        },
        (None, _) => Meaning::Unreadable("`parent_id` of the variation is missing".into()),
        (_, None) => Meaning::Applied(Outcome::Ignored("the variation has no price: it is not sold")),
    }
}

/// What can be bought. Without a price nothing can.
fn variant(id: String, body: &Value, currency: Currency) -> Option<VariantRecord> {
    let price = amount(&body["price"], currency).filter(|price| *price >= 0)?;
    Some(VariantRecord {
        id,
        options: options(body),
        price: money::decimal(price, currency.decimals()),
        available: is_sold(body) && is_in_stock(body),
    })
}

/// The values of a variation. Those of a product are the choices that there are.
fn options(body: &Value) -> Options {
    let chosen = list(&body["attributes"])
        .iter()
        .filter_map(|attribute| Some((name(&attribute["name"], 200)?, name(&attribute["option"], 200)?)));
    chosen.take(50).collect()
}

fn is_sold(body: &Value) -> bool {
    body["status"].as_str().is_none_or(|status| status == "publish")
        && body["purchasable"] != false
        && body["type"] != "external"
}

/// What is on back-order can be ordered.
fn is_in_stock(body: &Value) -> bool {
    body["stock_status"] != "outofstock" && body["in_stock"] != false
}

fn description(body: &Value) -> String {
    let texts = [&body["description"], &body["short_description"]].into_iter();
    let mut texts = texts.filter_map(text).map(|text| html::description(&text));
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stock_is_what_the_shop_sells() {
        for (changes, expected) in [
            (json!({ "status": "publish", "stock_status": "instock" }), true),
            (json!({ "status": "publish", "stock_status": "onbackorder" }), true),
            (json!({ "status": "publish", "stock_status": "outofstock" }), false),
            (json!({ "status": "draft", "stock_status": "instock" }), false),
            (json!({ "status": "private", "stock_status": "instock" }), false),
            (json!({ "status": "publish", "purchasable": false }), false),
            (json!({ "status": "publish", "type": "external" }), false),
            (json!({ "status": "publish", "in_stock": false }), false),
            (json!({}), true),
        ] {
            let mut body = changes;
            body["price"] = json!("5");
            let told = variant("1".into(), &body, "USD".parse().expect("a currency"));
            assert_eq!(told.map(|variant| variant.available), Some(expected), "{body}");
        }
    }
}
