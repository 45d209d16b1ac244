//! Order look-up over HTTP: shoppers see their own orders and no others (A4, A5).

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::TestApp;

#[tokio::test]
async fn a_shopper_reads_its_own_orders() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let (status, list) = mia.read("/v1/orders").await;
    assert_eq!(status, StatusCode::OK);
    let numbers: Vec<&str> = list["orders"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|order| order["number"].as_str())
        .collect();
    assert_eq!(numbers, ["#1003", "#1002", "#1001"]);
    for spelling in ["1001", "%231001"] {
        let (status, mut order) = mia.read(&format!("/v1/orders/{spelling}")).await;
        assert_eq!(status, StatusCode::OK);
        insta::allow_duplicates!(insta::assert_json_snapshot!("order_1001", order.take()));
    }
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let (_, first) = mia.read("/v1/orders?limit=2").await;
    let next = first["next"].as_str().expect("there is more");
    let (_, second) = mia.read(&format!("/v1/orders?limit=2&after={next}")).await;
    assert_eq!(second["orders"][0]["number"], "#1001");
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn another_shoppers_order_is_like_one_that_does_not_exist() {
    let app = TestApp::offline().await;
    let noah = app.shopper("noah").await;
    let elsewhere = app.shopper_of_other_store("noah").await;
    let anonymous = |(status, mut problem): (StatusCode, Value)| {
        problem["request_id"] = Value::Null;
        (status, problem)
    };
    let missing = anonymous(noah.read("/v1/orders/9999").await);
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    for number in [
        "1001",
        "%231001",
        "1001%20",
        "%25",
        "_001",
        "%00",
        "1001%00",
        "１００１",
        "%E2%80%AE1001",
        "1001'--",
        "..%2F1001",
    ] {
        assert_eq!(
            anonymous(noah.read(&format!("/v1/orders/{number}")).await),
            missing,
            "{number}"
        );
        assert_eq!(
            anonymous(elsewhere.read(&format!("/v1/orders/{number}")).await),
            missing,
            "{number}"
        );
    }
    let head = app
        .http
        .head(format!("{}/v1/orders/1001", app.url))
        .bearer_auth(&noah.token)
        .send()
        .await
        .expect("answers");
    assert_eq!(head.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn identity_in_the_query_is_refused() {
    let app = TestApp::offline().await;
    let noah = app.shopper("noah").await;
    for query in [
        "shopper_id=mia",
        "tenant_id=1",
        "limit=0",
        "limit=101",
        "limit=x",
        "after=x",
        "limit=1&limit=2",
    ] {
        let (status, problem) = noah.read(&format!("/v1/orders?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(problem["request_id"].as_str().is_some_and(|id| id.len() == 36));
    }
}
