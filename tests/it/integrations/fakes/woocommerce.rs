use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::fake_woocommerce::{FakeWooCommerce, Kind, StoreFault, StoreNote, StoreRefund};

fn request(store: &FakeWooCommerce, method: Method, path: &str) -> reqwest::RequestBuilder {
    let (key, secret) = FakeWooCommerce::KEYS;
    let url = format!("{}/wp-json/wc/v3/{path}", store.url);
    reqwest::Client::new()
        .request(method, url)
        .basic_auth(key, Some(secret))
}

async fn get(store: &FakeWooCommerce, path: &str) -> (StatusCode, Value) {
    let response = request(store, Method::GET, path).send().await.expect("an answer");
    (response.status(), response.json().await.expect("JSON"))
}

async fn send(store: &FakeWooCommerce, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let response = request(store, method, path)
        .json(&body)
        .send()
        .await
        .expect("an answer");
    (response.status(), response.json().await.expect("JSON"))
}

/// A store with a customer and an order of 45.00.
async fn store() -> (FakeWooCommerce, u64) {
    let store = FakeWooCommerce::start().await;
    let order = store.world(|world| {
        let customer = world.add_customer(json!({ "email": "mia@example.com", "first_name": "Mia" }));
        let tea = world.add_product(json!({ "name": "Tea", "price": "15.00" }));
        world.add_order(json!({ "customer_id": customer, "shipping_total": "5.00",
            "line_items": [{ "product_id": tea, "quantity": 2 }, { "name": "Wrapping", "price": "10.00" }] }))
    });
    (store, order)
}

#[tokio::test]
async fn lists_have_pages_and_bounds() {
    let (store, order) = store().await;
    store.world(|world| world.generate(250));
    let mut ids = Vec::new();
    for page in 1.. {
        let path = format!("orders?per_page=100&page={page}&orderby=modified&order=asc");
        let response = request(&store, Method::GET, &path).send().await.expect("an answer");
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok().map(str::to_owned))
        };
        assert_eq!(
            (header("x-wp-total").as_deref(), header("x-wp-totalpages").as_deref()),
            (Some("251"), Some("3"))
        );
        let more = header("link").is_some_and(|link| link.contains("rel=\"next\""));
        let found: Vec<Value> = response.json().await.expect("JSON");
        ids.extend(found.iter().filter_map(|order| order["id"].as_u64()));
        if !more {
            break;
        }
    }
    assert_eq!((ids.len(), ids.last()), (251, Some(&order)));
    let (status, error) = get(&store, "orders?per_page=101").await;
    assert_eq!(
        (status, &error["code"]),
        (StatusCode::BAD_REQUEST, &json!("rest_invalid_param"))
    );
    let generated = store.world(|world| world.generated_orders().nth(7).expect("an order"));
    let before = store.world(|world| world.now);
    store.world(|world| world.touch(Kind::Order, generated));
    assert_eq!(
        store.world(|world| world.orders_changed_since(before)),
        [order, generated]
    );
    let stamp = before.format("%Y-%m-%dT%H:%M:%S");
    let (_, changed) = get(&store, &format!("orders?modified_after={stamp}&dates_are_gmt=true")).await;
    assert_eq!(
        changed.as_array().map(Vec::len),
        Some(1),
        "the bound itself is left out"
    );
    // The store's clock is an hour ahead.
    let (_, by_its_clock) = get(&store, &format!("orders?modified_after={stamp}")).await;
    assert_eq!(by_its_clock.as_array().map(Vec::len), Some(2));
    let (_, found) = get(&store, "orders?search=mia%40example.com&status=processing,on-hold").await;
    assert_eq!(found[0]["total"], "45.00");
    assert_eq!(
        get(&store, "customers?email=mia@example.com").await.1[0]["first_name"],
        "Mia"
    );
    assert_eq!(
        get(&store, "customers?per_page=100").await.1.as_array().map(Vec::len),
        Some(64)
    );
}

#[tokio::test]
async fn objects_have_the_fields_of_the_api() {
    let (store, order) = store().await;
    let (_, found) = get(&store, &format!("orders/{order}")).await;
    assert_eq!(
        (&found["line_items"][0]["total"], &found["line_items"][0]["price"]),
        (&json!("30.00"), &json!(15.0))
    );
    assert_eq!(
        (&found["billing"]["email"], &found["currency"]),
        (&json!("mia@example.com"), &json!("EUR"))
    );
    assert_ne!(found["date_created"], found["date_created_gmt"]);
    assert_eq!(
        get(&store, "orders/999").await.1["code"],
        "woocommerce_rest_shop_order_invalid_id"
    );
    let shirt = store.world(|world| {
        world.add_product(
            json!({ "name": "Shirt", "variations": [{ "price": "9.00" }, { "price": "12.00", "stock_quantity": 0 }] }),
        )
    });
    let (_, variations) = get(&store, &format!("products/{shirt}/variations")).await;
    assert_eq!(
        (variations.as_array().map(Vec::len), &variations[1]["price"]),
        (Some(2), &json!("12.00"))
    );
    assert_eq!(
        get(&store, &format!("products/{shirt}")).await.1["variations"][0],
        variations[0]["id"]
    );
    assert_eq!(get(&store, "settings/general").await.1[0]["value"], "EUR");
    assert_eq!(get(&store, "data/currencies/current").await.1["code"], "EUR");
    assert_eq!(get(&store, "system_status").await.1["settings"]["currency"], "EUR");
    let index: Value = reqwest::get(format!("{}/wp-json/", store.url))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(index["gmt_offset"], 1.0);
    store.set_keys("ck_other", "cs_other");
    let (status, error) = get(&store, "orders").await;
    assert_eq!(
        (status, &error["code"]),
        (StatusCode::UNAUTHORIZED, &json!("woocommerce_rest_cannot_view"))
    );
}

#[tokio::test]
async fn refunds_never_exceed_the_order() {
    let (store, order) = store().await;
    let path = format!("orders/{order}/refunds");
    let (status, made) = send(
        &store,
        Method::POST,
        &path,
        json!({ "amount": "20.00", "reason": "shop_refund:1", "api_refund": true }),
    )
    .await;
    assert_eq!(
        (status, &made["amount"], &made["refunded_payment"]),
        (StatusCode::CREATED, &json!("20.00"), &json!(true))
    );
    let (status, error) = send(&store, Method::POST, &path, json!({ "amount": "25.01" })).await;
    assert_eq!(
        (status, &error["message"]),
        (StatusCode::INTERNAL_SERVER_ERROR, &json!("Invalid refund amount."))
    );
    assert_eq!(
        send(&store, Method::POST, &path, json!({ "amount": "0" })).await.0,
        StatusCode::BAD_REQUEST
    );
    store.books(|books| books.gateway_is_gone = true);
    assert_eq!(
        send(&store, Method::POST, &path, json!({ "amount": "25.00" })).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    let rest = json!({ "api_refund": false, "line_items": [{ "id": 1, "quantity": 1, "refund_total": 25 }] });
    assert_eq!(send(&store, Method::POST, &path, rest).await.0, StatusCode::CREATED);
    let (_, found) = get(&store, &format!("orders/{order}")).await;
    assert_eq!(
        (&found["status"], &found["refunds"][0]["total"]),
        (&json!("refunded"), &json!("-20.00"))
    );
    assert_eq!(get(&store, &path).await.1.as_array().map(Vec::len), Some(2));
    let first = StoreRefund {
        id: made["id"].as_u64().expect("an id"),
        order,
        amount: "20.00".into(),
        reason: "shop_refund:1".into(),
        paid: true,
    };
    assert_eq!(store.books(|books| books.refunds[0].clone()), first);
}

#[tokio::test]
async fn orders_are_changed_and_noted_and_coupons_are_made_once() {
    let (store, order) = store().await;
    let (_, changed) = send(
        &store,
        Method::PUT,
        &format!("orders/{order}"),
        json!({ "status": "cancelled", "shipping": { "address_1": "2 Side Street" } }),
    )
    .await;
    assert_eq!(
        (
            &changed["status"],
            &changed["shipping"]["address_1"],
            &changed["shipping"]["city"]
        ),
        (&json!("cancelled"), &json!("2 Side Street"), &json!("Berlin"))
    );
    assert_eq!(
        send(
            &store,
            Method::PUT,
            &format!("orders/{order}"),
            json!({ "status": "lost" })
        )
        .await
        .0,
        StatusCode::BAD_REQUEST
    );
    let path = format!("orders/{order}/notes");
    assert_eq!(
        send(&store, Method::POST, &path, json!({ "note": "Ring twice" }))
            .await
            .0,
        StatusCode::CREATED
    );
    assert_eq!(get(&store, &path).await.1[0]["note"], "Ring twice");
    let coupon = json!({ "code": "SORRY-1", "discount_type": "fixed_cart", "amount": "5.00", "usage_limit": 1 });
    assert_eq!(
        send(&store, Method::POST, "coupons", coupon.clone()).await.1["code"],
        "sorry-1"
    );
    let (status, error) = send(&store, Method::POST, "coupons", coupon).await;
    assert_eq!(
        (status, &error["code"]),
        (
            StatusCode::BAD_REQUEST,
            &json!("woocommerce_rest_coupon_code_already_exists")
        )
    );
    assert_eq!(
        get(&store, "coupons?code=SORRY-1").await.1.as_array().map(Vec::len),
        Some(1)
    );
    store.books(|books| {
        assert_eq!(books.statuses, [(order, "cancelled".to_owned())]);
        assert_eq!(books.addresses, [(order, json!({ "address_1": "2 Side Street" }))]);
        assert_eq!(
            books.notes,
            [StoreNote {
                order,
                note: "Ring twice".into(),
                for_customer: false
            }]
        );
        assert_eq!(books.coupons.len(), 1);
        let last = books.calls.last().expect("a call").clone();
        assert_eq!(
            (
                last.method.as_str(),
                last.path.as_str(),
                last.query.as_str(),
                last.body,
                last.status
            ),
            ("GET", "coupons", "code=SORRY-1", Value::Null, 200)
        );
    });
}

#[tokio::test]
async fn webhooks_are_subscribed_to_and_signed() {
    let (store, order) = store().await;
    let body = json!({ "name": "Countersign", "topic": "order.updated", "delivery_url": "https://store.example/hook", "secret": "s" });
    let (status, made) = send(&store, Method::POST, "webhooks", body).await;
    assert_eq!(
        (status, &made["status"], &made["secret"]),
        (StatusCode::CREATED, &json!("active"), &Value::Null)
    );
    assert_eq!(
        send(&store, Method::POST, "webhooks", json!({ "topic": "order.lost" }))
            .await
            .0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(get(&store, "webhooks").await.1[0]["id"], made["id"]);
    let webhook = store.webhook("order.updated", Kind::Order, order, "s");
    let request = webhook
        .request(&reqwest::Client::new(), "http://127.0.0.1:1/")
        .build()
        .expect("a request");
    assert_eq!(request.headers()["x-wc-webhook-resource"], "order");
    assert!(webhook.body.contains("\"total\":\"45.00\""));
    assert_eq!(
        store.webhook("order.deleted", Kind::Order, order, "s").body,
        json!({ "id": order }).to_string()
    );
    let path = format!("webhooks/{}", made["id"]);
    let (status, changed) = send(&store, Method::PUT, &path, json!({ "status": "paused", "secret": "t" })).await;
    assert_eq!(
        (status, &changed["status"], &changed["secret"]),
        (StatusCode::OK, &json!("paused"), &Value::Null)
    );
    assert_eq!(store.books(|books| books.webhooks[0]["secret"].clone()), "t");
    assert_eq!(
        send(&store, Method::DELETE, &path, json!({})).await.0,
        StatusCode::NOT_IMPLEMENTED
    );
    assert_eq!(
        send(&store, Method::DELETE, &format!("{path}?force=true"), json!({}))
            .await
            .0,
        StatusCode::OK
    );
    assert!(store.books(|books| books.webhooks.is_empty()));
}

#[tokio::test]
async fn keys_read_write_or_do_both() {
    let (store, order) = store().await;
    let path = format!("orders/{order}");
    for (permissions, read, written) in [("read", 200, 401), ("write", 401, 200), ("read_write", 200, 200)] {
        store.set_permissions(permissions);
        let (reads, _) = get(&store, &path).await;
        let (writes, _) = send(&store, Method::PUT, &path, json!({ "customer_note": "hello" })).await;
        assert_eq!((reads.as_u16(), writes.as_u16()), (read, written), "{permissions}");
    }
}

#[tokio::test]
async fn an_offset_counts_in_place_of_a_page_and_what_is_removed_is_gone() {
    let (store, order) = store().await;
    store.world(|world| world.generate(20));
    let ids = async |query: &str| {
        let (_, found) = get(&store, &format!("orders?orderby=id&order=asc&{query}")).await;
        let found = found.as_array().expect("a list").iter();
        found
            .map(|order| order["id"].as_u64().expect("an id"))
            .collect::<Vec<_>>()
    };
    let generated: Vec<u64> = store.world(|world| world.generated_orders().collect());
    assert_eq!(ids("offset=1&per_page=2").await, generated[..2]);
    store.world(|world| world.remove(Kind::Order, order));
    assert_eq!(ids("offset=1&per_page=2").await, generated[1..3]);
    assert_eq!(get(&store, &format!("orders/{order}")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn faults_come_in_their_order() {
    let (store, order) = store().await;
    store.inject([
        StoreFault::Answers(503, "busy"),
        StoreFault::Garbage,
        StoreFault::DoesItAndBreaksOff,
        StoreFault::DoesItAndIsSilent(std::time::Duration::from_millis(1)),
    ]);
    store.inject_on("POST orders", StoreFault::DoesItAndFails);
    let ask = async || request(&store, Method::GET, "orders").send().await.expect("an answer");
    assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(ask().await.json::<Value>().await.is_err());
    let cut = request(&store, Method::GET, "orders").send().await;
    assert!(match cut {
        Ok(answer) => answer.text().await.is_err(),
        Err(_) => true,
    });
    assert_eq!(ask().await.status(), StatusCode::OK);
    let refund = request(&store, Method::POST, &format!("orders/{order}/refunds")).json(&json!({ "amount": "1.00" }));
    assert_eq!(
        refund.send().await.expect("an answer").status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(store.books(|books| books.refunds.len()), 1);
}
