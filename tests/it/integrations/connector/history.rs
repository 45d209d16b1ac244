//! The records of the store's system come in whole, and its calls are signed.

use std::collections::BTreeMap;

use chrono::Utc;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{add_order, add_product, add_shopper, connect, fits_the_document};
use crate::support::{
    TestApp,
    fake_connector::{ConnectorFault, FakeConnector, signed},
    shop::{FETCHED, app, fails, kill_when, orders_of, succeeds},
    shopper::answer,
};

const ORDERS: &str = "SELECT count(*) FROM orders WHERE reference LIKE 'erp-%'";

/// What both sides know of each order: whether it was cancelled, and its total in hundredths.
async fn orders_here(app: &TestApp) -> BTreeMap<String, (bool, i64)> {
    orders_of(app, "erp-%").await
}

fn orders_there(fake: &FakeConnector) -> BTreeMap<String, (bool, i64)> {
    let order = |order: Value| {
        let total = order["totals"]["total"].as_str().expect("an amount").replace('.', "");
        let reference = order["reference"].as_str().expect("a reference").to_owned();
        (
            reference,
            (order["status"] == "cancelled", total.parse().expect("hundredths")),
        )
    };
    fake.world(|world| world.orders()).into_iter().map(order).collect()
}

#[tokio::test]
async fn the_history_comes_in_whole_although_the_command_is_killed_and_lost_events_are_mended() {
    let app = app().await;
    let fake = FakeConnector::start().await;
    let count = 1_200;
    fake.world(|world| {
        add_product(world);
        (0..40).for_each(|at| add_shopper(world, &format!("s{at}")));
        for at in 0..count {
            add_order(world, at, &format!("s{}", at % 40), 1 + at % 3);
        }
        world.page = Some(50);
    });
    fake.inject_on("records", ConnectorFault::Answers(503));
    fake.inject_on("records", ConnectorFault::DoesItAndBreaksOff);
    fake.inject_on("records", ConnectorFault::Garbage);
    let whole = count as i64;
    for until in [1, whole / 4, whole / 2] {
        let child = connect(&app, Some(&fake.url)).await;
        kill_when(&app, child, FETCHED, until).await;
    }
    assert!(app.count(ORDERS).await < whole, "the command was killed before the end");
    let out = succeeds(connect(&app, None).await).await;
    assert!(out.contains(&format!("orders: {count} fetched")), "{out}");
    assert_eq!(orders_here(&app).await, orders_there(&fake));
    let dead = "SELECT count(*) FROM incoming_webhooks WHERE state = 'dead'";
    assert_eq!(app.count(dead).await, 0);

    // Of forty changes every second event is lost.
    for at in 0..40 {
        let order = format!("erp-{at:06}");
        fake.world(|world| world.edit(&order, &json!({ "status": "cancelled" })));
        if at % 2 == 0 {
            let (status, body) = answer(fake.event(&app.http, &order)).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        }
    }
    app.wait_for_count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'", 20)
        .await;
    assert_ne!(orders_here(&app).await, orders_there(&fake));
    succeeds(connect(&app, None).await).await;
    assert_eq!(orders_here(&app).await, orders_there(&fake));
    let repaired = "SELECT repaired FROM platform_syncs WHERE entity = 'orders'";
    assert_eq!(app.count(repaired).await, 20, "those whose events were lost");
    // Nothing is left to mend.
    succeeds(connect(&app, None).await).await;
    assert_eq!(app.count(repaired).await, 20);

    // A cursor that the system has forgotten begins the run anew, and a record that is none holds up no other.
    app.execute_sql(
        "UPDATE platform_syncs SET finished_at = NULL, cursor = '\"gone\"', since = NULL WHERE entity = 'orders'",
    )
    .await;
    fake.world(|world| {
        let mut broken = world.get("orders", "erp-000000").expect("an order");
        (broken["reference"], broken["number"], broken["status"]) = ("erp-x".into(), "#EX".into(), "lost\0".into());
        world.put("orders", "erp-x", broken);
    });
    let out = succeeds(connect(&app, None).await).await;
    assert!(out.contains("1 could not be stored"), "{out}");
    assert_eq!(app.count(ORDERS).await, whole);
    assert_eq!(app.count(dead).await, 1);
    fake.world(|world| world.calls.retain(|call| !call.answer.to_string().contains("lost")));
    fits_the_document(&fake);
}

#[tokio::test]
async fn connecting_tries_the_secret_and_tells_where_events_go() {
    let app = app().await;
    let fake = FakeConnector::start().await;
    fake.set_secret("whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3Rz");
    let error = fails(connect(&app, Some(&fake.url)).await).await;
    assert!(error.contains("does not take the credentials"), "{error}");
    let stored = "SELECT count(*) FROM integrations WHERE revoked_at IS NULL";
    assert_eq!(app.count(stored).await, 0, "nothing is stored");
    assert!(fake.world(|world| world.wrong_signatures) > 0);

    fake.set_secret(FakeConnector::SECRET);
    let out = succeeds(connect(&app, Some(&fake.url)).await).await;
    assert!(out.contains("one is connected with the shop Harbour ERP"), "{out}");
    let (url, secret) = fake.world(|world| world.events.clone()).expect("it was told");
    let mine = format!("{}/v1/webhooks/{}/store", app.url, app.store.key.as_str());
    assert_eq!(url, mine);
    assert!(secret.starts_with("whsec_") && secret != FakeConnector::SECRET);
    assert_eq!(app.count(stored).await, 2, "its secret and that of its events");
    fits_the_document(&fake);
}

/// The fake refuses what is not signed as it should be, or else the other tests would prove nothing.
#[tokio::test]
async fn a_call_that_is_not_rightly_signed_is_refused() {
    let fake = FakeConnector::start().await;
    let client = reqwest::Client::new();
    let (now, body) = (Utc::now().timestamp(), r#"{"type":"shop"}"#);
    for (path, secret, time, sent, expected) in [
        ("shop", FakeConnector::SECRET, now, body, StatusCode::OK),
        (
            "shop",
            FakeConnector::SECRET,
            now,
            r#"{"type":"shop" }"#,
            StatusCode::UNAUTHORIZED,
        ),
        ("shop", FakeConnector::SECRET, now - 301, body, StatusCode::UNAUTHORIZED),
        ("events", FakeConnector::SECRET, now, body, StatusCode::UNAUTHORIZED),
        ("shop", "whsec_b3RoZXI=", now, body, StatusCode::UNAUTHORIZED),
    ] {
        let url = format!("{}/v1/{path}", fake.url);
        let headers = signed(secret, "msg_1", time, body);
        let request = headers
            .into_iter()
            .fold(client.post(url), |request, (name, value)| request.header(name, value));
        let status = request.body(sent).send().await.expect("answers").status();
        assert_eq!(status, expected, "{path} {time} {sent}");
    }
}
