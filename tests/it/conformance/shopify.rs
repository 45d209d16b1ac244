//! The suite's shop on Shopify.

use chrono::Utc;
use countersign::integrations::credentials::Kind;
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::shop::{Act, Books, Change, Fault, Order, Shop};
use crate::support::{
    TestApp,
    fake_shopify::{FakeShopify, RefundOutcome, ShopFault},
};

pub struct Shopify(FakeShopify);

fn fault(fault: Fault) -> ShopFault {
    match fault {
        Fault::TooMany => ShopFault::Throttled,
        Fault::Down => ShopFault::Answers(503, "down"),
        Fault::Garbage => ShopFault::Garbage,
        Fault::DoesItAndFails => ShopFault::DoesItAndFails,
        Fault::BreaksOff => ShopFault::DoesItAndBreaksOff,
    }
}

impl Shopify {
    fn customer_of(&self, email: &str) -> String {
        let known = self.0.world(|world| world.customer_with_email(email));
        known.unwrap_or_else(|| {
            self.0
                .world(|world| world.add_customer(json!({ "email": email, "firstName": "Zoe" })))
        })
    }

    fn edit(&self, id: &str, changes: Value) {
        self.0.world(|world| world.edit(id, changes));
    }
}

impl Shop for Shopify {
    const KIND: Kind = Kind::Shopify;

    async fn start() -> Self {
        let shop = FakeShopify::start().await;
        shop.world(|world| {
            (world.now, world.next_number) = (Utc::now(), 50_001);
            (world.bulk.created_polls, world.bulk.running_polls) = (0, 0);
        });
        Self(shop)
    }

    fn address(&self) -> String {
        self.0.url.clone()
    }

    fn secrets(&self) -> (SecretString, SecretString) {
        (FakeShopify::TOKEN.into(), FakeShopify::SECRET.into())
    }

    fn customer(&self, email: &str) -> String {
        self.customer_of(email).rsplit('/').next().expect("an id").to_owned()
    }

    fn add_order(&self, order: &Order) -> String {
        let customer = (!order.is_guest).then(|| self.customer_of(order.email));
        let address = json!({ "address1": order.address.street, "address2": null, "city": order.address.city, "province": order.address.state,
            "zip": order.address.zip, "country": order.address.country });
        let mut fields = json!({ "customer": customer, "email": order.email, "currencyCode": order.currency, "presentmentCurrencyCode": order.currency,
            "totalDiscountsSet": order.discount, "totalTaxSet": order.tax, "totalShippingPriceSet": order.shipping, "shippingAddress": address,
            "lineItems": [{ "title": order.title, "originalUnitPriceSet": order.price, "quantity": order.quantity }] });
        if !order.is_paid {
            fields["transactions"] = json!([]);
        }
        self.0.world(|world| world.add_order(fields))
    }

    fn number(&self, order: &str) -> String {
        let order = self.0.world(|world| world.node(order)).expect("an order");
        order["name"].as_str().expect("a name").to_owned()
    }

    fn change(&self, order: &str, change: Change) {
        match change {
            Change::Cancel => self.edit(order, json!({ "cancelledAt": Utc::now().to_rfc3339() })),
            Change::Ship => {
                self.0.world(|world| world.fulfill(order));
            }
            Change::Refund(amount) => {
                self.0.world(|world| world.refund_by_staff(order, amount, "broken"));
            }
            Change::Touch => self.0.world(|world| world.touch(order)),
        }
    }

    fn add_product(&self, title: &str, price: &str) -> String {
        let fields = json!({ "title": title, "variants": [{ "price": price, "inventoryQuantity": 3 }] });
        self.0.world(|world| world.add_product(fields))
    }

    fn change_price(&self, product: &str, price: &str) {
        let product = self.0.world(|world| world.node(product)).expect("a product");
        let variant = product["variants"][0]["id"].as_str().expect("an id").to_owned();
        self.edit(&variant, json!({ "price": price }));
    }

    fn rename_customer(&self, email: &str, first_name: &str) {
        self.edit(&self.customer_of(email), json!({ "firstName": first_name }));
    }

    fn event(&self, app: &TestApp, order: &str) -> RequestBuilder {
        let url = format!("{}/v1/webhooks/{}/shopify", app.url, app.store.key.as_str());
        self.0.webhook("orders/updated", order).request(&app.http, &url)
    }

    fn fail(&self, faults: &[Fault]) {
        self.0.inject(faults.iter().map(|one| fault(*one)));
    }

    fn fail_at(&self, act: Act, one: Fault) {
        let call = match act {
            Act::Cancel => "orderCancel(",
            Act::Refund => "refundCreate",
            Act::Address => "orderUpdate",
            Act::Coupon => "discountCodeBasicCreate",
        };
        self.0.inject_on(call, fault(one));
    }

    fn refuse_refund(&self) {
        let refused = r#"{"data":{"result":{"refund":null,"userErrors":[{"field":["transactions"]}]}}}"#;
        self.0.inject_on("refundCreate", ShopFault::Answers(200, refused));
        self.0
            .books(|books| books.next_refunds.push_back(RefundOutcome::Succeeds));
    }

    fn books(&self) -> Books {
        self.0.books(|books| Books {
            cancelled: books.cancelled.iter().map(|it| it.order.clone()).collect(),
            refunds: books
                .refunds
                .iter()
                .filter(|it| it.note != "broken")
                .map(|it| (it.order.clone(), it.amount.clone()))
                .collect(),
            codes: books.discount_codes.iter().map(|it| it.code.clone()).collect(),
            cities: books
                .addresses
                .iter()
                .map(|(order, address)| (order.clone(), address["city"].as_str().unwrap_or_default().to_owned()))
                .collect(),
        })
    }
}
