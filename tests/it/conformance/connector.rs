//! The suite's shop of a store that wrote its own, behind a connector. Its records are in our own import format, which is strict: what other
//! platforms leave to us, such as line breaks in names, its author cleans.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign::integrations::credentials::Kind;
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::shop::{Act, Address, Books, Change, Fault, Order, Shop};
use crate::support::{
    TestApp,
    fake_connector::{ConnectorFault, FakeConnector},
};

pub struct Connector {
    system: FakeConnector,
    made: AtomicU32,
}

const EVENTS_SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBzdWl0ZSdzIGV2ZW50cw==";

fn fault(fault: Fault) -> ConnectorFault {
    match fault {
        Fault::TooMany => ConnectorFault::Answers(429),
        Fault::Down => ConnectorFault::Answers(503),
        Fault::Garbage => ConnectorFault::Garbage,
        Fault::DoesItAndFails => ConnectorFault::DoesItAndFails,
        Fault::BreaksOff => ConnectorFault::DoesItAndBreaksOff,
    }
}

fn method(email: &str) -> String {
    format!("card of {email}")
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn address(of: &Address) -> Value {
    json!({ "address1": of.street, "address2": "", "city": of.city, "state": of.state, "zip": or_dash(of.zip), "country": of.country })
}

impl Connector {
    fn put_customer(&self, email: &str, first_name: &str) {
        let record = json!({ "type": "shopper", "id": email, "email": email, "first_name": first_name, "last_name": "",
            "payment_methods": [{ "id": method(email), "kind": "credit_card" }] });
        self.system.world(|world| world.put("shoppers", email, record));
    }

    fn next(&self) -> u32 {
        50_001 + self.made.fetch_add(1, Ordering::Relaxed)
    }
}

impl Shop for Connector {
    const KIND: Kind = Kind::Connector;

    async fn start() -> Self {
        Self {
            system: FakeConnector::start().await,
            made: AtomicU32::new(0),
        }
    }

    fn address(&self) -> String {
        self.system.url.clone()
    }

    fn secrets(&self) -> (SecretString, SecretString) {
        (FakeConnector::SECRET.into(), EVENTS_SECRET.into())
    }

    fn customer(&self, email: &str) -> String {
        if self.system.world(|world| world.get("shoppers", email)).is_none() {
            self.put_customer(email, "Zoe");
        }
        email.to_owned()
    }

    fn add_order(&self, order: &Order) -> String {
        let number = self.next();
        let reference = format!("erp-{number}");
        let title: Vec<String> = order
            .title
            .split_whitespace()
            .map(|word| word.chars().filter(|c| *c != '\u{200f}').collect())
            .collect();
        let hundredths = |text: &str| text.replace('.', "").parse::<i64>().expect("digits");
        let total = hundredths(order.price) * i64::from(order.quantity) - hundredths(order.discount)
            + hundredths(order.tax)
            + hundredths(order.shipping);
        let decimals = order.price.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let total = match decimals {
            0 => total.to_string(),
            decimals => format!(
                "{}.{:0decimals$}",
                total / 10_i64.pow(decimals as u32),
                total % 10_i64.pow(decimals as u32)
            ),
        };
        let payments = match order.is_paid && !order.is_guest && hundredths(&total) > 0 {
            true => json!([{ "kind": "payment", "amount": total, "payment_method": method(order.email) }]),
            false => json!([]),
        };
        let mut record = json!({ "type": "order", "number": format!("#{number}"), "reference": reference, "currency": order.currency,
            "status": "pending", "address": address(&order.address), "payments": payments,
            "totals": { "total": total, "discount": order.discount, "tax": order.tax, "shipping": order.shipping },
            "lines": [{ "product_id": "p", "item_id": "i", "name": title.join(" "), "price": order.price, "quantity": order.quantity }] });
        match order.is_guest {
            true => record["email"] = order.email.into(),
            false => record["shopper"] = self.customer(order.email).into(),
        }
        self.system.world(|world| world.put("orders", &reference, record));
        reference
    }

    fn number(&self, order: &str) -> String {
        order.replace("erp-", "#")
    }

    fn change(&self, order: &str, change: Change) {
        let fields = match change {
            Change::Cancel => json!({ "status": "cancelled" }),
            Change::Ship => json!({ "status": "shipped" }),
            Change::Refund(amount) => {
                let mut payments =
                    self.system.world(|world| world.get("orders", order)).expect("an order")["payments"].clone();
                let refund =
                    json!({ "kind": "refund", "amount": amount, "payment_method": payments[0]["payment_method"] });
                payments.as_array_mut().expect("payments").push(refund);
                json!({ "payments": payments })
            }
            Change::Touch => json!({}),
        };
        self.system.world(|world| world.edit(order, &fields));
    }

    fn add_product(&self, title: &str, price: &str) -> String {
        let record = json!({ "type": "product", "id": title, "name": title, "variants": [{ "id": format!("{title} 1"), "price": price, "available": true }] });
        self.system.world(|world| world.put("products", title, record));
        title.to_owned()
    }

    fn change_price(&self, product: &str, price: &str) {
        self.add_product(product, price);
    }

    fn rename_customer(&self, email: &str, first_name: &str) {
        self.put_customer(email, first_name);
    }

    fn event(&self, app: &TestApp, order: &str) -> RequestBuilder {
        self.system.event(&app.http, order)
    }

    fn fail(&self, faults: &[Fault]) {
        for one in faults {
            for call in ["records", "order"] {
                self.system.inject_on(call, fault(*one));
            }
        }
    }

    fn fail_at(&self, act: Act, one: Fault) {
        let operation = match act {
            Act::Cancel => "cancel",
            Act::Refund => "refund",
            Act::Address => "set_address",
            Act::Coupon => "coupon",
        };
        self.system.inject_on(operation, fault(one));
    }

    fn refuse_refund(&self) {
        self.system
            .world(|world| world.refuses.insert("refund".into(), "not_possible".into()));
    }

    fn books(&self) -> Books {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.system.world(|world| Books {
            cancelled: world.made("cancel").iter().map(|it| text(&it["order"])).collect(),
            refunds: world
                .made("refund")
                .iter()
                .map(|it| (text(&it["order"]), text(&it["amount"])))
                .collect(),
            codes: world.made("coupon").iter().map(|it| text(&it["code"])).collect(),
            cities: world
                .made("set_address")
                .iter()
                .map(|it| (text(&it["order"]), text(&it["address"]["city"])))
                .collect(),
        })
    }
}
