//! WooCommerce's orders as plug-ins export them: a row is an order, and a field holds a line such as
//! `name:Mug|product_id:7|sku:M1|quantity:2|total:20.00|sub_total:24.00`.

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

const ADDRESSES: [AddressColumns<'static>; 2] = [
    AddressColumns {
        street: &["shipping_address_1"],
        street2: &["shipping_address_2"],
        city: &["shipping_city"],
        state: &["shipping_state"],
        zip: &["shipping_postcode"],
        country: &["shipping_country"],
    },
    AddressColumns {
        street: &["billing_address_1"],
        street2: &["billing_address_2"],
        city: &["billing_city"],
        state: &["billing_state"],
        zip: &["billing_postcode"],
        country: &["billing_country"],
    },
];

pub(in super::super) fn record(rows: &[Row], of_store: Currency) -> Result<Record, String> {
    let [row] = rows else {
        return Err("several rows are of one order; choose one row for each order in the plug-in".into());
    };
    let number = fields::line(row.get(&["order_number", "order_id"]), 63);
    if number.is_empty() {
        return Err(fields::fault(row, &["order_number", "order_id"], "is empty"));
    }
    let currency = match row.get(&["order_currency", "currency"]) {
        "" => of_store,
        code => code
            .to_uppercase()
            .parse()
            .map_err(|error| fields::fault(row, &["order_currency", "currency"], error))?,
    };
    let order = Order { row, currency };
    let Lines {
        records,
        goods,
        taken_off,
    } = order.lines()?;
    let id = fields::id(row.get(&["order_id"]));
    let shopper = fields::id(row.get(&["customer_id", "customer_user"]));
    let is_id = shopper.bytes().all(|digit| digit.is_ascii_digit()) && !shopper.trim_start_matches('0').is_empty();
    let record = OrderRecord {
        number: match number.starts_with('#') {
            true => number,
            false => format!("#{number}"),
        },
        reference: (!id.is_empty()).then(|| format!("woocommerce:{id}")),
        shopper: is_id.then_some(shopper),
        email: fields::email(row, &["billing_email", "customer_email"])?,
        currency: Some(currency.to_string()),
        totals: Some(order.totals(goods, taken_off)?),
        status: order.status()?,
        placed_at: fields::time(row, &["order_date", "date"])?,
        address: ADDRESSES
            .iter()
            .find_map(|columns| fields::address(row, columns))
            .unwrap_or_else(fields::no_address),
        payments: order.payments()?,
        shipments: Vec::new(),
        lines: records,
        from_platform: true,
        notes: Vec::new(),
        failed_refunds: Vec::new(),
    };
    Ok(Record::Order(Box::new(record)))
}

struct Lines {
    records: Vec<LineRecord>,
    /// The price of all units.
    goods: i64,
    /// What the price of all units is more than what the lines cost: a unit's price is rounded up.
    taken_off: i64,
}

struct Order<'a> {
    row: &'a Row,
    currency: Currency,
}

impl Order<'_> {
    fn amount(&self, columns: &[&str]) -> Result<i64, String> {
        Ok(fields::amount(self.row, columns, self.currency)?.unwrap_or(0))
    }

    fn decimal(&self, minor: i64) -> String {
        money::decimal(minor, self.currency.decimals())
    }

    /// The status without WordPress's prefix.
    fn status_name(&self) -> String {
        let status = self.row.get(&["status", "order_status"]).to_lowercase();
        status.strip_prefix("wc-").unwrap_or(&status).replace(' ', "-")
    }

    /// *Completed* means that the shop has done its part: no carrier has said that the goods arrived.
    fn status(&self) -> Result<OrderStatus, String> {
        match self.status_name().as_str() {
            "pending" | "pending-payment" | "on-hold" | "processing" => Ok(OrderStatus::Pending),
            "completed" | "shipped" => Ok(OrderStatus::Shipped),
            "partial-shipped" | "partially-shipped" => Ok(OrderStatus::PartlyShipped),
            "delivered" => Ok(OrderStatus::Delivered),
            "cancelled" | "failed" | "refunded" | "trash" => Ok(OrderStatus::Cancelled),
            "" => Err(fields::fault(self.row, &["status", "order_status"], "is empty")),
            "checkout-draft" | "draft" | "auto-draft" => {
                Err("`status`: the shopper has not placed the order yet".into())
            }
            // A status of the shop's own: the order was placed, and no more is known of it.
            _ => Ok(OrderStatus::Pending),
        }
    }

    fn lines(&self) -> Result<Lines, String> {
        let mut lines = Lines {
            records: Vec::new(),
            goods: 0,
            taken_off: 0,
        };
        for (column, value) in self.row.beginning_with("line_item") {
            if value.starts_with(['[', '{']) {
                return Err(format!(
                    "`{column}` holds JSON; choose the plug-in's format with `|` between fields"
                ));
            }
            for item in items(value) {
                let Some((line, cost)) = self.line(item).map_err(|reason| format!("`{column}` {reason}"))? else {
                    continue;
                };
                let unit = fields::minor(&line.price, self.currency)?;
                let whole = unit.saturating_mul(i64::from(line.quantity));
                lines.goods = lines.goods.saturating_add(whole);
                lines.taken_off = lines.taken_off.saturating_add(whole - cost);
                lines.records.push(line);
            }
        }
        Ok(lines)
    }

    /// A line, and what all of its units cost before discounts.
    fn line(&self, item: &str) -> Result<Option<(LineRecord, i64)>, String> {
        let parts: Vec<(&str, &str)> = item.split('|').filter_map(|part| part.split_once(':')).collect();
        // The first of the names that has a value: `sub_total` is before discounts, `total` after them.
        let part = |names: &[&str]| {
            let of = |name: &&str| parts.iter().find(|(known, _)| known.trim() == *name);
            let mut values = names.iter().filter_map(|name| Some(of(name)?.1.trim()));
            values.find(|value| !value.is_empty()).unwrap_or_default()
        };
        let given = match part(&["quantity", "qty"]) {
            "" => "1",
            given => given,
        };
        let units = fields::quantity(given).map_err(|reason| format!("has a `quantity` that {reason}"))?;
        let Some(quantity) = units else { return Ok(None) };
        let cost = match part(&["sub_total", "subtotal", "total"]) {
            "" => return Err("has no `sub_total`".into()),
            cost => fields::minor(cost, self.currency).map_err(|reason| format!("has a `sub_total` that {reason}"))?,
        };
        let name = fields::plain_text(part(&["name"]), 200);
        let item_id = [part(&["variation_id"]), part(&["product_id"]), part(&["sku"])]
            .into_iter()
            .map(fields::id)
            .find(|id| !id.is_empty() && id != "0")
            .unwrap_or_else(|| fields::id_of_name(&name));
        let units = i64::from(quantity);
        let price = cost / units + i64::from(cost % units != 0);
        let line = LineRecord {
            product_id: Some(fields::id(part(&["product_id"])))
                .filter(|id| !id.is_empty() && id != "0")
                .unwrap_or_else(|| item_id.clone()),
            item_id,
            name: if name.is_empty() { "-".to_owned() } else { name },
            options: Options::new(),
            price: self.decimal(price),
            quantity,
            total: None,
        };
        Ok(Some((line, cost)))
    }

    /// The amounts of these exports are without tax, except the total.
    fn totals(&self, goods: i64, taken_off: i64) -> Result<TotalsRecord, String> {
        let total = fields::needed_amount(self.row, &["order_total"], self.currency)?;
        let discount = self
            .amount(&["discount_total", "cart_discount"])?
            .saturating_add(taken_off);
        let shipping = self.amount(&["shipping_total", "order_shipping"])?;
        let fees = self.amount(&["fee_total"])?.max(0);
        let tax = match fields::amount(self.row, &["tax_total", "order_tax"], self.currency)? {
            Some(tax) => tax,
            None => total - goods + discount - shipping - fees,
        };
        Ok(TotalsRecord {
            total: self.decimal(total),
            discount: self.decimal(discount),
            tax: self.decimal(tax.max(0)),
            tax_included: false,
            shipping: self.decimal(shipping),
            tip: self.decimal(0),
            fees: self.decimal(fees),
            duties: self.decimal(0),
        })
    }

    fn payments(&self) -> Result<Vec<PaymentRecord>, String> {
        let total = self.amount(&["order_total"])?;
        let refunded = self.refunded()?;
        let method = self.row.get(&["payment_method"]).to_lowercase();
        let is_paid = match self.status_name().as_str() {
            "completed" | "refunded" | "delivered" | "shipped" => true,
            _ if self.row.has_column("paid_date") => !self.row.get(&["paid_date"]).is_empty(),
            // Goods that are paid at the door are processed before they are paid.
            "processing" => !matches!(method.as_str(), "cod" | "cheque" | "bacs"),
            _ => false,
        };
        let refunded = match (refunded, self.status_name().as_str()) {
            (0, "refunded") => total,
            (told, _) => told,
        };
        let paid = if is_paid { total.max(refunded) } else { refunded };
        let payments = [(PaymentKind::Payment, paid), (PaymentKind::Refund, refunded)];
        let records = payments.into_iter().filter(|(_, minor)| *minor > 0);
        Ok(records
            .map(|(kind, minor)| PaymentRecord {
                kind,
                amount: self.decimal(minor),
                payment_method: String::new(),
                reference: None,
                movement: None,
            })
            .collect())
    }

    /// The refunds in one amount, or each as `amount:10.00|reason:…`.
    fn refunded(&self) -> Result<i64, String> {
        let columns = ["refunded_total", "refund_total", "order_refund"];
        if let Some(sum) = fields::amount(self.row, &columns, self.currency)? {
            return Ok(sum);
        }
        let mut sum: i64 = 0;
        for part in self.row.get(&["refund_items", "refunds"]).split(['|', ';']) {
            if let Some((name, amount)) = part.split_once(':')
                && name.trim() == "amount"
            {
                let amount = amount.trim().trim_start_matches('-');
                let minor = fields::minor(amount, self.currency)
                    .map_err(|reason| fields::fault(self.row, &["refund_items", "refunds"], reason))?;
                sum = sum.saturating_add(minor);
            }
        }
        Ok(sum)
    }
}

/// The lines of a field: one, or several with `;` between them.
fn items(value: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut start = 0;
    for (at, _) in value.match_indices(';') {
        let rest = value[at + 1..].trim_start();
        if rest.starts_with("id:") || rest.starts_with("name:") {
            items.push(&value[start..at]);
            start = at + 1;
        }
    }
    items.push(&value[start..]);
    items
}
