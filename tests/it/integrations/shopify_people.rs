//! Accounts that were made here, and the shop's customers that take their place.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::shopify_events::{order, send, with_secret};
use crate::support::{TestApp, TestShopper, shopper::answer};

async fn register(app: &TestApp, email: &str) -> TestShopper {
    let body = json!({ "email": email, "password": "violet kettle on the pier", "first_name": "Z", "last_name": "X" });
    let (_, pending) = answer(app.with_store_key("/v1/registrations", body)).await;
    let code = app.mailbox.newest_to(email, 1).await.code();
    let proof = json!({ "email": email, "code": code, "attempt": pending["attempt"] });
    let (_, opened) = answer(app.with_store_key("/v1/registrations/verify", proof)).await;
    TestShopper::with_token(app, opened["token"].as_str().expect("a token"))
}

fn customer(id: u64, email: Value, at: &str) -> Value {
    json!({ "id": id, "email": email, "first_name": "Ann", "last_name": "B", "updated_at": at })
}

#[tokio::test]
async fn a_known_customer_that_gets_an_address_takes_over_the_orders_of_that_address() {
    let app = with_secret(TestApp::offline().await).await;
    send(
        &app,
        "customers/create",
        &customer(90, json!(null), "2026-11-20T09:00:00Z"),
    )
    .await;
    send(
        &app,
        "customers/create",
        &customer(91, json!(null), "2026-11-20T09:00:00Z"),
    )
    .await;
    // Of a guest, whom nobody knows but by the order.
    send(
        &app,
        "orders/create",
        &order(1, json!({ "email": "guest@example.com" })),
    )
    .await;
    send(
        &app,
        "customers/update",
        &customer(90, json!("guest@example.com"), "2026-11-21T09:00:00Z"),
    )
    .await;
    let taken = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND external_id = '90' AND email = 'guest@example.com'";
    assert_eq!(app.count(taken).await, 1);
    let money = "SELECT count(*) FROM money_movements m JOIN payment_methods p ON (p.id, p.shopper_id) = (m.payment_method_id, m.shopper_id) WHERE p.external_id = 'platform-90' AND m.amount_minor = 8000";
    assert_eq!(app.count(money).await, 1, "the money goes along");

    // Of somebody who registered here, and asked something of one of their orders.
    let zoe = register(&app, "zoe@example.com").await;
    send(&app, "orders/create", &order(2, json!({ "email": "zoe@example.com" }))).await;
    send(
        &app,
        "orders/create",
        &order(
            3,
            json!({ "email": "zoe@example.com", "fulfillment_status": "fulfilled" }),
        ),
    )
    .await;
    let asked = zoe.ask("I want to return #3").await;
    let yes = json!({ "conversation_id": asked["conversation_id"], "text": "Yes" });
    answer(zoe.post("/v1/chat/send").json(&yes)).await;
    assert_eq!(
        app.count("SELECT count(*) FROM proposals WHERE tool = 'return_items'")
            .await,
        1
    );
    send(
        &app,
        "customers/update",
        &customer(91, json!("zoe@example.com"), "2026-11-21T09:00:00Z"),
    )
    .await;
    let taken = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#2' AND external_id = '91' AND email = 'zoe@example.com'";
    assert_eq!(app.count(taken).await, 1);
    let left = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#3' AND external_id = shopper_id::text";
    assert_eq!(app.count(left).await, 1, "a decision is about the person who asked");
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%#3 stays%'";
    assert_eq!(app.count(noted).await, 1);
    assert_eq!(
        zoe.read("/v1/orders").await.0,
        StatusCode::UNAUTHORIZED,
        "the address must be proved again"
    );
}

#[tokio::test]
async fn a_customer_that_was_merged_away_keeps_neither_address_nor_session() {
    let app = with_secret(TestApp::offline().await).await;
    let mia = app.shopper("mia").await;
    assert_eq!(mia.read("/v1/orders").await.0, StatusCode::OK);
    send(
        &app,
        "customers/create",
        &customer(80, json!(null), "2026-11-20T09:00:00Z"),
    )
    .await;
    let merge = json!({ "status": "completed", "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/80",
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/mia" });
    send(&app, "customers/merge", &merge).await;
    assert_eq!(mia.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    // An event of the customer that was deleted comes late.
    let late = customer(81, json!("mia@example.com"), "2026-11-20T09:00:00Z");
    let mut late = order(1, json!({ "email": null, "customer": late }));
    late["customer"]["id"] = json!("mia");
    send(&app, "orders/create", &late).await;
    let former = "SELECT count(*) FROM shoppers WHERE external_id = 'mia' AND email LIKE 'replaced-%' AND 'mia@example.com' = ANY (former_emails)";
    assert_eq!(app.count(former).await, 1, "an erasure still finds it");
    send(
        &app,
        "customers/update",
        &customer(80, json!("mia@example.com"), "2026-11-21T09:00:00Z"),
    )
    .await;
    let kept = "SELECT count(*) FROM shoppers WHERE external_id = '80' AND email = 'mia@example.com'";
    assert_eq!(app.count(kept).await, 1);
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE last_error LIKE '%another customer%'";
    assert_eq!(app.count(noted).await, 0);
}
