//! WooCommerce's products. A variation names its product, which may stand anywhere in the file, so products with variations are held until its
//! end; the others are passed on one by one.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
};

use super::super::{
    fields,
    table::{Row, Table},
};
use crate::{
    money::{self, Currency},
    store::{
        Options,
        records::{ProductRecord, Record, VariantRecord},
    },
};

type Read = (usize, Result<Record, String>);

pub(in super::super) struct Products {
    table: Table,
    currency: Currency,
    /// The products that have variations, by id.
    held: BTreeMap<String, (usize, ProductRecord)>,
    /// Their ids by SKU.
    by_sku: BTreeMap<String, String>,
    /// Variations with what they name their product by.
    variations: Vec<(usize, String, VariantRecord)>,
    /// What is left to pass on once the file has ended.
    rest: Option<VecDeque<Read>>,
}

impl Products {
    pub fn new(table: Table, currency: Currency) -> Self {
        Self {
            table,
            currency,
            held: BTreeMap::new(),
            by_sku: BTreeMap::new(),
            variations: Vec::new(),
            rest: None,
        }
    }

    /// What a row becomes at once, if it does.
    fn take(&mut self, row: &Row) -> Result<Option<Record>, String> {
        if let Some(fault) = &row.fault {
            return Err(fault.clone());
        }
        let id = fields::id(row.get(&["ID"]));
        if id.is_empty() {
            return Err(fields::fault(row, &["ID"], "is empty"));
        }
        let kinds = row.get(&["Type"]).to_lowercase();
        let is = |kind: &str| kinds.split(',').any(|it| it.trim() == kind);
        if is("variation") {
            let parent = row.get(&["Parent"]).to_owned();
            if parent.is_empty() {
                return Err(fields::fault(
                    row,
                    &["Parent"],
                    "is empty, and a variation must name its product",
                ));
            }
            if let Some(variant) = variant(row, id, self.currency)? {
                self.variations.push((row.line, parent, variant));
            }
            return Ok(None);
        }
        let name = fields::plain_text(row.get(&["Name"]), 200);
        if name.is_empty() {
            return Err(fields::fault(row, &["Name"], "is empty"));
        }
        let description = match row.get(&["Description"]) {
            "" => row.get(&["Short description"]),
            long => long,
        };
        let picture = row.get(&["Images"]).split(", ").next().unwrap_or_default().trim();
        let mut product = ProductRecord {
            id: id.clone(),
            name,
            description: fields::plain_text(description, 4000),
            picture: fields::picture(picture),
            variants: Vec::new(),
            variants_apart: Vec::new(),
        };
        if is("variable") {
            let sku = row.get(&["SKU"]);
            if !sku.is_empty() {
                self.by_sku.insert(sku.to_owned(), id.clone());
            }
            self.held.insert(id, (row.line, product));
            return Ok(None);
        }
        product.variants.extend(variant(row, id, self.currency)?);
        Ok(Some(Record::Product(product)))
    }

    /// Puts variations to their products.
    fn end(&mut self) -> VecDeque<Read> {
        let mut rest = VecDeque::new();
        for (line, parent, variant) in std::mem::take(&mut self.variations) {
            let id = match parent.strip_prefix("id:") {
                Some(id) => Some(id.trim().to_owned()),
                None => self.by_sku.get(&parent).cloned(),
            };
            match id.and_then(|id| self.held.get_mut(&id)) {
                Some((_, product)) => product.variants.push(variant),
                None => rest.push_back((
                    line,
                    Err("`Parent` names no product with variations in this file".into()),
                )),
            }
        }
        let held = std::mem::take(&mut self.held).into_values();
        rest.extend(held.map(|(line, product)| (line, Ok(Record::Product(product)))));
        rest
    }
}

impl Iterator for Products {
    type Item = io::Result<Read>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.pop_front().map(Ok);
            }
            match self.table.next() {
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(row)) => match self.take(&row) {
                    Ok(None) => {}
                    Ok(Some(record)) => return Some(Ok((row.line, Ok(record)))),
                    Err(reason) => return Some(Ok((row.line, Err(reason)))),
                },
                None => self.rest = Some(self.end()),
            }
        }
    }
}

/// A variation, or a product that is its only variant; none where it has no price, because then it cannot be bought.
fn variant(row: &Row, id: String, currency: Currency) -> Result<Option<VariantRecord>, String> {
    let Some(price) = price(row, currency)? else {
        return Ok(None);
    };
    let is_variation = !row.get(&["Parent"]).is_empty();
    let mut options = Options::new();
    for at in 1..=50 {
        let (name, values) = (format!("Attribute {at} name"), format!("Attribute {at} value(s)"));
        if !row.has_column(&name) {
            break;
        }
        let (name, value) = (
            fields::plain_text(row.get(&[&name]), 200),
            fields::plain_text(row.get(&[&values]), 200),
        );
        // A product lists all values of an attribute, a variation has one of them.
        if is_variation && !name.is_empty() && !value.is_empty() {
            options.insert(name, value);
        }
    }
    // 1 is published, 0 is private, -1 is a draft.
    let is_published = row.get(&["Published"]) == "1";
    let is_in_stock = match row.get(&["In stock?"]).to_lowercase().as_str() {
        "1" | "yes" | "true" | "instock" | "backorder" | "onbackorder" => true,
        "" => {
            let stock = row.get(&["Stock"]);
            stock.is_empty()
                || fields::quantity(stock)
                    .map_err(|reason| fields::fault(row, &["Stock"], reason))?
                    .is_some()
        }
        _ => false,
    };
    Ok(Some(VariantRecord {
        id,
        options,
        price: money::decimal(price, currency.decimals()),
        available: is_published && is_in_stock,
    }))
}

fn price(row: &Row, currency: Currency) -> Result<Option<i64>, String> {
    let sale = fields::amount(row, &["Sale price"], currency)?;
    Ok(sale.or(fields::amount(row, &["Regular price"], currency)?))
}
