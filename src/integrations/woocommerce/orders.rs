//! WooCommerce's orders: turns an event into records of the import format. An order also brings the id of its customer.
//!
//! The fields are those of <https://woocommerce.github.io/woocommerce-rest-api-docs/#order-properties>.

use serde_json::Value;

use super::{
    amounts::amount,
    body::{address, email, id, name, no_address, order_reference, time, version},
    customers,
    lines::{Lines, lines},
    parcels,
};
use crate::{
    integrations::{
        event_source::{Meaning, Outcome},
        json_fields::{list, text},
        platform::refund_of_key,
    },
    money::{self, Currency},
    store::{
        orders::{OrderStatus, PaymentKind},
        records::{OrderRecord, PaymentRecord, Record, TotalsRecord},
    },
};

pub(super) fn order(body: &Value, of_store: Currency) -> Meaning {
    let (Some(id_there), true, Some(status)) = (id(&body["id"]), body["line_items"].is_array(), text(&body["status"]))
    else {
        return Meaning::Unreadable("`id`, `status` or `line_items` is missing: this is not an order".into());
    };
    let status = status.strip_prefix("wc-").unwrap_or(&status).to_lowercase();
    if matches!(status.as_str(), "checkout-draft" | "auto-draft" | "draft" | "new") {
        return Meaning::Applied(Outcome::Ignored("the shopper has not placed the order yet"));
    }
    let mut notes = Vec::new();
    let currency = text(&body["currency"])
        .and_then(|code| code.to_uppercase().parse().ok())
        .unwrap_or_else(|| {
            notes.push("`currency` is none that is known; the store's was taken".to_owned());
            of_store
        });
    let with_tax = body["prices_include_tax"] == true;
    let Lines {
        records: lines,
        goods,
        discount,
        notes: of_lines,
    } = lines(body, with_tax, currency);
    notes.extend(of_lines);
    let order = Order {
        body,
        currency,
        status,
        with_tax,
    };
    let shopper = id(&body["customer_id"]);
    let items: Vec<String> = lines.iter().map(|line| line.item_id.clone()).collect();
    let reference = order_reference(&id_there);
    let record = OrderRecord {
        number: number(body).unwrap_or_else(|| format!("#{id_there}")),
        reference: Some(reference.clone()),
        email: match shopper {
            Some(_) => None,
            None => email(&body["billing"]["email"]),
        },
        currency: Some(currency.to_string()),
        totals: order.totals(goods, discount, lines.len(), &mut notes),
        status: order.status(&mut notes),
        placed_at: time(&body["date_created_gmt"]),
        address: address(body).unwrap_or_else(no_address),
        payments: order.payments(&mut notes),
        failed_refunds: Vec::new(),
        shipments: parcels::shipments(body, &items),
        lines,
        shopper: shopper.clone(),
        from_platform: true,
        notes,
    };
    Meaning::Records {
        kind: "order",
        id: reference,
        version: order.version(),
        records: shopper
            .map(customers::of_order)
            .into_iter()
            .chain([Record::Order(Box::new(record))])
            .collect(),
    }
}

/// The number that the shopper knows, as WooCommerce's mails write it. It is another than the id where a plug-in counts orders.
fn number(body: &Value) -> Option<String> {
    let number = name(&body["number"], 63)?;
    Some(if number.starts_with('#') {
        number
    } else {
        format!("#{number}")
    })
}

struct Order<'a> {
    body: &'a Value,
    currency: Currency,
    /// Without the prefix `wc-`.
    status: String,
    /// Whether prices have the tax in them.
    with_tax: bool,
}

impl Order<'_> {
    /// Rises with every change. WooCommerce's clock has whole seconds, so that of two states within one second the one in which more has
    /// happened is the later; where as much has, the one that arrives later wins.
    fn version(&self) -> i64 {
        let progress = match self.status.as_str() {
            "pending" | "failed" => 0,
            "on-hold" => 1,
            "processing" => 2,
            "completed" => 4,
            "delivered" => 5,
            "cancelled" | "refunded" => 6,
            "trash" => 7,
            _ => 3,
        };
        let refunds = list(&self.body["refunds"]).len().min(90) as i64;
        version(self.body) * 1000 + refunds * 10 + progress
    }

    /// The statuses of WooCommerce and of the plug-ins that sell shipping. *Completed* means that the shop has done its part: no carrier
    /// has said that the goods arrived.
    fn status(&self, notes: &mut Vec<String>) -> OrderStatus {
        let is_completed = is_set(self.body, "date_completed");
        match self.status.as_str() {
            "pending" | "on-hold" | "processing" => OrderStatus::Pending,
            "completed" | "shipped" | "in-transit" | "dispatched" => OrderStatus::Shipped,
            "partial-shipped" | "partially-shipped" => OrderStatus::PartlyShipped,
            "out-for-delivery" => OrderStatus::OutForDelivery,
            "delivered" | "picked-up" => OrderStatus::Delivered,
            "cancelled" | "failed" | "trash" => OrderStatus::Cancelled,
            // Refunded whole: what was not sent by then is not sent any more.
            "refunded" if is_completed => OrderStatus::Shipped,
            "refunded" => OrderStatus::Cancelled,
            other => {
                let told = if is_completed { "shipped" } else { "placed" };
                notes.push(format!(
                    "the status `{}` is not known; the order is told as {told}",
                    short(other)
                ));
                if is_completed {
                    OrderStatus::Shipped
                } else {
                    OrderStatus::Pending
                }
            }
        }
    }

    fn amount(&self, value: &Value) -> i64 {
        amount(value, self.currency).unwrap_or(0)
    }

    /// An amount, with its tax where the prices have it in them.
    fn with_tax(&self, of: &Value, field: &str, tax: &str) -> i64 {
        self.amount(&of[field]) + if self.with_tax { self.amount(&of[tax]) } else { 0 }
    }

    fn decimal(&self, minor: i64) -> String {
        money::decimal(minor, self.currency.decimals())
    }

    fn total(&self) -> Option<i64> {
        amount(&self.body["total"], self.currency).filter(|total| *total >= 0)
    }

    /// The total with its parts: all with the tax in them, or none.
    fn totals(&self, goods: i64, of_lines: i64, lines: usize, notes: &mut Vec<String>) -> Option<TotalsRecord> {
        let body = self.body;
        let Some(total) = self.total() else {
            notes.push("`total` cannot be read; the total is that of the lines".to_owned());
            return None;
        };
        let fees: Vec<i64> = list(&body["fee_lines"])
            .iter()
            .map(|fee| self.with_tax(fee, "total", "total_tax"))
            .collect();
        let charged: i64 = fees.iter().filter(|fee| **fee > 0).sum();
        // Plug-ins for discounts write them as fees of less than nothing.
        let taken_off: i64 = fees.iter().filter(|fee| **fee < 0).sum();
        let told = self.with_tax(body, "discount_total", "discount_tax") - taken_off + of_lines;
        let shipping = self.with_tax(body, "shipping_total", "shipping_tax");
        let tax = self.amount(&body["total_tax"]);
        let added_tax = if self.with_tax { 0 } else { tax };
        // WooCommerce rounds a discount and its tax one by one, so that the parts can miss the total by a cent for each line.
        let exact = goods + added_tax + shipping + charged - total;
        let is_rounding = told > 0 && (exact - told).unsigned_abs() <= lines as u64 + 1;
        let discount = if is_rounding { exact } else { told };
        Some(TotalsRecord {
            total: self.decimal(total),
            discount: self.decimal(discount.max(0)),
            tax: self.decimal(tax.max(0)),
            tax_included: self.with_tax,
            shipping: self.decimal(shipping.max(0)),
            tip: self.decimal(0),
            fees: self.decimal(charged),
            duties: self.decimal(0),
        })
    }

    /// What was paid, and each refund. Refunds of more than that were given for money that WooCommerce does not know of.
    fn payments(&self, notes: &mut Vec<String>) -> Vec<PaymentRecord> {
        let payment = |kind, minor: i64, movement| PaymentRecord {
            kind,
            amount: self.decimal(minor),
            payment_method: String::new(),
            reference: None,
            movement,
        };
        let mut left = self.paid();
        let mut payments: Vec<PaymentRecord> = Some(left)
            .filter(|paid| *paid > 0)
            .map(|paid| payment(PaymentKind::Payment, paid, None))
            .into_iter()
            .collect();
        for refund in list(&self.body["refunds"]).iter().take(900) {
            match amount(&refund["total"], self.currency).map(i64::abs) {
                Some(0) => {}
                Some(minor) if minor <= left => {
                    left -= minor;
                    // The key of one that we asked for stands as its reason.
                    let ours = refund["reason"].as_str().and_then(refund_of_key);
                    payments.push(payment(PaymentKind::Refund, minor, ours.map(|(movement, _)| movement)));
                }
                Some(minor) => notes.push(format!(
                    "a refund of {} {} is more than what was paid and was not booked",
                    self.decimal(minor),
                    self.currency
                )),
                None => notes.push("the amount of a refund cannot be read".to_owned()),
            }
        }
        payments
    }

    /// What was paid: all, or nothing. An order that is paid to the carrier has been paid when the shop completes it; some shops' plug-ins
    /// write that it was paid before (woocommerce/woocommerce 14775).
    fn paid(&self) -> i64 {
        let is_open = self.body["payment_method"] == "cod" && !is_set(self.body, "date_completed");
        match is_set(self.body, "date_paid") && !is_open {
            true => self.total().unwrap_or(0),
            false => 0,
        }
    }
}

/// Whether a time is set, in either zone.
fn is_set(body: &Value, field: &str) -> bool {
    [field, &format!("{field}_gmt")]
        .iter()
        .any(|field| text(&body[*field]).is_some())
}

fn short(status: &str) -> String {
    let plain = status
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c));
    plain.take(40).collect()
}
