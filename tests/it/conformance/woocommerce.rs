//! The suite's shop on WooCommerce.

use chrono::Utc;
use countersign::integrations::credentials::Kind;
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::shop::{Act, Books, Change, Fault, Order, Shop};
use crate::support::{
    TestApp,
    fake_woocommerce::{FakeWooCommerce, Kind as Resource, StoreFault},
};

pub struct WooCommerce(FakeWooCommerce);

const SECRET: &str = "webhook secret of the suite";

fn fault(fault: Fault) -> StoreFault {
    match fault {
        Fault::TooMany => StoreFault::Answers(429, "{}"),
        Fault::Down => StoreFault::Answers(503, "down"),
        Fault::Garbage => StoreFault::Garbage,
        Fault::DoesItAndFails => StoreFault::DoesItAndFails,
        Fault::BreaksOff => StoreFault::DoesItAndBreaksOff,
    }
}

fn id(order: &str) -> u64 {
    order.parse().expect("an id")
}

impl WooCommerce {
    fn customer_of(&self, email: &str) -> u64 {
        let known = self.0.world(|world| world.customer_with_email(email));
        known.unwrap_or_else(|| {
            self.0
                .world(|world| world.add_customer(json!({ "email": email, "first_name": "Zoe" })))
        })
    }

    fn edit(&self, order: &str, changes: Value) {
        self.0.world(|world| world.edit(Resource::Order, id(order), changes));
    }
}

impl Shop for WooCommerce {
    const KIND: Kind = Kind::Woocommerce;

    async fn start() -> Self {
        let shop = FakeWooCommerce::start().await;
        shop.world(|world| world.now = Utc::now());
        Self(shop)
    }

    fn address(&self) -> String {
        self.0.url.clone()
    }

    fn secrets(&self) -> (SecretString, SecretString) {
        let (key, secret) = FakeWooCommerce::KEYS;
        (format!("{key}:{secret}").into(), SECRET.into())
    }

    fn customer(&self, email: &str) -> String {
        self.customer_of(email).to_string()
    }

    fn add_order(&self, order: &Order) -> String {
        let customer = if order.is_guest {
            0
        } else {
            self.customer_of(order.email)
        };
        let address = json!({ "first_name": "Zoe", "last_name": "", "address_1": order.address.street, "address_2": "", "city": order.address.city,
            "state": order.address.state, "postcode": order.address.zip, "country": order.address.country });
        let mut billing = address.clone();
        billing["email"] = order.email.into();
        let hundredths = |text: &str| text.replace('.', "").parse::<i64>().expect("digits");
        let decimals = order.price.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let goods = hundredths(order.price) * i64::from(order.quantity);
        let decimal = |minor: i64| match decimals {
            0 => minor.to_string(),
            decimals => format!(
                "{}.{:0decimals$}",
                minor / 10_i64.pow(decimals as u32),
                minor % 10_i64.pow(decimals as u32)
            ),
        };
        let paid = order
            .is_paid
            .then(|| Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string());
        // WooCommerce tells a line before and after discounts, and its tax.
        let line = json!({ "name": order.title, "price": order.price, "quantity": order.quantity, "subtotal": decimal(goods),
            "total": decimal(goods - hundredths(order.discount)), "total_tax": order.tax, "subtotal_tax": order.tax });
        let total = goods - hundredths(order.discount) + hundredths(order.tax) + hundredths(order.shipping);
        let fields = json!({ "customer_id": customer, "currency": order.currency, "billing": billing, "shipping": address,
            "discount_total": order.discount, "cart_tax": order.tax, "total_tax": order.tax, "shipping_total": order.shipping,
            "status": if order.is_paid { "processing" } else { "pending" }, "date_paid_gmt": paid, "line_items": [line], "total": decimal(total) });
        self.0.world(|world| world.add_order(fields)).to_string()
    }

    fn number(&self, order: &str) -> String {
        format!("#{order}")
    }

    fn change(&self, order: &str, change: Change) {
        match change {
            Change::Cancel => self.edit(order, json!({ "status": "cancelled" })),
            Change::Ship => self.edit(order, json!({ "status": "completed", "date_completed_gmt": Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string() })),
            Change::Refund(amount) => {
                let refund = json!([{ "id": 900_000 + id(order), "reason": "broken", "total": format!("-{amount}") }]);
                self.edit(order, json!({ "refunds": refund }));
            }
            Change::Touch => self.0.world(|world| world.touch(Resource::Order, id(order))),
        }
    }

    fn add_product(&self, title: &str, price: &str) -> String {
        let fields = json!({ "name": title, "price": price, "regular_price": price });
        self.0.world(|world| world.add_product(fields)).to_string()
    }

    fn change_price(&self, product: &str, price: &str) {
        let changes = json!({ "price": price, "regular_price": price });
        self.0
            .world(|world| world.edit(Resource::Product, id(product), changes));
    }

    fn rename_customer(&self, email: &str, first_name: &str) {
        let customer = self.customer_of(email);
        self.0
            .world(|world| world.edit(Resource::Customer, customer, json!({ "first_name": first_name })));
    }

    fn event(&self, app: &TestApp, order: &str) -> RequestBuilder {
        let url = format!("{}/v1/webhooks/{}/woocommerce", app.url, app.store.key.as_str());
        let webhook = self.0.webhook("order.updated", Resource::Order, id(order), SECRET);
        webhook.request(&app.http, &url)
    }

    fn fail(&self, faults: &[Fault]) {
        self.0.inject(faults.iter().map(|one| fault(*one)));
    }

    fn fail_at(&self, act: Act, one: Fault) {
        let call = match act {
            Act::Cancel | Act::Address => "PUT orders",
            Act::Refund => "/refunds",
            Act::Coupon => "POST coupons",
        };
        self.0.inject_on(call, fault(one));
    }

    fn refuse_refund(&self) {
        self.0.books(|books| books.gateway_is_gone = true);
    }

    fn books(&self) -> Books {
        self.0.books(|books| Books {
            cancelled: books
                .statuses
                .iter()
                .filter(|(_, status)| status == "cancelled")
                .map(|(order, _)| order.to_string())
                .collect(),
            refunds: books
                .refunds
                .iter()
                .map(|it| (it.order.to_string(), it.amount.clone()))
                .collect(),
            codes: books
                .coupons
                .iter()
                .filter_map(|it| Some(it["code"].as_str()?.to_uppercase()))
                .collect(),
            cities: books
                .addresses
                .iter()
                .map(|(order, address)| {
                    (
                        order.to_string(),
                        address["city"].as_str().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
        })
    }
}
