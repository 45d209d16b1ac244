//! The test of an address, topics that do not fit their bodies, and events that come twice.

use reqwest::StatusCode;
use serde_json::json;

use super::{app, customer, order, post, product, send};
use crate::support::shopper::answer;

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
