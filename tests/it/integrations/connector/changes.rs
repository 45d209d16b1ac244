//! What is approved here is done at the store's system once, or staff see why not.

use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::json;

use super::{add_order, connect, connected, fits_the_document};
use crate::support::{
    fake_connector::ConnectorFault,
    shop::{failures, last_message, succeeds},
    shopper::answer,
};

#[tokio::test]
async fn a_coupon_is_created_at_the_store_system_once_and_its_code_given_to_the_shopper() {
    let it = connected().await;
    it.fake.inject_on("coupon", ConnectorFault::DoesItAndFails);
    let coupon = json!({ "kind": "percent", "value": "10", "reason": "late delivery" });
    it.approved("create_coupon", coupon).await;
    it.sent().await;
    let made = it.made("coupon");
    assert_eq!(made.len(), 1);
    assert_eq!(
        (&made[0]["discount"]["kind"], &made[0]["discount"]["percent"]),
        (&json!("percent"), &json!(10))
    );
    assert_eq!(made[0]["shopper"], "zoe");
    let code = made[0]["code"].as_str().expect("a code").to_owned();
    let last = last_message(&it.zoe, &code).await;
    assert!(last.contains("Your coupon is ready") && last.contains(&code), "{last}");
    fits_the_document(&it.fake);
}

#[tokio::test]
async fn a_cancelled_order_is_cancelled_and_refunded_at_the_store_system_exactly_once() {
    let it = connected().await;
    it.fake.inject_on("cancel", ConnectorFault::DoesItAndFails);
    it.fake.inject_on("refund", ConnectorFault::DoesItAndBreaksOff);
    it.fake.inject_on("refund", ConnectorFault::Answers(429));
    it.approved(
        "cancel_order",
        json!({ "order_number": "#E7", "reason": "no_longer_needed" }),
    )
    .await;
    it.sent().await;
    let (cancelled, refunded) = (it.made("cancel"), it.made("refund"));
    assert_eq!((cancelled.len(), refunded.len()), (1, 1));
    assert_eq!(cancelled[0]["order"], it.order.as_str());
    assert_eq!(
        (&refunded[0]["order"], &refunded[0]["amount"]),
        (&json!(it.order), &json!("80.00"))
    );

    // The system tells of both, and nothing is booked twice.
    let (status, _) = answer(it.fake.event(&it.app.http, &it.order)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    it.app
        .wait_for_count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'", 1)
        .await;
    let out = "SELECT count(*) FROM money_movements m JOIN orders o ON (o.tenant_id, o.id) = (m.tenant_id, m.order_id)
        WHERE o.number = '#E7' AND m.direction = 'out'";
    assert_eq!(it.app.count(out).await, 1);
    let (_, order) = it.zoe.read("/v1/orders/E7").await;
    assert_eq!(order["status"], "cancelled", "{order}");
    assert_eq!(order["payments"].as_array().map(Vec::len), Some(2), "{order}");
    fits_the_document(&it.fake);
}

#[tokio::test]
async fn an_address_and_a_return_are_told_to_the_store_system() {
    let it = connected().await;
    let new = json!({ "address1": "9 New Road", "address2": "", "city": "Bath", "state": "", "zip": "BA1 1AA", "country": "UK" });
    // The shopper decides on it.
    let arguments = json!({ "order_number": "#E7", "address": new });
    let proposal = it.zoe.propose(&it.app, "change_order_address", arguments).await;
    assert_eq!(it.zoe.confirm(&proposal).await.0, StatusCode::OK);
    assert_eq!(it.zoe.wait_until_ended(&proposal).await["state"], "executed");
    it.sent().await;
    assert_eq!(it.made("set_address")[0]["address"], new);

    it.fake
        .world(|world| world.edit(&it.order, &json!({ "status": "delivered" })));
    succeeds(connect(&it.app, None).await).await;
    it.fake.inject_on("return", ConnectorFault::Garbage);
    let arguments = json!({ "order_number": "#E7", "item_ids": ["lamp-red"], "payment_method_id": "card-zoe" });
    it.approved("return_items", arguments).await;
    it.sent().await;
    let made = it.made("return");
    assert_eq!(made.len(), 1);
    assert_eq!(
        (&made[0]["items"], &made[0]["instead"]),
        (&json!(["lamp-red"]), &json!([]))
    );
    fits_the_document(&it.fake);
}

#[tokio::test]
async fn what_the_store_system_refuses_is_a_dead_delivery_that_staff_see() {
    let it = connected().await;
    it.fake
        .world(|world| world.refuses.insert("cancel".into(), "unsupported".into()));
    it.approved(
        "cancel_order",
        json!({ "order_number": "#E7", "reason": "no_longer_needed" }),
    )
    .await;
    let failed = failures(&it.app).await;
    assert_eq!(failed, ["the shop refused: unsupported"]);
    let admin = it.app.staff("ada@store.example", StaffRole::Admin).await;
    let (_, listed) = admin.read("/v1/staff/deliveries?state=dead").await;
    let dead = &listed["deliveries"][0];
    assert_eq!(
        (&dead["channel"], &dead["last_error"]),
        (&json!("shop"), &json!("the shop refused: unsupported"))
    );
    assert_eq!(it.made("refund").len(), 1, "its refund goes its own way");
    fits_the_document(&it.fake);
}

#[tokio::test]
async fn an_order_that_is_not_here_is_asked_for_at_the_store_system_within_a_budget() {
    let it = connected().await;
    it.fake.world(|world| add_order(world, 8, "zoe", 3));
    let order = |number: &str| json!({ "order_number": number });
    let read = it.zoe.tool_result(&it.app, "get_order", order("E8")).await;
    assert!(read.contains("Lamp") && read.contains("120.00"), "{read}");
    // A number that nobody has is asked for a few times, not each time.
    let before = it.fake.world(|world| world.count_of("order"));
    for at in 0..8 {
        let read = it
            .zoe
            .tool_result(&it.app, "get_order", order(&format!("no-such-{at}")))
            .await;
        assert!(read.contains("no such order"), "{read}");
    }
    let asked = it.fake.world(|world| world.count_of("order")) - before;
    assert!((1..=4).contains(&asked), "{asked} of eight look-ups");
    fits_the_document(&it.fake);
}
