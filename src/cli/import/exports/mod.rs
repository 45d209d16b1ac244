//! The CSV files that shops' admin pages export, as records of the import format. What a file holds is told by its header row.

mod fields;
mod layouts;
mod shopify;
mod table;
mod woocommerce;

use std::io::{self, Read};

use super::{Entries, Entry, Kind, apply::Origin};
use crate::money::Currency;
use table::{Row, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    Shopify,
    WooCommerce,
}

/// How the rows of a file become records.
#[derive(Clone, Copy)]
enum Reading {
    /// Adjacent rows with the same value in one of these columns are one record.
    Groups {
        key: &'static [&'static str],
        record: fn(&[Row], Currency) -> Result<super::Record, String>,
    },
    /// WooCommerce's products: a product and its variations may stand anywhere in the file.
    Variations,
}

/// The records of a file. The error says why it is none that is known here.
pub(super) fn entries(
    source: Box<dyn Read + Send>,
    platform: Option<Platform>,
    currency: Currency,
) -> Result<Entries<'static>, String> {
    let table = Table::open(source)?;
    let layout = layouts::of(&table, platform)?;
    let entry = move |line: usize, record| Entry {
        line,
        record,
        kind: Some(layout.kind),
        origin: Origin::Export {
            has_ids: layout.platform == Platform::WooCommerce,
        },
    };
    match layout.reading {
        Reading::Variations => {
            let products = woocommerce::products::Products::new(table, currency);
            Ok(Box::new(
                products.map(move |found| found.map(|(line, record)| entry(line, record))),
            ))
        }
        Reading::Groups { key, record } => {
            let groups = table::Groups::new(table, key);
            let records = groups.map(move |rows: io::Result<Vec<Row>>| {
                let rows = rows?;
                let line = rows.first().map_or(0, |row| row.line);
                let fault = rows.iter().find_map(|row| {
                    let fault = row.fault.as_ref()?;
                    Some(match row.line == line {
                        true => fault.clone(),
                        false => format!("line {}: {fault}", row.line),
                    })
                });
                let read = match fault {
                    Some(fault) => Err(fault),
                    None => record(&rows, currency),
                };
                Ok(entry(line, read))
            });
            Ok(Box::new(records))
        }
    }
}
