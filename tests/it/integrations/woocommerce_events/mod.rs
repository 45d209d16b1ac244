//! What WooCommerce's events become. The bodies have the fields of <https://woocommerce.github.io/woocommerce-rest-api-docs/>; each case names
//! its report, a number without a repository being one of woocommerce/woocommerce.

mod cases_of_fields;
mod cases_of_money;
mod cases_of_status;
mod orders;
mod payments;
mod people;
mod products;
mod webhooks;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use countersign::{
    integrations::credentials::{self, Kind},
    keyring::hmac_sha256,
};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestApp, shopper::answer};

const SECRET: &str = "woocommerce secret of the tests";

async fn app() -> TestApp {
    let app = TestApp::offline().await;
    let mut tx = app.executor_tx().await;
    credentials::add(
        &mut tx,
        &app.settings.keyring,
        Kind::WoocommerceWebhook,
        None,
        &SECRET.into(),
        Utc::now(),
    )
    .await
    .expect("added");
    tx.commit().await.expect("commits");
    app
}

fn post(app: &TestApp) -> RequestBuilder {
    let url = format!("{}/v1/webhooks/{}/woocommerce", app.url, app.store.key.as_str());
    app.http.post(url)
}

async fn send(app: &TestApp, topic: &str, body: &Value) {
    let body = body.to_string();
    let signature = BASE64_STANDARD.encode(hmac_sha256(SECRET.as_bytes(), body.as_bytes()));
    let request = post(app)
        .header("x-wc-webhook-signature", signature)
        .header("x-wc-webhook-topic", topic)
        .body(body);
    let (status, answered) = answer(request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answered}");
    app.wait_for_count(
        "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND attempts = 0",
        0,
    )
    .await;
}

fn merge(body: &mut Value, changes: Value) {
    let changes = changes.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(changes);
}

fn place(changes: Value) -> Value {
    let mut place = json!({ "first_name": "Mia", "last_name": "Jones", "company": "", "address_1": "1 High St", "address_2": "",
        "city": "Bath", "state": "", "postcode": "BA1", "country": "GB", "phone": "" });
    merge(&mut place, changes);
    place
}

fn empty_place() -> Value {
    place(json!({ "first_name": "", "last_name": "", "address_1": "", "city": "", "postcode": "" }))
}

fn line(changes: Value) -> Value {
    let mut line = json!({ "id": 71, "name": "Lamp", "product_id": 9, "variation_id": 0, "quantity": 1, "tax_class": "", "subtotal": "80.00",
        "subtotal_tax": "0.00", "total": "80.00", "total_tax": "0.00", "taxes": [], "meta_data": [], "sku": "", "price": 80 });
    merge(&mut line, changes);
    line
}

/// A guest's order of 80.00 USD, one line, paid, with the address of `mia`.
fn order(number: u32, changes: Value) -> Value {
    let mut order = json!({
        "id": 700 + number, "parent_id": 0, "number": number.to_string(), "order_key": "wc_order_1", "created_via": "checkout", "status": "processing",
        "currency": "USD", "prices_include_tax": false, "date_created": "2026-11-20T10:00:00", "date_created_gmt": "2026-11-20T09:00:00",
        "date_modified": "2026-11-20T10:00:00", "date_modified_gmt": "2026-11-20T09:00:00", "discount_total": "0.00", "discount_tax": "0.00",
        "shipping_total": "0.00", "shipping_tax": "0.00", "cart_tax": "0.00", "total": "80.00", "total_tax": "0.00", "customer_id": 0,
        "billing": place(json!({ "email": "mia@example.com" })), "shipping": place(json!({})), "payment_method": "stripe",
        "date_paid": "2026-11-20T10:00:00", "date_paid_gmt": "2026-11-20T09:00:00", "date_completed": null, "date_completed_gmt": null,
        "meta_data": [], "line_items": [line(json!({}))], "tax_lines": [], "shipping_lines": [], "fee_lines": [], "coupon_lines": [], "refunds": [] });
    merge(&mut order, changes);
    order
}

fn customer(id: u64, changes: Value) -> Value {
    let mut customer = json!({ "id": id, "date_created_gmt": "2026-11-19T09:00:00", "date_modified_gmt": "2026-11-19T09:00:00", "email": "zoe@example.com",
        "first_name": "Zoe", "last_name": "Baker", "role": "customer", "username": "zoe", "billing": place(json!({ "address_1": "9 Quay", "email": "bills@example.com" })),
        "shipping": empty_place(), "is_paying_customer": true, "meta_data": [] });
    merge(&mut customer, changes);
    customer
}

fn product(id: u64, changes: Value) -> Value {
    let mut product = json!({ "id": id, "name": "Tide clock &amp; bell", "type": "simple", "status": "publish", "purchasable": true, "stock_status": "instock",
        "date_modified_gmt": "2026-11-20T09:00:00", "description": "<p>Shows the <b>tide</b></p>", "short_description": "", "price": "59.00", "parent_id": 0,
        "images": [{ "src": "https://shop.example/clock.jpg" }], "attributes": [{ "name": "Size", "options": ["M", "L"] }], "variations": [] });
    merge(&mut product, changes);
    product
}

const LATER: &str = "2026-11-22T09:00:00";
const DONE: &str = "2026-11-21T09:00:00";

/// A name with its source, the events in the order in which they arrive, what the shopper must read, what they must not read.
type Case = (&'static str, Vec<Value>, Vec<&'static str>, Vec<&'static str>);
