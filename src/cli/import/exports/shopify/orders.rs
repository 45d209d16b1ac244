//! Shopify's orders. The first row of an order has its fields, and each row one of its lines.

use super::super::{
    fields::{self, AddressColumns},
    table::Row,
};
use crate::{
    money::{self, Currency},
    store::{
        Options,
        orders::{OrderStatus, PaymentKind},
        records::{LineRecord, OrderRecord, PaymentRecord, Record, TotalsRecord},
    },
};

const SHIPPING: AddressColumns<'static> = AddressColumns {
    street: &["Shipping Address1", "Shipping Street"],
    street2: &["Shipping Address2"],
    city: &["Shipping City"],
    state: &["Shipping Province"],
    zip: &["Shipping Zip"],
    country: &["Shipping Country"],
};

pub(in super::super) fn record(rows: &[Row], of_store: Currency) -> Result<Record, String> {
    let Some(first) = rows.first() else {
        return Err("there is no row".into());
    };
    let number = fields::line(first.get(&["Name"]), 64);
    if number.is_empty() {
        return Err(fields::fault(first, &["Name"], "is empty"));
    }
    if first.get(&["Total"]).is_empty() && first.get(&["Financial Status"]).is_empty() {
        return Err("`Total` is empty: the rows of one order must stand together, the one with its total first".into());
    }
    let currency = match first.get(&["Currency"]) {
        "" => of_store,
        code => code
            .to_uppercase()
            .parse()
            .map_err(|error| fields::fault(first, &["Currency"], error))?,
    };
    let order = Order { first, currency };
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(line(row, currency)?);
    }
    let goods: i64 = lines.iter().map(|(_, goods)| goods).sum();
    let record = OrderRecord {
        reference: reference(first),
        shopper: None,
        email: fields::email(first, &["Email"])?,
        currency: Some(currency.to_string()),
        totals: Some(order.totals(goods)?),
        status: order.status(),
        placed_at: fields::time(first, &["Created at"])?,
        address: fields::address(first, &SHIPPING).unwrap_or_else(fields::no_address),
        payments: order.payments()?,
        shipments: Vec::new(),
        lines: lines.into_iter().map(|(line, _)| line).collect(),
        from_platform: true,
        notes: Vec::new(),
        failed_refunds: Vec::new(),
        number,
    };
    Ok(Record::Order(Box::new(record)))
}

/// The id that Shopify knows the order by.
fn reference(row: &Row) -> Option<String> {
    let id = row.get(&["Id"]);
    let is_id = !id.is_empty() && id.len() <= 20 && id.bytes().all(|digit| digit.is_ascii_digit());
    is_id.then(|| format!("gid://shopify/Order/{id}"))
}

/// A line with the price of all its units; none where the row has none.
fn line(row: &Row, currency: Currency) -> Result<Option<(LineRecord, i64)>, String> {
    let at = |columns: &[&str], reason: String| match row.line {
        0 => fields::fault(row, columns, reason),
        number => format!("{} (line {number})", fields::fault(row, columns, reason)),
    };
    let name = fields::line(row.get(&["Lineitem name"]), 200);
    if name.is_empty() && row.get(&["Lineitem price"]).is_empty() {
        return Ok(None);
    }
    let quantity = row.get(&["Lineitem quantity"]);
    let units = fields::quantity(quantity).map_err(|reason| at(&["Lineitem quantity"], reason))?;
    let Some(quantity) = units else { return Ok(None) };
    let price = fields::needed_amount(row, &["Lineitem price"], currency)?;
    let sku = fields::id(row.get(&["Lineitem sku"]));
    let item_id = if sku.is_empty() { fields::id_of_name(&name) } else { sku };
    let record = LineRecord {
        product_id: item_id.clone(),
        item_id,
        name: if name.is_empty() { "-".to_owned() } else { name },
        options: Options::new(),
        price: money::decimal(price, currency.decimals()),
        quantity,
        total: None,
    };
    Ok(Some((record, price.saturating_mul(i64::from(quantity)))))
}

struct Order<'a> {
    first: &'a Row,
    currency: Currency,
}

impl Order<'_> {
    fn amount(&self, column: &str) -> Result<i64, String> {
        Ok(fields::amount(self.first, &[column], self.currency)?.unwrap_or(0))
    }

    fn decimal(&self, minor: i64) -> String {
        money::decimal(minor, self.currency.decimals())
    }

    fn status(&self) -> OrderStatus {
        if !self.first.get(&["Cancelled at"]).is_empty() {
            return OrderStatus::Cancelled;
        }
        match self.first.get(&["Fulfillment Status"]).to_lowercase().as_str() {
            // Shopify knows that the goods were sent; that they arrived, only the carrier knows.
            "fulfilled" => OrderStatus::Shipped,
            "partial" | "partially fulfilled" => OrderStatus::PartlyShipped,
            _ => OrderStatus::Pending,
        }
    }

    /// The export does not say whether the prices have the tax in them: the sum does. What the subtotal lacks of the goods was taken off.
    fn totals(&self, goods: i64) -> Result<TotalsRecord, String> {
        let total = fields::needed_amount(self.first, &["Total"], self.currency)?;
        let subtotal = fields::amount(self.first, &["Subtotal"], self.currency)?;
        let discount = match subtotal {
            Some(subtotal) => goods - subtotal,
            None => self.amount("Discount Amount")?,
        };
        let tax = self.amount("Taxes")?;
        let shipping = self.amount("Shipping")?;
        let duties = self.amount("Duties")?;
        let without_tax = goods - discount + shipping + duties;
        Ok(TotalsRecord {
            total: self.decimal(total),
            discount: self.decimal(discount.max(0)),
            tax: self.decimal(tax),
            tax_included: tax > 0 && without_tax == total,
            shipping: self.decimal(shipping),
            tip: self.decimal(0),
            fees: self.decimal(0),
            duties: self.decimal(duties),
        })
    }

    /// What was paid so far, and what was refunded of it.
    fn payments(&self) -> Result<Vec<PaymentRecord>, String> {
        let total = self.amount("Total")?;
        let open = fields::amount(self.first, &["Outstanding Balance"], self.currency)?;
        let refunded = self.amount("Refunded Amount")?;
        let paid = match (self.first.get(&["Financial Status"]).to_lowercase().as_str(), open) {
            ("paid" | "partially_refunded" | "refunded", open) => (total - open.unwrap_or(0)).max(refunded),
            ("partially_paid", Some(open)) => total - open,
            _ => refunded,
        };
        let payment = |kind, minor: i64| {
            (minor > 0).then(|| PaymentRecord {
                kind,
                amount: self.decimal(minor),
                payment_method: String::new(),
                reference: None,
                movement: None,
            })
        };
        let payments = [
            payment(PaymentKind::Payment, paid),
            payment(PaymentKind::Refund, refunded),
        ];
        Ok(payments.into_iter().flatten().collect())
    }
}
