//! What ordinary Shopify orders become: each case is the events that a shop sends, and what the shopper reads when they ask for the order.
//!
//! The bodies have the fields of <https://shopify.dev/docs/api/admin-rest/latest/resources/order>; each case names its report.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use countersign::{
    integrations::credentials::{self, Kind},
    keyring::hmac_sha256,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestApp, shopper::answer};

const SECRET: &str = "shopify secret of the tests";

async fn app() -> TestApp {
    with_secret(TestApp::offline().await).await
}

/// Gives the app the secret that the events below are signed with.
pub(super) async fn with_secret(app: TestApp) -> TestApp {
    let mut tx = app.executor_tx().await;
    credentials::add(
        &mut tx,
        &app.settings.keyring,
        Kind::ShopifyWebhook,
        None,
        &SECRET.into(),
        Utc::now(),
    )
    .await
    .expect("added");
    tx.commit().await.expect("commits");
    app
}

pub(super) async fn send(app: &TestApp, topic: &str, body: &Value) {
    let body = body.to_string();
    let signature = BASE64_STANDARD.encode(hmac_sha256(SECRET.as_bytes(), body.as_bytes()));
    let url = format!("{}/v1/webhooks/{}/shopify", app.url, app.store.key.as_str());
    let request = app
        .http
        .post(url)
        .header("x-shopify-hmac-sha256", signature)
        .header("x-shopify-topic", topic)
        .body(body);
    let (status, answered) = answer(request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answered}");
    app.wait_for_count(
        "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND attempts = 0",
        0,
    )
    .await;
}

/// An order of 80.00 USD, one line, paid, with the address of `mia`.
pub(super) fn order(number: u32, changes: Value) -> Value {
    let mut order = json!({
        "id": 5_500_000_000_u64 + u64::from(number), "admin_graphql_api_id": format!("gid://shopify/Order/{}", 5_500_000_000_u64 + u64::from(number)),
        "name": format!("#{number}"), "order_number": number, "created_at": "2026-11-20T09:00:00+01:00", "updated_at": "2026-11-20T09:00:00+01:00",
        "cancelled_at": null, "currency": "USD", "financial_status": "paid", "fulfillment_status": null, "email": "mia@example.com",
        "total_price": "80.00", "total_discounts": "0.00", "total_tax": "0.00", "taxes_included": false, "customer": null,
        "shipping_address": { "address1": "1 High St", "address2": null, "city": "Bath", "province": null, "zip": "BA1", "country": "United Kingdom" },
        "line_items": [{ "id": 71, "product_id": 9, "variant_id": 91, "title": "Lamp", "variant_title": null, "price": "80.00", "quantity": 1, "current_quantity": 1 }],
        "fulfillments": [], "refunds": [] });
    merge(&mut order, changes);
    order
}

fn merge(order: &mut Value, changes: Value) {
    let changes = changes.as_object().expect("an object").clone();
    order.as_object_mut().expect("an object").extend(changes);
}

pub(super) fn fulfillment(id: u64, changes: Value) -> Value {
    let mut fulfillment = json!({ "id": id, "order_id": 5_500_000_001_u64, "status": "success", "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z",
        "tracking_company": "Harbour Post", "tracking_number": format!("HP{id}00"), "tracking_numbers": [format!("HP{id}00")],
        "tracking_urls": [format!("https://post.example/HP{id}00")], "shipment_status": null, "line_items": [{ "id": 71, "variant_id": 91 }] });
    merge(&mut fulfillment, changes);
    fulfillment
}

pub(super) const LATER: &str = "2026-11-22T09:00:00+01:00";

/// A name with its source, the events in the order in which they arrive, what the shopper must read, what they must not read.
type Case = (&'static str, Vec<Value>, Vec<&'static str>, Vec<&'static str>);

fn cases() -> Vec<Case> {
    let line = |changes: Value| {
        let mut line = json!({ "id": 72, "product_id": 9, "variant_id": 92, "title": "Shade", "price": "20.00", "quantity": 1, "current_quantity": 1 });
        merge(&mut line, changes);
        line
    };
    let lamp = json!({ "id": 71, "product_id": 9, "variant_id": 91, "title": "Lamp", "price": "80.00", "quantity": 1, "current_quantity": 1 });
    let refund = |status: &str| {
        json!([{ "id": 3, "note": "broken", "refund_line_items": [],
            "transactions": [{ "kind": "refund", "status": status, "amount": "30.00", "currency": "USD" }] }])
    };
    vec![
        (
            "created, paid and shipped within one second (Shopify/shopify-app-js 603)",
            vec![
                json!({ "financial_status": "pending" }),
                json!({ "fulfillment_status": "fulfilled", "fulfillments": [fulfillment(1, json!({}))] }),
            ],
            vec![
                "is shipped",
                "HP100 (https://post.example/HP100)",
                "The total is 80.00 USD",
            ],
            vec!["delivered"],
        ),
        (
            "the same, and the older state arrives last",
            vec![
                json!({ "fulfillment_status": "fulfilled", "fulfillments": [fulfillment(1, json!({}))] }),
                json!({ "financial_status": "pending" }),
            ],
            vec!["is shipped"],
            vec!["placed"],
        ),
        (
            "paid, edited to more, paid again, shipped (Shopify's order editing)",
            vec![
                json!({}),
                json!({ "updated_at": "2026-11-21T09:00:00Z", "total_price": "100.00", "line_items": [lamp, line(json!({}))] }),
                json!({ "updated_at": LATER, "total_price": "100.00", "line_items": [lamp, line(json!({}))], "fulfillment_status": "fulfilled" }),
            ],
            vec!["Lamp, Shade", "is shipped", "The total is 100.00 USD."],
            vec!["still to be paid", "not been shipped"],
        ),
        (
            "paid, then edited to more that is not paid yet",
            vec![
                json!({}),
                json!({ "updated_at": LATER, "financial_status": "partially_paid", "total_price": "100.00", "line_items": [lamp, line(json!({}))] }),
            ],
            vec!["The total is 100.00 USD.", "20.00 USD is still to be paid."],
            vec![],
        ),
        (
            "a total of nothing, paid (frappe/ecommerce_integrations 162)",
            vec![json!({ "total_price": "0.00", "total_discounts": "80.00" })],
            vec!["The total is 0.00 USD: goods 80.00 USD, discount −80.00 USD."],
            vec![],
        ),
        (
            "discount, tax and shipping (frappe/ecommerce_integrations 154)",
            vec![
                json!({ "total_price": "84.10", "total_discounts": "10.00", "total_tax": "4.20",
                "total_shipping_price_set": { "shop_money": { "amount": "9.90", "currency_code": "USD" } },
                "line_items": [{ "id": 71, "product_id": 9, "variant_id": 91, "title": "Mug", "price": "40.00", "quantity": 2, "current_quantity": 2 }] }),
            ],
            vec!["The total is 84.10 USD: goods 80.00 USD, discount −10.00 USD, tax 4.20 USD, shipping 9.90 USD."],
            vec![],
        ),
        (
            "tax in the prices, a tip and duties, amounts as numbers",
            vec![
                json!({ "total_price": 92.5, "total_tax": 12.77, "taxes_included": true, "total_tip_received": 2.5,
                "original_total_duties_set": { "shop_money": { "amount": "10.00" } } }),
            ],
            vec!["The total is 92.50 USD: goods 80.00 USD, 12.77 USD tax included, tip 2.50 USD, duties 10.00 USD."],
            vec![],
        ),
        (
            "a line that an edit took off (lightward/mechanic-tasks pull 7)",
            vec![json!({ "line_items": [lamp, line(json!({ "current_quantity": 0 }))] })],
            vec!["(Lamp)", "80.00 USD"],
            vec!["Shade"],
        ),
        (
            "a line that was sent back for money was ordered all the same",
            vec![json!({ "financial_status": "refunded", "current_total_price": "0.00",
                "line_items": [{ "id": 71, "product_id": 9, "variant_id": 91, "title": "Lamp", "price": "80.00", "quantity": 1, "current_quantity": 0 }],
                "refunds": [{ "id": 3, "refund_line_items": [{ "line_item_id": 71, "quantity": 1 }],
                    "transactions": [{ "kind": "refund", "status": "success", "amount": "80.00", "currency": "USD" }] }] })],
            vec!["(Lamp)", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "titles with line breaks, joiners and marks of direction, of 255 characters; an address with line ends (woocommerce/woocommerce 52012)",
            vec![
                json!({ "line_items": [{ "id": 71, "product_id": null, "variant_id": null, "title": "Lamp\r\n\u{200f}👩\u{200d}🔬", "variant_title": "x".repeat(255), "price": "80.00", "quantity": 1 }],
                "shipping_address": { "address1": "1 High St\r\nBack door", "city": "Bath", "zip": "", "country": "UK" } }),
            ],
            vec!["(Lamp 👩\u{200d}🔬)"],
            vec![],
        ),
        (
            "three parcels of two fulfilments, one of which was called off (nozzlegear/ShopifySharp 492)",
            vec![json!({ "fulfillment_status": "fulfilled", "fulfillments": [
                fulfillment(1, json!({ "tracking_numbers": ["HP100", "HP101"], "tracking_urls": ["https://post.example/HP100", "https://post.example/HP101"] })),
                fulfillment(2, json!({ "status": "cancelled" })), fulfillment(3, json!({ "tracking_urls": [] }))] })],
            vec![
                "Its tracking numbers are HP100 (https://post.example/HP100), HP101 (https://post.example/HP101), HP300.",
            ],
            vec!["HP200"],
        ),
        (
            "all delivered, as the carrier says (ChannelApe/shopify-sdk 94)",
            vec![
                json!({ "fulfillment_status": "fulfilled", "fulfillments": [fulfillment(1, json!({ "shipment_status": "delivered" }))] }),
            ],
            vec!["is delivered"],
            vec![],
        ),
        (
            "out for delivery",
            vec![
                json!({ "fulfillment_status": "fulfilled", "fulfillments": [fulfillment(1, json!({ "shipment_status": "out_for_delivery" }))] }),
            ],
            vec!["is out for delivery"],
            vec![],
        ),
        (
            "partly sent",
            vec![json!({ "fulfillment_status": "partial", "fulfillments": [fulfillment(1, json!({}))] })],
            vec!["is partly shipped"],
            vec![],
        ),
        (
            "sent without a tracking number, and delivered as the carrier says (Shopify's fulfilment `tracking_number: null`)",
            vec![
                json!({ "fulfillment_status": "fulfilled", "fulfillments": [fulfillment(1, json!({ "tracking_number": null, "tracking_numbers": [],
                    "tracking_urls": [], "tracking_company": null, "shipment_status": "delivered" }))] }),
            ],
            vec!["is delivered. It was sent without a tracking number."],
            vec!["tracking number is"],
        ),
        (
            "another currency than the store's",
            vec![json!({ "currency": "JPY", "total_price": "8000",
                "line_items": [{ "id": 71, "product_id": 9, "variant_id": 91, "title": "Lamp", "price": "8000", "quantity": 1 }] })],
            vec!["The total is 8000 JPY."],
            vec!["USD"],
        ),
        (
            "three decimals, of which Shopify writes two",
            vec![json!({ "currency": "KWD", "total_price": "8.25",
                "line_items": [{ "id": 71, "title": "Lamp", "price": "8.25", "quantity": 1 }] })],
            vec!["8.250"],
            vec![],
        ),
        (
            "a refund that is pending and then fails (microsoft/BCApps pull 9112)",
            vec![
                json!({ "updated_at": "2026-11-21T09:00:00Z", "refunds": refund("pending") }),
                json!({ "updated_at": LATER, "refunds": refund("failure") }),
            ],
            vec!["The total is 80.00 USD."],
            vec![],
        ),
        (
            "no lines",
            vec![json!({ "line_items": [], "total_price": "0.00" })],
            vec!["Order #1 is placed."],
            vec!["()"],
        ),
        (
            "a gift card's line, without a variant and an address",
            vec![
                json!({ "line_items": [{ "id": 71, "product_id": 9, "variant_id": null, "title": "Gift card", "gift_card": true, "price": "80.00", "quantity": 1, "requires_shipping": false }], "shipping_address": null }),
            ],
            vec!["(Gift card)"],
            vec![],
        ),
        (
            "odd fields",
            vec![
                json!({ "fulfillments": null, "refunds": {}, "total_tax": "a lot", "cancelled_at": null, "customer": [], "created_at": "yesterday",
                "line_items": [{ "title": "Lamp", "price": "80.00", "quantity": "1", "current_quantity": null, "variant_id": "gid://shopify/ProductVariant/91" }] }),
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
    for (at, (case, events, told, untold)) in (1..).zip(cases()) {
        for event in events {
            send(&app, "orders/updated", &order(at, event)).await;
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
    assert_eq!(
        app.count("SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor = 3000")
            .await,
        0
    );
}

#[tokio::test]
async fn people_are_matched_by_the_shops_id_then_by_their_address_and_orders_move_with_a_merge() {
    let app = app().await;
    let customer = |id: u64, email: Value| json!({ "customer": { "id": id, "email": email, "first_name": "Zoe", "last_name": "B", "default_address": { "address1": "9 Quay", "city": "Bath", "zip": "BA2", "country": "UK" } } });
    // The same address under two ids: both orders are taken, and the address stays with the first.
    send(&app, "orders/create", &order(1, customer(77, json!("zoe@example.com")))).await;
    send(&app, "orders/create", &order(2, customer(78, json!("zoe@example.com")))).await;
    let owner = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND external_id = '77' AND email = 'zoe@example.com'";
    assert_eq!(app.count(owner).await, 1);
    let other = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#2' AND external_id = '78' AND email IS NULL";
    assert_eq!(app.count(other).await, 1);
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%another customer%'";
    assert_eq!(app.count(noted).await, 1, "staff see what could not be taken");

    // An event that tells less wipes nothing.
    send(
        &app,
        "orders/updated",
        &order(
            1,
            json!({ "updated_at": LATER, "email": null, "customer": { "id": 77 } }),
        ),
    )
    .await;
    let kept = "SELECT count(*) FROM shoppers WHERE external_id = '77' AND email = 'zoe@example.com' AND first_name = 'Zoe' AND address ->> 'address1' = '9 Quay'";
    assert_eq!(app.count(kept).await, 1);

    // One order is given to another customer, then both customers are merged.
    send(
        &app,
        "orders/updated",
        &order(
            1,
            json!({ "updated_at": "2026-11-23T09:00:00Z", "customer": { "id": 79, "email": "ann@example.com" } }),
        ),
    )
    .await;
    let moved = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND external_id = '79'";
    assert_eq!(app.count(moved).await, 1);
    let money = "SELECT count(*) FROM money_movements m JOIN payment_methods p ON (p.id, p.shopper_id) = (m.payment_method_id, m.shopper_id) WHERE p.external_id = 'platform-79' AND m.amount_minor = 8000";
    assert_eq!(app.count(money).await, 1, "the money goes along");
    send(&app, "customers/merge", &json!({ "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/78", "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/79" })).await;
    let merged = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE external_id = '78'";
    assert_eq!(app.count(merged).await, 2);
    send(&app, "customers/merge", &json!({ "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/80", "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/78" })).await;
    let renamed = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE external_id = '80'";
    assert_eq!(app.count(renamed).await, 2);

    // A merge that failed leaves both, and the address of an order is not its customer's.
    let failed = json!({ "status": "failed", "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/77", "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/80" });
    send(&app, "customers/merge", &failed).await;
    assert_eq!(app.count(renamed).await, 2);
    let without_address = json!({ "email": "mia@example.com", "customer": { "id": 99, "email": null } });
    send(&app, "orders/create", &order(9, without_address)).await;
    let stranger = "SELECT count(*) FROM shoppers WHERE external_id = '99' AND email IS NULL";
    assert_eq!(app.count(stranger).await, 1);

    // Nobody is named at all; then only a phone; then an address that a customer has later.
    send(&app, "orders/create", &order(3, json!({ "email": null }))).await;
    send(
        &app,
        "orders/updated",
        &order(
            3,
            json!({ "email": null, "phone": "+44 20 7946 0000", "updated_at": LATER }),
        ),
    )
    .await;
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE number = '#3'").await, 1);
    send(
        &app,
        "orders/create",
        &order(4, json!({ "email": "Guest@Example.com" })),
    )
    .await;
    send(
        &app,
        "orders/create",
        &order(5, json!({ "email": "guest@example.com" })),
    )
    .await;
    send(
        &app,
        "orders/create",
        &order(6, customer(90, json!("guest@example.com"))),
    )
    .await;
    let adopted = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE external_id = '90'";
    assert_eq!(app.count(adopted).await, 3);
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')")
            .await,
        0
    );
}

#[tokio::test]
async fn an_order_that_somebody_asked_something_of_stays_with_them() {
    let app = app().await;
    let mia = app.shopper("mia").await;
    send(
        &app,
        "orders/create",
        &order(1, json!({ "fulfillment_status": "fulfilled" })),
    )
    .await;
    let asked = mia.ask("I want to return #1").await;
    assert!(asked["message"]["text"].to_string().contains("Return"), "{asked}");
    let yes = json!({ "conversation_id": asked["conversation_id"], "text": "Yes" });
    answer(mia.post("/v1/chat/send").json(&yes)).await;
    assert_eq!(
        app.count("SELECT count(*) FROM proposals WHERE tool = 'return_items'")
            .await,
        1
    );
    let changes = json!({ "fulfillment_status": "fulfilled", "updated_at": LATER, "customer": { "id": 79, "email": "ann@example.com" } });
    send(&app, "orders/updated", &order(1, changes)).await;
    let kept = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND external_id = 'mia'";
    assert_eq!(app.count(kept).await, 1);
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%stays with%'";
    assert_eq!(app.count(noted).await, 1);
}

#[tokio::test]
async fn parcels_and_products_have_events_of_their_own() {
    let app = app().await;
    let mia = app.shopper("mia").await;
    send(
        &app,
        "orders/create",
        &order(1, json!({ "fulfillment_status": "fulfilled" })),
    )
    .await;
    send(&app, "fulfillments/create", &fulfillment(1, json!({}))).await;
    let told = mia.ask_text("Where is order #1?").await;
    assert!(told.contains("is shipped") && told.contains("HP100"), "{told}");
    for (status, at, expected) in [
        ("out_for_delivery", "2026-11-22T09:00:00Z", "is out for delivery"),
        ("delivered", "2026-11-22T15:00:00Z", "is delivered"),
        ("in_transit", "2026-11-22T08:00:00Z", "is delivered"),
    ] {
        let event =
            json!({ "id": 1, "fulfillment_id": 1, "order_id": 5_500_000_001_u64, "status": status, "happened_at": at });
        send(&app, "fulfillment_events/create", &event).await;
        let told = mia.ask_text("Where is order #1?").await;
        assert!(told.contains(expected), "{status}: {told}");
    }
    // The other order went without a number: what its carrier says counts all the same.
    send(
        &app,
        "orders/create",
        &order(2, json!({ "fulfillment_status": "fulfilled" })),
    )
    .await;
    let numberless =
        json!({ "order_id": 5_500_000_002_u64, "tracking_number": null, "tracking_numbers": [], "tracking_urls": [] });
    send(&app, "fulfillments/create", &fulfillment(2, numberless)).await;
    let event = json!({ "id": 9, "fulfillment_id": 2, "order_id": 5_500_000_002_u64, "status": "delivered", "happened_at": LATER });
    send(&app, "fulfillment_events/create", &event).await;
    let told = mia.ask_text("Where is order #2?").await;
    assert!(
        told.contains("is delivered. It was sent without a tracking number."),
        "{told}"
    );
    send(&app, "orders/delete", &json!({ "id": 5_500_000_001_u64 })).await;
    let told = mia.ask_text("Where is order #1?").await;
    assert!(told.contains("is cancelled"), "{told}");

    let product = |left: i64| {
        json!({ "id": 40, "title": "Tide clock", "body_html": "<p>Shows the <b>tide</b></p>", "status": "active", "updated_at": format!("2026-11-22T09:0{left}:00Z"),
            "options": [{ "name": "Size" }], "variants": [{ "id": 401, "price": "59.00", "option1": "M", "inventory_management": "shopify", "inventory_policy": "deny", "inventory_quantity": left }] })
    };
    send(&app, "products/create", &product(3)).await;
    let available = "SELECT count(*) FROM variants WHERE item_id = '401' AND available AND price_minor = 5900 AND options ->> 'Size' = 'M'";
    assert_eq!(app.count(available).await, 1);
    send(&app, "products/update", &product(4)).await;
    send(&app, "products/delete", &json!({ "id": 40 })).await;
    assert_eq!(app.count(available).await, 0);
}

#[tokio::test]
async fn a_topic_that_does_not_fit_its_body_destroys_nothing() {
    let app = app().await;
    let mut order = order(1, json!({ "customer": { "id": 77, "email": "zoe@example.com" } }));
    send(&app, "orders/create", &order).await;
    for (at, topic) in (2..).zip([
        "customers/redact",
        "orders/delete",
        "products/delete",
        "customers/merge",
        "products/update",
    ]) {
        // A body is stored once, so each is a little different.
        order["note"] = json!(at);
        send(&app, topic, &order).await;
    }
    let request = json!({ "shop_domain": "x.example", "customer": { "id": 77 }, "orders_requested": [1], "data_request": { "id": 9 } });
    send(&app, "customers/redact", &request).await;
    send(&app, "somethings/create", &json!({ "id": 1 })).await;
    let kept = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND status = 'pending' AND email = 'zoe@example.com'";
    assert_eq!(app.count(kept).await, 1);
    let refused = "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND last_error IS NOT NULL";
    assert_eq!(app.count(refused).await, 5);
    let unknown = "SELECT count(*) FROM incoming_webhooks WHERE state = 'ignored' AND topic = 'somethings/create' AND last_error IS NOT NULL";
    assert_eq!(app.count(unknown).await, 1);
    // The shop's own request is carried out.
    send(
        &app,
        "customers/redact",
        &json!({ "shop_domain": "x.example", "customer": { "id": 77 }, "orders_to_redact": [1] }),
    )
    .await;
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE email = 'zoe@example.com'")
            .await,
        0
    );
}
