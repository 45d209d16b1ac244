//! WooCommerce's customers, one a row.

use super::super::{
    fields::{self, AddressColumns},
    table::Row,
};
use crate::{
    money::Currency,
    store::records::{Record, ShopperRecord},
};

const SHIPPING: AddressColumns<'static> = AddressColumns {
    street: &["shipping_address_1"],
    street2: &["shipping_address_2"],
    city: &["shipping_city"],
    state: &["shipping_state"],
    zip: &["shipping_postcode"],
    country: &["shipping_country"],
};
const BILLING: AddressColumns<'static> = AddressColumns {
    street: &["billing_address_1"],
    street2: &["billing_address_2"],
    city: &["billing_city"],
    state: &["billing_state"],
    zip: &["billing_postcode"],
    country: &["billing_country"],
};

/// A row of the customers report of Analytics. It has no ids and no streets: the e-mail address says who it is.
pub(in super::super) fn of_report(rows: &[Row], _: Currency) -> Result<Record, String> {
    let Some(row) = rows.first() else {
        return Err("there is no row".into());
    };
    let email = fields::email(row, &["Email"])?;
    if email.is_none() {
        return Err(fields::fault(row, &["Email"], "is empty"));
    }
    let name = fields::line(row.get(&["Name"]), 240);
    let (first, last) = name.rsplit_once(' ').unwrap_or((&name, ""));
    Ok(shopper(String::new(), email, first, last, row))
}

/// A row of a plug-in that exports users.
pub(in super::super) fn of_plugin(rows: &[Row], _: Currency) -> Result<Record, String> {
    let Some(row) = rows.first() else {
        return Err("there is no row".into());
    };
    let id = fields::id(row.get(&["ID", "customer_id"]));
    let id = if id == "0" { String::new() } else { id };
    let email = fields::email(row, &["user_email"])?;
    if id.is_empty() && email.is_none() {
        return Err("neither `ID` nor `user_email` says who the customer is".into());
    }
    let first = row.get(&["first_name", "billing_first_name"]);
    let last = row.get(&["last_name", "billing_last_name"]);
    Ok(shopper(id, email, first, last, row))
}

fn shopper(id: String, email: Option<String>, first: &str, last: &str, row: &Row) -> Record {
    Record::Shopper(ShopperRecord {
        id,
        email,
        first_name: fields::line(first, 120),
        last_name: fields::line(last, 120),
        address: [SHIPPING, BILLING]
            .iter()
            .find_map(|columns| fields::address(row, columns)),
        payment_methods: Vec::new(),
        from_platform: true,
    })
}
