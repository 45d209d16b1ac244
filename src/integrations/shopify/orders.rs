//! Shopify's orders: turns an event into records of the import format. An order also brings what it tells of its customer.
//!
//! The fields are those of <https://shopify.dev/docs/api/admin-rest/latest/resources/order>.

use serde_json::Value;

use super::{
    body::{address, id, order_reference},
    customers, fulfillments,
    order_body::Order,
    refunds::{failed_refund, has_status},
};
use crate::{
    integrations::{
        event_source::Meaning,
        json_fields::{line, list, signed_amount, text, time},
    },
    money::Currency,
    store::{
        orders::{OrderStatus, PaymentKind, ShipmentStatus},
        records::{OrderRecord, PaymentRecord, Record, TotalsRecord},
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
        let has_refunds = !self.refunds().is_empty();
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
            fees: self.decimal(0),
            duties: part(set("current_total_duties_set"), set("original_total_duties_set")),
        })
    }

    /// What was paid so far, and each refund.
    fn payments(&self, notes: &mut Vec<String>) -> Vec<PaymentRecord> {
        let payment = |kind, minor: i64, movement| {
            (minor > 0).then(|| PaymentRecord {
                kind,
                amount: self.decimal(minor),
                payment_method: String::new(),
                reference: None,
                movement,
            })
        };
        let mut payments: Vec<PaymentRecord> = payment(PaymentKind::Payment, self.paid(), None).into_iter().collect();
        for refund in self.refunds() {
            match refund.minor {
                Some(minor) => payments.extend(payment(PaymentKind::Refund, minor, refund.movement)),
                None => notes.push(format!(
                    "a refund of {} {} is not told in the order's currency and was not booked",
                    text(&refund.transaction["amount"]).unwrap_or_default(),
                    text(&refund.transaction["currency"]).unwrap_or_default()
                )),
            }
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
            let amounts: Option<Vec<i64>> = transactions.iter().filter(came_in).map(|it| self.moved(it)).collect();
            if let Some(amounts) = amounts {
                return amounts.iter().sum();
            }
        }
        let total = self.total().unwrap_or(0);
        // Negative is what the shop owes the customer: so much more was paid than the order costs now.
        let open = signed_amount(&body["total_outstanding"], self.currency);
        match (body["financial_status"].as_str(), open) {
            (Some("paid" | "partially_refunded" | "refunded" | "partially_paid"), Some(open)) => total - open,
            (Some("paid" | "partially_refunded" | "refunded"), None) => total,
            _ => 0,
        }
    }
}
