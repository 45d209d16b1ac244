//! Shopify's orders: turns an event into records of the import format. An order also brings what it tells of its customer.
//!
//! The fields are those of <https://shopify.dev/docs/api/admin-rest/latest/resources/order>.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    admin_api::REFUND_KEY,
    body::{address, id, order_reference},
    customers, fulfillments,
};
use crate::{
    ids::MovementId,
    integrations::{
        event_source::Meaning,
        json_fields::{amount, count, line, list, text, time},
    },
    money::{self, Currency},
    store::{
        orders::{OrderStatus, PaymentKind, ShipmentStatus},
        records::{LineRecord, OrderRecord, PaymentRecord, Record, TotalsRecord},
    },
};

pub(super) fn order(body: &Value, of_store: Currency) -> Meaning {
    if !body["line_items"].is_array() {
        return Meaning::Unreadable("`line_items` is missing: this is not an order".into());
    }
    let number = line(&body["name"], 64)
        .or_else(|| text(&body["order_number"]).map(|number| format!("#{number}")))
        .or_else(|| id(&body["id"]));
    let Some(number) = number else {
        return Meaning::Unreadable("`name` is missing".into());
    };
    let mut notes = Vec::new();
    let currency = text(&body["currency"])
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| {
            if body.get("currency").is_some() {
                notes.push("`currency` is none that is known; the store's was taken".to_owned());
            }
            of_store
        });
    let order = Order { body, currency };
    let email = [&body["customer"]["email"], &body["email"], &body["contact_email"]]
        .into_iter()
        .find_map(customers::email);
    let shopper = id(&body["customer"]["id"]);
    let customer = shopper
        .clone()
        .map(|shopper| Record::Shopper(customers::record(shopper, &body["customer"])));
    let record = OrderRecord {
        number: number.clone(),
        reference: text(&body["admin_graphql_api_id"]).or_else(|| id(&body["id"]).map(|id| order_reference(&id))),
        shopper,
        email,
        currency: Some(currency.to_string()),
        totals: order.totals(&mut notes),
        status: order.status(),
        placed_at: time(&body["created_at"]),
        address: address(&body["shipping_address"]),
        payments: order.payments(&mut notes),
        failed_refunds: list(&body["refunds"]).iter().filter_map(failed_refund).collect(),
        shipments: fulfillments::shipments(list(&body["fulfillments"])),
        lines: order.lines(&mut notes),
        from_platform: true,
        notes,
    };
    Meaning::Records {
        kind: "order",
        id: number,
        version: order.version(),
        records: customer.into_iter().chain([Record::Order(Box::new(record))]).collect(),
    }
}

struct Order<'a> {
    body: &'a Value,
    currency: Currency,
}

impl Order<'_> {
    /// Rises with every change. Shopify's clock has whole seconds, so that of two states within one second the one in which more has happened
    /// is the later; where as much has, the one that arrives later wins.
    fn version(&self) -> i64 {
        let body = self.body;
        let at = time(&body["updated_at"]).or_else(|| time(&body["created_at"]));
        let paid = match body["financial_status"].as_str() {
            None | Some("pending") => 0,
            Some("authorized" | "expired") => 1,
            Some("partially_paid" | "paid") => 2,
            Some("partially_refunded") => 3,
            Some(_) => 4,
        };
        let sent = match body["fulfillment_status"].as_str() {
            Some("partial") => 1,
            Some("fulfilled") => 2,
            _ => 0,
        };
        let happened = list(&body["refunds"]).len() + list(&body["fulfillments"]).len();
        let progress = happened.min(400) as i64 * 2 + paid + sent + 5 * i64::from(!body["cancelled_at"].is_null());
        at.map_or(0, |at| at.timestamp_millis()) * 1000 + progress
    }

    fn status(&self) -> OrderStatus {
        let body = self.body;
        if !body["cancelled_at"].is_null() {
            return OrderStatus::Cancelled;
        }
        let live = list(&body["fulfillments"])
            .iter()
            .filter(|it| fulfillments::is_live(it));
        let carriers: Vec<Option<ShipmentStatus>> =
            live.map(|it| fulfillments::status(&it["shipment_status"])).collect();
        match body["fulfillment_status"].as_str() {
            // Shopify knows that the goods were sent; that they arrived, only the carrier knows.
            Some("fulfilled") => ShipmentStatus::of_order(&carriers),
            Some("partial") => OrderStatus::PartlyShipped,
            _ => OrderStatus::Pending,
        }
    }

    fn amount(&self, value: &Value) -> Option<i64> {
        amount(value, self.currency)
    }

    fn decimal(&self, minor: i64) -> String {
        money::decimal(minor, self.currency.decimals())
    }

    /// The transactions of refunds that were paid out, each with its refund. One that is pending is none yet, and one that failed is none.
    fn refunds(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let all = list(&self.body["refunds"])
            .iter()
            .flat_map(|refund| list(&refund["transactions"]).iter().map(move |it| (refund, it)));
        all.filter(|(_, transaction)| transaction["kind"] == "refund" && has_status(transaction, &["success"]))
    }

    fn refunded(&self) -> i64 {
        self.refunds().filter_map(|(_, it)| self.amount(&it["amount"])).sum()
    }

    /// The total after edits. What was refunded counts on: the order cost that much.
    fn total(&self) -> Option<i64> {
        let placed = self.amount(&self.body["total_price"]);
        let Some(current) = self.amount(&self.body["current_total_price"]) else {
            return placed;
        };
        let before_refunds = current + self.refunded();
        Some(placed.map_or(before_refunds, |placed| before_refunds.min(placed.max(current))))
    }

    fn totals(&self, notes: &mut Vec<String>) -> Option<TotalsRecord> {
        let body = self.body;
        let Some(total) = self.total() else {
            notes.push("`total_price` cannot be read; the total is that of the lines".to_owned());
            return None;
        };
        let has_refunds = self.refunds().next().is_some();
        let part = |current: &Value, placed: &Value| {
            let current = if has_refunds { None } else { self.amount(current) };
            self.decimal(current.or_else(|| self.amount(placed)).unwrap_or(0))
        };
        let set = |field: &str| &body[field]["shop_money"]["amount"];
        Some(TotalsRecord {
            total: self.decimal(total),
            discount: part(&body["current_total_discounts"], &body["total_discounts"]),
            tax: part(&body["current_total_tax"], &body["total_tax"]),
            tax_included: body["taxes_included"] == true,
            shipping: part(set("current_shipping_price_set"), set("total_shipping_price_set")),
            tip: part(&Value::Null, &body["total_tip_received"]),
            duties: part(set("current_total_duties_set"), set("original_total_duties_set")),
        })
    }

    /// What was paid so far, and each refund.
    fn payments(&self, notes: &mut Vec<String>) -> Vec<PaymentRecord> {
        let payment = |kind, minor: i64| {
            (minor > 0).then(|| PaymentRecord {
                kind,
                amount: self.decimal(minor),
                payment_method: String::new(),
                reference: None,
                movement: None,
            })
        };
        let mut payments: Vec<PaymentRecord> = payment(PaymentKind::Payment, self.paid()).into_iter().collect();
        for (_, refund) in self.refunds() {
            let code = text(&refund["currency"]);
            if code.as_deref().is_some_and(|code| code != self.currency.to_string()) {
                notes.push(format!(
                    "a refund of {} {} is in another currency than the order and was not booked",
                    text(&refund["amount"]).unwrap_or_default(),
                    code.unwrap_or_default()
                ));
                continue;
            }
            payments.extend(
                self.amount(&refund["amount"])
                    .and_then(|minor| payment(PaymentKind::Refund, minor)),
            );
        }
        payments
    }

    /// What was paid: by the transactions that succeeded where they are told, else by the total and what is still open of it.
    fn paid(&self) -> i64 {
        let body = self.body;
        let transactions = list(&body["transactions"]);
        if !transactions.is_empty() {
            let came_in = |it: &&Value| {
                let kind = it["kind"].as_str().map(str::to_lowercase);
                matches!(kind.as_deref(), Some("sale" | "capture")) && has_status(it, &["success", "SUCCESS"])
            };
            return transactions
                .iter()
                .filter(came_in)
                .filter_map(|it| self.amount(&it["amount"]))
                .sum();
        }
        let total = self.total().unwrap_or(0);
        match (
            body["financial_status"].as_str(),
            self.amount(&body["total_outstanding"]),
        ) {
            (Some("paid" | "partially_refunded" | "refunded" | "partially_paid"), Some(open)) => total - open.max(0),
            (Some("paid" | "partially_refunded" | "refunded"), None) => total,
            _ => 0,
        }
    }

    /// The lines as they are now. One that an edit took off is gone; one that was sent back for money was ordered all the same.
    fn lines(&self, notes: &mut Vec<String>) -> Vec<LineRecord> {
        let mut sent_back: BTreeMap<String, u32> = BTreeMap::new();
        for refund in list(&self.body["refunds"]) {
            if !list(&refund["transactions"])
                .iter()
                .any(|it| has_status(it, &["success"]))
            {
                continue;
            }
            for line in list(&refund["refund_line_items"]) {
                if let (Some(id), Some(units)) = (id(&line["line_item_id"]), count(&line["quantity"])) {
                    *sent_back.entry(id).or_default() += units;
                }
            }
        }
        let lines = list(&self.body["line_items"]).iter().filter_map(|item| {
            let ordered = count(&item["quantity"]).unwrap_or(1);
            let back = id(&item["id"]).and_then(|id| sent_back.get(&id).copied()).unwrap_or(0);
            let quantity =
                count(&item["current_quantity"]).map_or(ordered, |current| (current + back).min(ordered.max(current)));
            let name = line(&item["title"], 200).or_else(|| line(&item["name"], 200));
            let price = self.amount(&item["price"]).or_else(|| {
                notes.push(format!(
                    "the price of `{}` cannot be read",
                    name.as_deref().unwrap_or("a line")
                ));
                None
            });
            let custom = || "custom".to_owned();
            let total = price.and_then(|price| self.line_total(item, price, (quantity, ordered)));
            (quantity > 0).then(|| LineRecord {
                product_id: id(&item["product_id"]).unwrap_or_else(custom),
                item_id: id(&item["variant_id"]).unwrap_or_else(custom),
                name: name.unwrap_or_else(|| "-".to_owned()),
                options: line(&item["variant_title"], 200)
                    .map(|title| ("variant".to_owned(), title))
                    .into_iter()
                    .collect(),
                price: self.decimal(price.unwrap_or(0)),
                quantity,
                total: total.map(|minor| self.decimal(minor)),
            })
        });
        lines.take(1000).collect()
    }

    /// What `quantity` of the `ordered` units of a line cost, where that is not their price: less the line's share of all discounts, and with its
    /// tax where the prices have none.
    fn line_total(&self, item: &Value, price: i64, (quantity, ordered): (u32, u32)) -> Option<i64> {
        let sum = |all: &str, set: &str, one: &str| -> Option<i64> {
            let amounts = list(&item[all]).iter();
            let amounts = amounts.filter_map(|it| self.shop_money(&it[set]).or_else(|| self.amount(&it[one])));
            (!list(&item[all]).is_empty()).then(|| amounts.sum())
        };
        let discount = sum("discount_allocations", "amount_set", "amount")
            .or_else(|| self.amount(&item["total_discount"]))
            .unwrap_or(0);
        let tax = match self.body["taxes_included"] == true {
            true => 0,
            false => sum("tax_lines", "price_set", "price").unwrap_or(0),
        };
        let full = price.checked_mul(ordered.into())?;
        let whole = (full - discount).max(0).checked_add(tax)?;
        let of_those = i128::from(whole) * i128::from(quantity) / i128::from(ordered.max(1));
        let total = i64::try_from(of_those).ok()?;
        (Some(total) != price.checked_mul(quantity.into())).then_some(total)
    }

    /// An amount in the shop's own currency, which is the order's, of a set that has the customer's too.
    fn shop_money(&self, set: &Value) -> Option<i64> {
        self.amount(&set["shop_money"]["amount"])
    }
}

/// Older versions of the API name no status of what was done.
fn has_status(transaction: &Value, statuses: &[&str]) -> bool {
    statuses.contains(&transaction["status"].as_str().unwrap_or("success"))
}

/// The movement and the attempt of a refund that was made for us, and that failed.
fn failed_refund(refund: &Value) -> Option<(MovementId, i32)> {
    let key = refund["note"].as_str()?.strip_prefix(REFUND_KEY)?;
    let (movement, attempt) = key.split_once(':').unwrap_or((key, "0"));
    let failed = (movement.parse().ok()?, attempt.parse().ok()?);
    let transactions = list(&refund["transactions"]);
    let all_failed = transactions.iter().all(|it| has_status(it, &["failure", "error"]));
    (!transactions.is_empty() && all_failed).then_some(failed)
}
