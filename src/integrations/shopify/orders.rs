//! Shopify's orders: turns its webhooks into records of the import format. An order also brings its customer.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::admin_api::REFUND_KEY;
use crate::{
    ids::MovementId,
    integrations::event_source::Meaning,
    store::{
        Address,
        orders::{OrderStatus, PaymentKind, Shipment},
        records::{
            LineRecord, OrderRecord, PaymentMethodKind, PaymentMethodRecord, PaymentRecord, Record, ShopperRecord,
        },
    },
    validation,
};

#[derive(Deserialize)]
struct ShopifyOrder {
    admin_graphql_api_id: Option<String>,
    name: String,
    created_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    cancelled_at: Option<DateTime<Utc>>,
    financial_status: Option<String>,
    fulfillment_status: Option<String>,
    total_price: String,
    customer: Option<Customer>,
    shipping_address: Option<PostalAddress>,
    line_items: Vec<LineItem>,
    #[serde(default)]
    fulfillments: Vec<Fulfillment>,
    #[serde(default)]
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct Customer {
    id: u64,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

#[derive(Deserialize)]
struct PostalAddress {
    address1: Option<String>,
    address2: Option<String>,
    city: Option<String>,
    province: Option<String>,
    zip: Option<String>,
    country: Option<String>,
}

#[derive(Deserialize)]
struct LineItem {
    product_id: Option<u64>,
    variant_id: Option<u64>,
    title: String,
    variant_title: Option<String>,
    price: String,
    quantity: u32,
}

#[derive(Deserialize)]
struct Fulfillment {
    tracking_number: Option<String>,
    tracking_company: Option<String>,
    created_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Refund {
    /// The key of a refund that was made for us.
    note: Option<String>,
    #[serde(default)]
    transactions: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    kind: String,
    status: Option<String>,
    amount: String,
}

pub(super) fn meaning(topic: &str, body: &Value) -> Meaning {
    match topic {
        "orders/create" | "orders/updated" | "orders/cancelled" | "orders/fulfilled" | "orders/paid" => {}
        "customers/data_request" | "customers/redact" => {
            let erase = topic == "customers/redact";
            return match body["customer"]["id"].as_u64() {
                Some(id) => Meaning::Privacy {
                    shopper: id.to_string(),
                    erase,
                },
                None => Meaning::Unreadable("`customer.id` is missing".into()),
            };
        }
        _ => return Meaning::Unknown,
    }
    let order = match ShopifyOrder::deserialize(body) {
        Ok(order) => order,
        Err(error) => return Meaning::Unreadable(validation::json_fault(&error)),
    };
    let Some((customer, email)) = order
        .customer
        .as_ref()
        .and_then(|customer| Some((customer, customer.email.clone()?)))
    else {
        return Meaning::Unreadable("the order has no customer with an address".into());
    };
    let (shopper, method) = (customer.id.to_string(), format!("shopify-{}", customer.id));
    let shopper_record = ShopperRecord {
        id: shopper.clone(),
        email,
        first_name: customer.first_name.clone().unwrap_or_default(),
        last_name: customer.last_name.clone().unwrap_or_default(),
        address: None,
        payment_methods: vec![PaymentMethodRecord {
            id: method.clone(),
            kind: PaymentMethodKind::CreditCard,
            brand: None,
            last_four: None,
            balance: None,
            reference: None,
            customer: None,
        }],
    };
    let version = order.updated_at.timestamp_millis();
    let id = order.name.clone();
    let order_record = OrderRecord {
        number: order.name.clone(),
        reference: order.admin_graphql_api_id.clone(),
        shopper,
        status: order.status(),
        placed_at: order.created_at,
        address: order.address(),
        payments: order.payments(&method),
        payments_so_far: true,
        failed_refunds: order.refunds.iter().filter_map(Refund::failed).collect(),
        shipments: order.shipments(),
        lines: order.line_items.into_iter().map(LineItem::record).collect(),
    };
    Meaning::Records {
        kind: "order",
        id,
        version,
        records: vec![Record::Shopper(shopper_record), Record::Order(order_record)],
    }
}

impl ShopifyOrder {
    fn status(&self) -> OrderStatus {
        match (self.cancelled_at, self.fulfillment_status.as_deref()) {
            (Some(_), _) => OrderStatus::Cancelled,
            // Shopify knows that parcels were sent, not that they arrived; from then on returns are possible.
            (None, Some("fulfilled")) => OrderStatus::Delivered,
            (None, Some("partial")) => OrderStatus::Processed,
            _ => OrderStatus::Pending,
        }
    }

    fn address(&self) -> Address {
        let text = |pick: fn(&PostalAddress) -> &Option<String>| {
            self.shipping_address
                .as_ref()
                .and_then(|address| pick(address).clone())
                .unwrap_or_default()
        };
        let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        Address {
            address1: or_dash(text(|address| &address.address1)),
            address2: text(|address| &address.address2),
            city: or_dash(text(|address| &address.city)),
            state: text(|address| &address.province),
            zip: or_dash(text(|address| &address.zip)),
            country: or_dash(text(|address| &address.country)),
        }
    }

    /// The payment, if it was made, and each refund that was paid out. One that is pending is none yet, and one that failed is none.
    fn payments(&self, method: &str) -> Vec<PaymentRecord> {
        let payment = |kind, amount: &str| PaymentRecord {
            kind,
            amount: amount.to_owned(),
            payment_method: method.to_owned(),
            reference: None,
        };
        let paid = matches!(
            self.financial_status.as_deref(),
            Some("paid" | "partially_refunded" | "refunded")
        );
        let refunds = self
            .refunds
            .iter()
            .flat_map(|refund| &refund.transactions)
            .filter(|transaction| transaction.kind == "refund" && transaction.is(&["success"]))
            .map(|transaction| payment(PaymentKind::Refund, &transaction.amount));
        let paid = paid.then(|| payment(PaymentKind::Payment, &self.total_price));
        paid.into_iter().chain(refunds).collect()
    }

    fn shipments(&self) -> Vec<Shipment> {
        let tracked = self.fulfillments.iter().filter_map(|fulfillment| {
            Some(Shipment {
                carrier: fulfillment.tracking_company.clone(),
                tracking_number: fulfillment
                    .tracking_number
                    .clone()
                    .filter(|number| !number.is_empty())?,
                item_ids: Vec::new(),
                shipped_at: fulfillment.created_at,
            })
        });
        tracked.collect()
    }
}

impl Transaction {
    /// Older versions of the API name no status of what was done.
    fn is(&self, statuses: &[&str]) -> bool {
        statuses.contains(&self.status.as_deref().unwrap_or("success"))
    }
}

impl Refund {
    /// The movement and the attempt of a refund that was made for us, and that failed.
    fn failed(&self) -> Option<(MovementId, i32)> {
        let key = self.note.as_deref()?.strip_prefix(REFUND_KEY)?;
        let (movement, attempt) = key.split_once(':').unwrap_or((key, "0"));
        let failed = (movement.parse().ok()?, attempt.parse().ok()?);
        let has_failed = |transaction: &Transaction| transaction.is(&["failure", "error"]);
        (!self.transactions.is_empty() && self.transactions.iter().all(has_failed)).then_some(failed)
    }
}

impl LineItem {
    fn record(self) -> LineRecord {
        let id = |id: Option<u64>| id.map_or_else(|| "custom".to_owned(), |id| id.to_string());
        let options = self
            .variant_title
            .map(|title| ("variant".to_owned(), title))
            .into_iter()
            .collect();
        LineRecord {
            product_id: id(self.product_id),
            item_id: id(self.variant_id),
            name: self.title.chars().take(200).collect(),
            options,
            price: self.price,
            quantity: self.quantity,
        }
    }
}
