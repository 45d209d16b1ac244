//! Shopify's products. Each row is a variant, or only a picture; the first has the product's fields. There are no ids: a product is known by
//! its handle, and a variant by its SKU, which orders name too.

use std::collections::BTreeSet;

use super::super::{fields, table::Row};
use crate::{
    money::{self, Currency},
    store::{
        Options,
        records::{ProductRecord, Record, VariantRecord},
    },
};

pub(in super::super) fn record(rows: &[Row], currency: Currency) -> Result<Record, String> {
    let Some(first) = rows.first() else {
        return Err("there is no row".into());
    };
    let handle = fields::id(first.get(&["Handle", "URL handle"]));
    if handle.is_empty() {
        return Err(fields::fault(first, &["Handle", "URL handle"], "is empty"));
    }
    let name = fields::line(first.get(&["Title"]), 200);
    if name.is_empty() {
        return Err(
            "`Title` is empty: the rows of one product must stand together, the one with its title first".into(),
        );
    }
    let status = first.get(&["Status"]).to_lowercase();
    let is_published = !matches!(
        first
            .get(&["Published", "Published on online store"])
            .to_lowercase()
            .as_str(),
        "false" | "no"
    );
    let is_sold = is_published && (status.is_empty() || status == "active");
    // The names of the options stand in the first row alone.
    let names = [1, 2, 3].map(|at| fields::line(first.get(&[&format!("Option{at} Name")]), 200));
    let mut ids = BTreeSet::new();
    let mut variants = Vec::new();
    for row in rows {
        if row.get(&["Variant Price", "Price"]).is_empty() {
            continue;
        }
        let variant = variant(row, &handle, &names, is_sold, currency)
            .map_err(|reason| format!("{reason} (line {})", row.line))?;
        variants.push(distinct(variant, &handle, &mut ids));
    }
    let picture = rows
        .iter()
        .map(|row| row.get(&["Image Src", "Product image URL"]))
        .find(|src| !src.is_empty());
    Ok(Record::Product(ProductRecord {
        name,
        description: fields::plain_text(first.get(&["Body (HTML)", "Description"]), 4000),
        picture: picture.and_then(fields::picture),
        variants,
        variants_apart: Vec::new(),
        id: handle,
    }))
}

fn variant(
    row: &Row,
    handle: &str,
    names: &[String; 3],
    is_sold: bool,
    currency: Currency,
) -> Result<VariantRecord, String> {
    let mut options = Options::new();
    for (at, name) in (1..).zip(names) {
        let value = fields::line(row.get(&[&format!("Option{at} Value")]), 200);
        // A product without options has one that says nothing.
        if value.is_empty() || (name.as_str(), value.as_str()) == ("Title", "Default Title") {
            continue;
        }
        let name = if name.is_empty() {
            format!("option {at}")
        } else {
            name.clone()
        };
        options.insert(name, value);
    }
    let sku = fields::id(row.get(&["Variant SKU", "SKU"]));
    let id = if sku.is_empty() {
        let values: Vec<&str> = options.values().map(String::as_str).collect();
        match values.is_empty() {
            true => handle.to_owned(),
            false => fields::id(&format!("{handle}/{}", fields::id_of_name(&values.join(" ")))),
        }
    } else {
        sku
    };
    let price = fields::needed_amount(row, &["Variant Price", "Price"], currency)?;
    Ok(VariantRecord {
        id,
        options,
        price: money::decimal(price, currency.decimals()),
        available: is_sold && is_in_stock(row)?,
    })
}

/// A shop may not count a variant, or sell what it has no more of.
fn is_in_stock(row: &Row) -> Result<bool, String> {
    let tracker = row.get(&["Variant Inventory Tracker", "Inventory tracker"]);
    let oversells = ["continue", "true"].contains(
        &row.get(&["Variant Inventory Policy", "Continue selling when out of stock"])
            .to_lowercase()
            .as_str(),
    );
    let columns = ["Variant Inventory Qty", "Inventory quantity"];
    let left = row.get(&columns);
    if tracker.is_empty() || oversells || left.is_empty() {
        return Ok(true);
    }
    left.parse::<i64>()
        .map(|left| left > 0)
        .map_err(|_| fields::fault(row, &columns, "must be a whole number"))
}

/// Variants of one product may share a SKU, or have none: the later ones get a number.
fn distinct(mut variant: VariantRecord, handle: &str, taken: &mut BTreeSet<String>) -> VariantRecord {
    let given = variant.id.clone();
    let mut number = 2;
    while !taken.insert(variant.id.clone()) {
        let short: String = format!("{handle}/{given}").chars().take(110).collect();
        variant.id = format!("{short}-{number}");
        number += 1;
    }
    variant
}
