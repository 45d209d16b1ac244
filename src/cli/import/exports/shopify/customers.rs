//! Shopify's customers, one a row. Older exports have no ids.

use super::super::{
    fields::{self, AddressColumns},
    table::Row,
};
use crate::{
    money::Currency,
    store::records::{Record, ShopperRecord},
};

const DEFAULT: AddressColumns<'static> = AddressColumns {
    street: &["Default Address Address1", "Address1"],
    street2: &["Default Address Address2", "Address2"],
    city: &["Default Address City", "City"],
    state: &["Default Address Province Code", "Province Code", "Province"],
    zip: &["Default Address Zip", "Zip"],
    country: &["Default Address Country Code", "Country Code", "Country"],
};

pub(in super::super) fn record(rows: &[Row], _: Currency) -> Result<Record, String> {
    let Some(row) = rows.first() else {
        return Err("there is no row".into());
    };
    let id = fields::id(row.get(&["Customer ID"]));
    let email = fields::email(row, &["Email"])?;
    if id.is_empty() && email.is_none() {
        return Err("neither `Customer ID` nor `Email` says who the customer is".into());
    }
    Ok(Record::Shopper(ShopperRecord {
        id,
        email,
        first_name: fields::line(row.get(&["First Name"]), 120),
        last_name: fields::line(row.get(&["Last Name"]), 120),
        address: fields::address(row, &DEFAULT),
        payment_methods: Vec::new(),
        from_platform: true,
    }))
}
