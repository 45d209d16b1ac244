//! What ordinary WooCommerce orders become: each case is the events that a shop sends, and what the shopper reads when they ask for the order.
//!
//! The bodies have the fields of <https://woocommerce.github.io/woocommerce-rest-api-docs/>; each case names its report. A number without a
//! repository is one of woocommerce/woocommerce.

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

fn tracking(items: Value) -> Value {
    json!([{ "id": 5, "key": "_wc_shipment_tracking_items", "value": items }])
}

const LATER: &str = "2026-11-22T09:00:00";
const DONE: &str = "2026-11-21T09:00:00";

/// A name with its source, the events in the order in which they arrive, what the shopper must read, what they must not read.
type Case = (&'static str, Vec<Value>, Vec<&'static str>, Vec<&'static str>);

fn cases_of_status() -> Vec<Case> {
    let completed = |changes: Value| {
        let mut body = json!({ "status": "completed", "date_completed": DONE, "date_completed_gmt": DONE, "date_modified_gmt": DONE });
        merge(&mut body, changes);
        body
    };
    vec![
        (
            "paid and not sent yet: processing (docs: order properties)",
            vec![json!({})],
            vec!["(Lamp)", "is placed", "The total is 80.00 USD."],
            vec!["shipped.", "still to be paid"],
        ),
        (
            "created, paid and completed within one second, told by two topics (19764, 43019)",
            vec![
                json!({ "status": "pending", "date_paid": null, "date_paid_gmt": null }),
                json!({ "status": "completed", "date_completed_gmt": "2026-11-20T09:00:00" }),
            ],
            vec!["is shipped"],
            vec!["delivered"],
        ),
        (
            "the same, and the older state arrives last (13760)",
            vec![
                json!({ "status": "completed", "date_completed_gmt": "2026-11-20T09:00:00" }),
                json!({ "status": "pending", "date_paid": null, "date_paid_gmt": null }),
            ],
            vec!["is shipped"],
            vec!["is placed"],
        ),
        (
            "completed is sent, not delivered (18273)",
            vec![completed(json!({}))],
            vec!["is shipped"],
            vec!["delivered"],
        ),
        (
            "a plug-in's statuses, with and without the prefix (41959, 13097)",
            vec![
                json!({ "status": "wc-partial-shipped" }),
                json!({ "status": "partially-shipped", "date_modified_gmt": LATER }),
            ],
            vec!["is partly shipped"],
            vec![],
        ),
        (
            "a plug-in says that it was delivered (Automattic/woocommerce-payments pull 11711)",
            vec![
                completed(json!({})),
                completed(json!({ "status": "delivered", "date_modified_gmt": LATER })),
            ],
            vec!["is delivered"],
            vec![],
        ),
        (
            "a status that nobody knows (24413)",
            vec![json!({ "status": "waiting-for-wool" })],
            vec!["is placed"],
            vec!["wool"],
        ),
        (
            "a payment that failed",
            vec![json!({ "status": "failed", "date_paid": null, "date_paid_gmt": null })],
            vec!["is cancelled"],
            vec![],
        ),
        (
            "in the bin (22713, 25652)",
            vec![json!({}), json!({ "status": "trash", "date_modified_gmt": LATER })],
            vec!["is cancelled"],
            vec![],
        ),
        (
            "refunded whole before it was sent: it keeps what was ordered (6981)",
            vec![json!({ "status": "refunded", "refunds": [{ "id": 3, "reason": "", "total": "-80.00" }] })],
            vec!["(Lamp)", "is cancelled", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "refunded whole after it was sent (woocommerce-admin 1555)",
            vec![completed(
                json!({ "status": "refunded", "refunds": [{ "id": 3, "reason": "broken", "total": "-80.00" }] }),
            )],
            vec!["is shipped", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "the number of a plug-in, set after the order was told (godaddy-wordpress/woocommerce-sequential-order-numbers 22)",
            vec![
                json!({ "number": "7001", "id": 7001 }),
                json!({ "number": "NUMBER", "id": 7001, "date_modified_gmt": LATER }),
            ],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "a checkout that is not finished is no order yet (66995, 37958)",
            vec![json!({ "status": "checkout-draft", "total": "1.00" }), json!({})],
            vec!["The total is 80.00 USD."],
            vec![],
        ),
    ]
}

fn cases_of_money() -> Vec<Case> {
    let refund = |total: &str| json!([{ "id": 3, "reason": null, "total": total }]);
    vec![
        (
            "tax added to the prices, a coupon and shipping (docs: retrieve an order)",
            vec![
                json!({ "discount_total": "10.00", "discount_tax": "0.60", "shipping_total": "9.90", "shipping_tax": "0.10", "cart_tax": "4.20",
                "total_tax": "4.30", "total": "84.20", "coupon_lines": [{ "id": 1, "code": "ten" }],
                "line_items": [line(json!({ "quantity": 2, "subtotal": "80.00", "subtotal_tax": "4.80", "total": "70.00", "total_tax": "4.20", "price": 35 }))] }),
            ],
            vec!["The total is 84.20 USD: goods 80.00 USD, discount −10.00 USD, tax 4.30 USD, shipping 9.90 USD."],
            vec![],
        ),
        (
            "tax in the prices: the parts are those with tax (26582, 33143)",
            vec![
                json!({ "prices_include_tax": true, "discount_total": "8.40", "discount_tax": "1.60", "shipping_total": "4.16", "shipping_tax": "0.79",
                "cart_tax": "11.18", "total_tax": "11.97", "total": "74.95",
                "line_items": [line(json!({ "quantity": 2, "subtotal": "67.23", "subtotal_tax": "12.77", "total": "58.82", "total_tax": "11.18", "price": 29.411_764_705_882_35 }))] }),
            ],
            vec![
                "The total is 74.95 USD: goods 80.00 USD, discount −10.00 USD, 11.97 USD tax included, shipping 4.95 USD.",
            ],
            vec![],
        ),
        (
            "three units whose tax is rounded by the line (17397, 27911)",
            vec![
                json!({ "prices_include_tax": true, "cart_tax": "4.78", "total_tax": "4.78", "shipping_total": "5.00", "total": "34.97",
                "line_items": [line(json!({ "quantity": 3, "subtotal": "25.18", "subtotal_tax": "4.78", "total": "25.18", "total_tax": "4.78", "price": 8.393_333_333_333_333 }))] }),
            ],
            vec!["The total is 34.97 USD: goods 29.97 USD, 4.78 USD tax included, shipping 5.00 USD."],
            vec![],
        ),
        (
            "a discount whose tax is rounded apart (stape-io/gtm-server-side-wordpress-plugin 64)",
            vec![
                json!({ "prices_include_tax": true, "discount_total": "8.41", "discount_tax": "1.60", "total_tax": "11.17", "total": "70.00",
                "line_items": [line(json!({ "subtotal": "67.23", "subtotal_tax": "12.77", "total": "58.82", "total_tax": "11.18" }))] }),
            ],
            vec!["The total is 70.00 USD: goods 80.00 USD, discount −10.00 USD, 11.17 USD tax included."],
            vec!["10.01"],
        ),
        (
            "a fee for the way to pay (58351)",
            vec![
                json!({ "total": "84.90", "fee_lines": [{ "id": 4, "name": "Cash on delivery", "amount": "4.9", "total": "4.90", "total_tax": "0.00" }] }),
            ],
            vec!["The total is 84.90 USD: goods 80.00 USD, fees 4.90 USD."],
            vec!["tip"],
        ),
        (
            "a discount as a fee of less than nothing (10365, mollie/WooCommerce 672)",
            vec![
                json!({ "total": "68.80", "fee_lines": [{ "id": 4, "name": "Loyalty", "total": "-11.20", "total_tax": "0.00" }] }),
            ],
            vec!["The total is 68.80 USD: goods 80.00 USD, discount −11.20 USD."],
            vec![],
        ),
        (
            "a discount that is larger than the order, before it is calculated again (21767)",
            vec![json!({ "total": "-2000.00", "fee_lines": [{ "id": 4, "total": "-2080.00" }] })],
            vec!["The total is 80.00 USD."],
            vec!["2000"],
        ),
        (
            "a discount as a line of less than nothing (8500)",
            vec![
                json!({ "total": "60.00", "line_items": [line(json!({})), line(json!({ "id": 72, "name": "Voucher", "subtotal": "-20.00", "total": "-20.00" }))] }),
            ],
            vec![
                "(Lamp)",
                "The total is 60.00 USD: goods 80.00 USD, discount −20.00 USD.",
            ],
            vec!["Voucher"],
        ),
        (
            "all of it taken off by a coupon, and nothing to pay",
            vec![
                json!({ "total": "0.00", "discount_total": "80.00", "date_paid_gmt": DONE, "line_items": [line(json!({ "total": "0.00", "price": 0 }))] }),
            ],
            vec!["The total is 0.00 USD: goods 80.00 USD, discount −80.00 USD."],
            vec!["still to be paid"],
        ),
        (
            "amounts as numbers (32038)",
            vec![json!({ "shipping_total": 4.47, "discount_total": 0.0, "total": 84.47 })],
            vec!["The total is 84.47 USD: goods 80.00 USD, shipping 4.47 USD."],
            vec![],
        ),
        (
            "prices with PHP's decimals where nothing else is told (31593, 46695)",
            vec![
                json!({ "total": "51.51", "line_items": [{ "name": "Lamp", "quantity": 3, "price": 17.169_999_999_999_998 }] }),
            ],
            vec!["(Lamp)", "The total is 51.51 USD."],
            vec![],
        ),
        (
            "no decimals (8590)",
            vec![
                json!({ "currency": "JPY", "total": "8000", "line_items": [line(json!({ "subtotal": "8000", "total": "8000", "price": 8000 }))] }),
            ],
            vec!["The total is 8000 JPY."],
            vec!["USD"],
        ),
        (
            "no decimals, and the shop writes two (woocommerce/woocommerce-paypal-payments pull 202)",
            vec![
                json!({ "currency": "JPY", "total": "2605.00", "line_items": [line(json!({ "subtotal": "2604.67", "total": "2604.67" }))] }),
            ],
            vec!["The total is 2605 JPY."],
            vec![],
        ),
        (
            "three decimals",
            vec![json!({ "currency": "KWD", "total": "8.255", "line_items": [line(json!({ "subtotal": "8.255" }))] })],
            vec!["8.255"],
            vec![],
        ),
        (
            "a part was refunded (woocommerce-rest-api-docs 50)",
            vec![json!({ "refunds": refund("-30.00") })],
            vec!["(Lamp)", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "refunded without ever being paid, as a switch to the status does (23144)",
            vec![
                json!({ "status": "refunded", "date_paid": null, "date_paid_gmt": null, "refunds": refund("-77.00") }),
            ],
            vec!["is cancelled", "The total is 80.00 USD."],
            vec![],
        ),
    ]
}

fn cases_of_fields() -> Vec<Case> {
    vec![
        (
            "entities in a name (woocommerce-ios 1808)",
            vec![json!({ "line_items": [line(json!({ "name": "Yellow Pants (H&amp;M) &#8211; <em>wide</em>" }))] })],
            vec!["(Yellow Pants (H&M) – wide)"],
            vec!["amp;", "<em>"],
        ),
        (
            "a name with signs that begin no tag (26780, 25544)",
            vec![json!({ "line_items": [line(json!({ "name": "Shrimps <30g, >70g" }))] })],
            vec!["(Shrimps <30g, >70g)"],
            vec![],
        ),
        (
            "a part of a unit (52198, XiaoFaye/WooCommerce.NET pull 286)",
            vec![
                json!({ "total": "15.20", "line_items": [line(json!({ "name": "Cheese", "quantity": 1.52, "subtotal": "15.20", "total": "15.20", "price": 10 }))] }),
            ],
            vec!["(Cheese × 1.52)", "The total is 15.20 USD."],
            vec![],
        ),
        (
            "a product that was deleted, quantity as a float (22667, 9513)",
            vec![
                json!({ "total": "634.00", "line_items": [line(json!({ "product_id": 0, "quantity": 10.0, "subtotal": 634.0, "total": "634.00", "price": 63.4 }))] }),
            ],
            vec!["(Lamp)", "634.00 USD"],
            vec![],
        ),
        (
            "values of fields that are lists or objects (XiaoFaye/WooCommerce.NET 606)",
            vec![json!({ "meta_data": {}, "line_items": [line(json!({ "meta_data": [
                { "id": 1, "key": "_bundle", "value": { "a": 1 }, "display_key": "_bundle", "display_value": { "a": 1 } },
                { "id": 2, "key": "pa_color", "value": "blue", "display_key": "Color", "display_value": ["Blue"] }, { "id": 3 }, null] }))] })],
            vec!["(Lamp)"],
            vec!["bundle"],
        ),
        (
            "an order of downloads has no delivery address (mollie/WooCommerce 94)",
            vec![json!({ "shipping": empty_place() })],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "no address at all: picked up (14960)",
            vec![json!({ "shipping": empty_place(), "billing": { "email": "mia@example.com" } })],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "two parcels of Shipment Tracking (woocommerce-ios 250)",
            vec![json!({ "status": "completed", "meta_data": tracking(json!([
                { "tracking_provider": "usps", "custom_tracking_provider": "", "custom_tracking_link": "", "tracking_number": "940553", "date_shipped": "1795219200", "tracking_id": "a1" },
                { "tracking_provider": "", "custom_tracking_provider": "Harbour Post", "custom_tracking_link": "https://post.example/HP100", "tracking_number": "HP100", "date_shipped": "2026-11-21", "tracking_id": "a2" }])) })],
            vec!["is shipped", "940553", "HP100 (https://post.example/HP100)"],
            vec![],
        ),
        (
            "a parcel that was taken off makes the list an object; a link that runs code (woocommerce/woocommerce-paypal-payments pull 4505)",
            vec![
                json!({ "status": "completed", "meta_data": tracking(json!({ "1": { "tracking_provider": "dhl", "custom_tracking_link": "javascript:alert(1)", "tracking_number": "DH200" } })) }),
            ],
            vec!["DH200"],
            vec!["javascript"],
        ),
        (
            "parcels that are no list",
            vec![json!({ "meta_data": tracking(json!("none")) })],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "no lines, as an order that staff begin (21952)",
            vec![
                json!({ "status": "pending", "line_items": [], "total": "0.00", "date_paid": null, "date_paid_gmt": null }),
            ],
            vec!["Order #1 is placed."],
            vec!["()"],
        ),
        (
            "a line that was set to no units (11533)",
            vec![json!({ "line_items": [line(json!({})), line(json!({ "id": 72, "name": "Shade", "quantity": 0 }))] })],
            vec!["(Lamp)"],
            vec!["Shade"],
        ),
        (
            "odd fields",
            vec![
                json!({ "number": 9, "currency": "", "refunds": {}, "fee_lines": null, "shipping": [], "total_tax": "a lot", "customer_id": "0",
                "date_created_gmt": "yesterday", "date_modified_gmt": null, "shipping_total": null,
                "line_items": [line(json!({ "quantity": "1", "price": null, "variation_id": "", "meta_data": null }))] }),
            ],
            vec!["(Lamp)", "80.00 USD"],
            vec![],
        ),
    ]
}

#[tokio::test]
async fn a_shopper_reads_of_each_order_what_the_shop_has() {
    let app = app().await;
    let mia = app.shopper("mia").await;
    let cases: Vec<Case> = [cases_of_status(), cases_of_money(), cases_of_fields()].concat();
    assert!(cases.len() > 40);
    for (at, (case, events, told, untold)) in (1..).zip(cases) {
        for mut event in events {
            if event["number"] == "NUMBER" || event["number"] == 9 {
                event["number"] = json!(at.to_string());
            }
            send(&app, "order.updated", &order(at, event)).await;
        }
        let text = mia.ask_text(&format!("Where is order #{at}?")).await;
        for expected in told {
            let expected = expected.replace("#1 ", &format!("#{at} "));
            assert!(text.contains(&expected), "{case}: {expected}\n{text}");
        }
        for unexpected in untold {
            assert!(!text.contains(unexpected), "{case}: {unexpected}\n{text}");
        }
    }
    let lost = "SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')";
    assert_eq!(app.count(lost).await, 0);
    let renumbered = "SELECT count(*) FROM orders WHERE reference = 'woocommerce:7001'";
    assert_eq!(app.count(renumbered).await, 1, "the order keeps its row");
    for (note, count) in [
        ("`waiting-for-wool` is not known", 1),
        ("a refund of 77.00 USD is more than what was paid", 1),
        ("`total` cannot be read", 1),
        ("`currency` is none that is known", 1),
    ] {
        let noted =
            format!("SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%{note}%'");
        assert_eq!(app.count(noted.leak()).await, count, "{note}");
    }
    let refunds = "SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor IN (3000, 8000)";
    assert_eq!(app.count(refunds).await, 3);
}

#[tokio::test]
async fn what_is_not_paid_is_not_told_as_paid() {
    let app = app().await;
    let unpaid = json!({ "date_paid": null, "date_paid_gmt": null });
    let with = |changes: Value| {
        let mut body = unpaid.clone();
        merge(&mut body, changes);
        body
    };
    for (at, (case, changes, paid)) in (1..).zip([
        (
            "a bank transfer is awaited",
            with(json!({ "status": "on-hold", "payment_method": "bacs" })),
            false,
        ),
        (
            "paid to the carrier, and on its way (29471)",
            with(json!({ "payment_method": "cod" })),
            false,
        ),
        (
            "the same, and a plug-in says that it is paid (14775)",
            json!({ "payment_method": "cod" }),
            false,
        ),
        (
            "the same, completed (pull 15268)",
            json!({ "payment_method": "cod", "status": "completed", "date_completed_gmt": DONE }),
            true,
        ),
        ("paid, in the site's time only", json!({ "date_paid_gmt": null }), true),
        ("paid and then cancelled", json!({ "status": "cancelled" }), true),
    ]) {
        send(&app, "order.updated", &order(at, changes)).await;
        let payments = format!(
            "SELECT count(*) FROM order_payments JOIN orders o ON o.id = order_id WHERE o.number = '#{at}' AND amount_minor = 8000"
        );
        assert_eq!(app.count(payments.leak()).await, i64::from(paid), "{case}");
    }
    // A refund is booked once, however often the order is told, and stays when the shop takes its record back (68658).
    let refund = json!([{ "id": 3, "reason": "", "total": "-30.00" }]);
    for (at, refunds) in [
        (DONE, refund.clone()),
        (LATER, refund),
        ("2026-11-23T09:00:00", json!([])),
    ] {
        send(
            &app,
            "order.updated",
            &order(9, json!({ "date_modified_gmt": at, "refunds": refunds })),
        )
        .await;
    }
    let refunds = "SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor = 3000";
    assert_eq!(app.count(refunds).await, 1);
}

fn customer(id: u64, changes: Value) -> Value {
    let mut customer = json!({ "id": id, "date_created_gmt": "2026-11-19T09:00:00", "date_modified_gmt": "2026-11-19T09:00:00", "email": "zoe@example.com",
        "first_name": "Zoe", "last_name": "Baker", "role": "customer", "username": "zoe", "billing": place(json!({ "address_1": "9 Quay", "email": "bills@example.com" })),
        "shipping": empty_place(), "is_paying_customer": true, "meta_data": [] });
    merge(&mut customer, changes);
    customer
}

#[tokio::test]
async fn only_a_customers_own_events_tell_its_address() {
    let app = app().await;
    // Whoever orders types any address. It belongs to the order, not to the account.
    let typed = json!({ "customer_id": 77, "billing": place(json!({ "email": "mia@example.com" })) });
    send(&app, "order.created", &order(1, typed)).await;
    let of_customer = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND external_id = '77' AND email IS NULL";
    assert_eq!(app.count(of_customer).await, 1);
    send(&app, "customer.updated", &customer(77, json!({}))).await;
    let known = "SELECT count(*) FROM shoppers WHERE external_id = '77' AND email = 'zoe@example.com' AND first_name = 'Zoe' AND address ->> 'address1' = '9 Quay'";
    assert_eq!(app.count(known).await, 1);
    send(
        &app,
        "order.updated",
        &order(1, json!({ "customer_id": 77, "date_modified_gmt": LATER })),
    )
    .await;
    assert_eq!(app.count(known).await, 1, "a later order changes nothing of it");
    // An older state of the customer, then one that has less.
    send(
        &app,
        "customer.updated",
        &customer(
            77,
            json!({ "first_name": "Old", "date_modified_gmt": "2026-11-18T09:00:00" }),
        ),
    )
    .await;
    send(
        &app,
        "customer.updated",
        &customer(
            77,
            json!({ "email": "", "billing": empty_place(), "date_modified_gmt": LATER }),
        ),
    )
    .await;
    assert_eq!(app.count(known).await, 1);
    // The fields of a new account are empty (22247).
    let new = json!({ "date_modified_gmt": null, "email": "Ann@Example.com", "first_name": "", "last_name": "", "billing": empty_place() });
    send(&app, "customer.created", &customer(78, new)).await;
    assert_eq!(
        app.count(
            "SELECT count(*) FROM shoppers WHERE external_id = '78' AND email = 'ann@example.com' AND address IS NULL"
        )
        .await,
        1
    );
    // An address that another customer has stays there.
    send(&app, "customer.created", &customer(79, json!({}))).await;
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%another customer%'";
    assert_eq!(app.count(noted).await, 1);
    send(&app, "customer.deleted", &json!({ "id": 77 })).await;
    assert_eq!(app.count(known).await, 1);
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')")
            .await,
        0
    );
}

#[tokio::test]
async fn a_guests_orders_go_to_whoever_proves_the_address() {
    let app = app().await;
    let guest = |email: &str| json!({ "billing": place(json!({ "email": email })) });
    send(&app, "order.created", &order(1, guest("Guest@Example.com"))).await;
    send(&app, "order.created", &order(2, guest("guest@example.com"))).await;
    send(
        &app,
        "customer.created",
        &customer(90, json!({ "email": "guest@example.com" })),
    )
    .await;
    let adopted = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE external_id = '90'";
    assert_eq!(app.count(adopted).await, 2);
    // The shop erases the data of two orders (19330): they stay with whom they belonged to, and make nobody of that address.
    send(&app, "order.created", &order(3, guest("other@example.com"))).await;
    let erased = |number| {
        let mut body = order(number, guest("deleted@site.invalid"));
        merge(
            &mut body,
            json!({ "date_modified_gmt": LATER, "shipping": empty_place() }),
        );
        body
    };
    send(&app, "order.updated", &erased(1)).await;
    send(&app, "order.updated", &erased(3)).await;
    assert_eq!(app.count(adopted).await, 2);
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE email LIKE '%.invalid'")
            .await,
        0
    );
    // An order without any address, and one that is given to a customer later.
    send(&app, "order.created", &order(4, json!({ "billing": {} }))).await;
    send(
        &app,
        "order.updated",
        &order(4, json!({ "customer_id": 90, "date_modified_gmt": LATER })),
    )
    .await;
    assert_eq!(app.count(adopted).await, 3);
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state <> 'done'")
            .await,
        0
    );
}

fn product(id: u64, changes: Value) -> Value {
    let mut product = json!({ "id": id, "name": "Tide clock &amp; bell", "type": "simple", "status": "publish", "purchasable": true, "stock_status": "instock",
        "date_modified_gmt": "2026-11-20T09:00:00", "description": "<p>Shows the <b>tide</b></p>", "short_description": "", "price": "59.00", "parent_id": 0,
        "images": [{ "src": "https://shop.example/clock.jpg" }], "attributes": [{ "name": "Size", "options": ["M", "L"] }], "variations": [] });
    merge(&mut product, changes);
    product
}

#[tokio::test]
async fn products_come_with_their_variations_one_by_one() {
    let app = app().await;
    send(&app, "product.created", &product(40, json!({}))).await;
    let simple = "SELECT count(*) FROM variants JOIN products p ON p.id = product_id WHERE item_id = '40' AND available AND price_minor = 5900
        AND p.name = 'Tide clock & bell' AND p.description = 'Shows the tide' AND p.picture = 'https://shop.example/clock.jpg'";
    assert_eq!(app.count(simple).await, 1);
    for (at, changes) in (1..).zip([
        json!({ "stock_status": "outofstock" }),
        json!({ "status": "draft" }),
        json!({ "price": "" }),
    ]) {
        let mut body = product(40, changes);
        body["date_modified_gmt"] = json!(format!("2026-11-21T09:0{at}:00"));
        send(&app, "product.updated", &body).await;
        assert_eq!(app.count(simple).await, 0, "{body}");
        let again = json!({ "date_modified_gmt": format!("2026-11-21T09:0{at}:30") });
        send(&app, "product.updated", &product(40, again)).await;
        assert_eq!(app.count(simple).await, 1);
    }
    send(&app, "product.deleted", &json!({ "id": 40 })).await;
    assert_eq!(app.count(simple).await, 0);
    send(
        &app,
        "product.restored",
        &product(40, json!({ "date_modified_gmt": LATER })),
    )
    .await;
    assert_eq!(app.count(simple).await, 1);

    // A variation may come before its product (15198, 20109).
    let variation = |id: u64, changes: Value| {
        let mut body = product(
            id,
            json!({ "type": "variation", "parent_id": 50, "name": "Shirt - M", "attributes": [{ "id": 0, "name": "Size", "option": "M" }] }),
        );
        merge(&mut body, changes);
        body
    };
    let shirt = |changes: Value| {
        let mut body = product(
            50,
            json!({ "type": "variable", "name": "Shirt", "variations": [51, 52] }),
        );
        merge(&mut body, changes);
        body
    };
    send(&app, "product.created", &variation(51, json!({}))).await;
    assert_eq!(
        app.count(
            "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND last_error LIKE '%no such product%'"
        )
        .await,
        1
    );
    send(&app, "product.created", &shirt(json!({}))).await;
    app.execute_sql("UPDATE incoming_webhooks SET due_at = now() WHERE state = 'queued'")
        .await;
    send(
        &app,
        "product.created",
        &variation(
            52,
            json!({ "price": "61.00", "attributes": [{ "name": "Size", "option": "L" }] }),
        ),
    )
    .await;
    let both = "SELECT count(*) FROM variants JOIN products p ON p.id = product_id WHERE p.name = 'Shirt' AND available AND options ->> 'Size' IN ('M', 'L')";
    app.wait_for_count(both, 2).await;
    // The product is told again and keeps its variations; one is sold out, then one is taken off.
    send(
        &app,
        "product.updated",
        &shirt(json!({ "date_modified_gmt": DONE, "description": "Linen" })),
    )
    .await;
    assert_eq!(app.count(both).await, 2);
    send(
        &app,
        "product.updated",
        &variation(52, json!({ "stock_status": "outofstock", "date_modified_gmt": DONE })),
    )
    .await;
    assert_eq!(app.count(both).await, 1);
    send(
        &app,
        "product.updated",
        &shirt(json!({ "date_modified_gmt": LATER, "variations": [52] })),
    )
    .await;
    assert_eq!(app.count(both).await, 0);
    // What the shop has not saved yet is no product (29376).
    send(
        &app,
        "product.updated",
        &product(60, json!({ "name": "AUTO-DRAFT", "status": "auto-draft" })),
    )
    .await;
    assert_eq!(
        app.count("SELECT count(*) FROM products WHERE name = 'AUTO-DRAFT'")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')")
            .await,
        0
    );
}

#[tokio::test]
async fn the_test_of_an_address_is_answered_and_not_stored() {
    let app = app().await;
    // WooCommerce signs no test and takes no answer but 200 (15642).
    let form = |body: &'static str| {
        post(&app)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let tested = form("webhook_id=12").send().await.expect("an answer");
    assert_eq!(tested.status(), StatusCode::OK);
    for body in ["webhook_id=12&id=1", "webhook_id=", "{\"id\":5}"] {
        let (status, answered) = answer(form(body)).await;
        assert_eq!(
            (status, answered["type"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("urn:countersign:problem:bad_signature")),
            "{body}"
        );
    }
    // Another source has no such test, and an address of no store has none either.
    let other = format!("{}/v1/webhooks/{}/shopify", app.url, app.store.key.as_str());
    assert_eq!(
        answer(app.http.post(other).body("webhook_id=12")).await.0,
        StatusCode::UNAUTHORIZED
    );
    let nowhere = format!("{}/v1/webhooks/pk_nobody/woocommerce", app.url);
    assert_eq!(
        answer(app.http.post(nowhere).body("webhook_id=12")).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(app.count("SELECT count(*) FROM incoming_webhooks").await, 0);
}

#[tokio::test]
async fn a_topic_that_does_not_fit_its_body_destroys_nothing() {
    let app = app().await;
    send(&app, "customer.created", &customer(77, json!({}))).await;
    let mut body = order(1, json!({ "customer_id": 77 }));
    send(&app, "order.created", &body).await;
    for (at, topic) in (2..).zip([
        "order.deleted",
        "product.deleted",
        "product.updated",
        "customer.updated",
    ]) {
        // Topics of a class share a body, so each is a little different.
        body["customer_note"] = json!(at);
        send(&app, topic, &body).await;
    }
    send(&app, "order.updated", &product(40, json!({}))).await;
    send(&app, "order.updated", &json!({ "id": 701 })).await;
    // The user whom the webhook belongs to was deleted (37806).
    let refusal = json!({ "code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot view this resource.", "data": { "status": 401 } });
    send(&app, "order.updated", &refusal).await;
    let refused = "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND last_error IS NOT NULL";
    assert_eq!(app.count(refused).await, 7);
    let told = "SELECT count(*) FROM incoming_webhooks WHERE last_error LIKE '%woocommerce_rest_cannot_view%'";
    assert_eq!(app.count(told).await, 1);
    let kept = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND status = 'pending' AND email = 'zoe@example.com'";
    assert_eq!(app.count(kept).await, 1);
}

#[tokio::test]
async fn a_body_is_one_event_for_each_class_of_topic() {
    let app = app().await;
    // Under a topic that is not used first: it does not silence the topic that is.
    let body = order(1, json!({}));
    send(&app, "action.woocommerce_order_status_processing", &body).await;
    send(&app, "order.deleted", &body).await;
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE number = '#1'").await, 0);
    for topic in ["order.created", "order.updated", "order.updated"] {
        send(&app, topic, &body).await;
    }
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'")
            .await,
        1
    );
    // The same id is a customer's, a coupon's and an order's.
    for topic in ["customer.deleted", "coupon.deleted", "order.deleted"] {
        send(&app, topic, &json!({ "id": 701 })).await;
    }
    let cancelled = "SELECT count(*) FROM orders WHERE number = '#1' AND status = 'cancelled'";
    assert_eq!(app.count(cancelled).await, 1);
    send(&app, "order.restored", &body).await;
    assert_eq!(app.count(cancelled).await, 0);
    for (topic, reason) in [
        ("action.woocommerce_order_status_processing", "what an action changed"),
        ("coupon.deleted", "what a coupon took off"),
        ("customer.deleted", "until staff erase it"),
    ] {
        let ignored = format!(
            "SELECT count(*) FROM incoming_webhooks WHERE state = 'ignored' AND topic = '{topic}' AND last_error LIKE '%{reason}%'"
        );
        assert_eq!(app.count(ignored.leak()).await, 1, "{topic}");
    }
    send(&app, "subscription.created", &json!({ "id": 1 })).await;
    let unknown = "SELECT count(*) FROM incoming_webhooks WHERE state = 'ignored' AND topic = 'subscription.created' AND last_error LIKE '%nothing here%'";
    assert_eq!(app.count(unknown).await, 1);
}
