//! `countersign connect` against a fake shop that speaks the platform's real API: the history comes in whole, wherever it is cut off; what a
//! lost webhook left behind is mended; and what is approved here is done there, once.

use std::{collections::BTreeMap, process::Child};

use chrono::Utc;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    TestApp, TestShopper,
    fake_shopify::{FakeShopify, ShopFault},
    shop::{
        FETCHED, app, approved, connect as run, fails, kill_when, last_message, order_count, orders_of, sent,
        signed_in, succeeds, succeeds_within,
    },
    shopper::answer,
};

/// A shop whose clock is right, so that what changes from now on changed just now, and whose numbers are not those of the store's own orders.
async fn shop() -> FakeShopify {
    let shop = FakeShopify::start().await;
    shop.world(|world| (world.now, world.next_number) = (Utc::now(), 50_001));
    shop
}

/// Starts the command for the first store. With a shop it is connected, without one the fetch goes on.
async fn connect(app: &TestApp, shop: Option<&FakeShopify>) -> Child {
    let url = shop.map(|shop| shop.url.as_str());
    run(app, "shopify", url, &[FakeShopify::TOKEN, FakeShopify::SECRET]).await
}

const ORDERS: &str = "SELECT count(*) FROM orders WHERE reference LIKE 'gid://shopify/Order/%'";

/// What both sides know of each order: its number, whether it was cancelled, and its total in hundredths.
async fn orders_here(app: &TestApp) -> BTreeMap<String, (bool, i64)> {
    orders_of(app, "gid://shopify/Order/%").await
}

fn orders_there(shop: &FakeShopify) -> BTreeMap<String, (bool, i64)> {
    let ids: Vec<String> = shop.world(|world| world.orders_changed_since(chrono::DateTime::UNIX_EPOCH));
    ids.into_iter()
        .map(|id| {
            let order: Value = serde_json::from_str(&shop.webhook("orders/updated", &id).body).expect("JSON");
            let total = order["total_price"].as_str().expect("an amount").replace('.', "");
            let cents = total.parse().expect("hundredths");
            (id, (!order["cancelled_at"].is_null(), cents))
        })
        .collect()
}

/// `CONNECT_ORDERS` sets how many orders the shop has.
#[tokio::test]
async fn the_history_comes_in_whole_although_the_command_is_killed_three_times() {
    let app = app().await;
    let shop = shop().await;
    let count = order_count();
    shop.world(|world| world.generate(count));

    // Killed while a file is prepared, in the middle of one kind of record, and in the middle of the last.
    let whole = count as i64;
    for until in [0, whole / 5, whole * 3 / 5] {
        let child = connect(&app, Some(&shop)).await;
        kill_when(&app, child, FETCHED, until).await;
    }
    assert!(app.count(ORDERS).await < whole, "the command was killed before the end");

    let began = std::time::Instant::now();
    let (out, peak) = succeeds_within(connect(&app, None).await).await;
    println!(
        "{count} orders, the last part in {:?}, {peak} MiB at most",
        began.elapsed()
    );
    assert!(out.contains(&format!("orders: {count} fetched")), "{out}");
    assert_eq!(app.count(ORDERS).await, whole);
    assert_eq!(orders_here(&app).await, orders_there(&shop));
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state = 'dead'")
            .await,
        0
    );

    // Of forty changes every second webhook is lost.
    let ids: Vec<String> = shop.world(|world| world.generated_orders().take(40).collect());
    for (at, id) in ids.iter().enumerate() {
        let now = Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        shop.world(|world| world.edit(id, json!({ "cancelledAt": now, "note": format!("changed {at}") })));
        if at % 2 == 0 {
            let url = format!("{}/v1/webhooks/{}/shopify", app.url, app.store.key.as_str());
            let (status, body) = answer(shop.webhook("orders/updated", id).request(&app.http, &url)).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        }
    }
    app.wait_for_count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'", 20)
        .await;
    assert_ne!(orders_here(&app).await, orders_there(&shop));
    succeeds(connect(&app, None).await).await;
    assert_eq!(orders_here(&app).await, orders_there(&shop));
    let repaired = "SELECT repaired FROM platform_syncs WHERE entity = 'orders'";
    assert_eq!(app.count(repaired).await, 20, "those whose webhooks were lost");
    // Nothing is left to mend.
    succeeds(connect(&app, None).await).await;
    assert_eq!(app.count(repaired).await, 20);
}

#[tokio::test]
async fn connecting_checks_the_permissions_and_registers_each_webhook_once() {
    let app = app().await;
    let shop = shop().await;
    shop.set_token("shpat_another");
    let error = fails(connect(&app, Some(&shop)).await).await;
    assert!(error.contains("does not take the credentials"), "{error}");
    assert_eq!(
        app.count("SELECT count(*) FROM integrations").await,
        0,
        "nothing is stored"
    );

    shop.set_token(FakeShopify::TOKEN);
    let out = succeeds(connect(&app, Some(&shop)).await).await;
    assert!(out.contains("17 webhooks were added"), "{out}");
    let out = succeeds(connect(&app, Some(&shop)).await).await;
    assert!(out.contains("already"), "{out}");
    let mine = format!("{}/v1/webhooks/{}/shopify", app.url, app.store.key.as_str());
    shop.books(|books| {
        assert_eq!(books.webhooks.len(), 17);
        assert!(books.webhooks.iter().all(|webhook| webhook.address == mine));
    });
    assert_eq!(
        app.count("SELECT count(*) FROM integrations WHERE revoked_at IS NULL")
            .await,
        2
    );
}

/// A shop with one customer, who has one paid order of two lamps that were sent, and can sign in here.
struct Connected {
    app: TestApp,
    shop: FakeShopify,
    mia: TestShopper,
    order: String,
    number: String,
}

async fn connected() -> Connected {
    let app = app().await;
    let shop = shop().await;
    let customer = shop.world(|world| world.add_customer(json!({ "email": "zoe@example.com", "firstName": "Zoe" })));
    let product = shop.world(|world| {
        world.add_product(json!({ "title": "Lamp", "variants": [{ "price": "40.00", "inventoryQuantity": 5 }] }))
    });
    let variant = shop.world(|world| world.node(&product)).expect("a product")["variants"][0]["id"].clone();
    let order = shop.world(|world| {
        world.add_order(json!({ "customer": customer, "lineItems": [{ "variant": variant, "quantity": 2 }] }))
    });
    succeeds(connect(&app, Some(&shop)).await).await;
    let number = shop.world(|world| world.node(&order)).expect("an order")["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let id = customer.rsplit('/').next().expect("an id");
    let mia = signed_in(&app, id, "zoe@example.com").await;
    Connected {
        app,
        shop,
        mia,
        order,
        number,
    }
}

impl Connected {
    async fn approved(&self, tool: &str, arguments: Value) -> Value {
        approved(&self.app, &self.mia, tool, arguments).await
    }
}

#[tokio::test]
async fn a_coupon_is_created_at_the_shop_once_and_its_code_given_to_the_shopper() {
    let it = connected().await;
    it.shop.inject_on("discountCodeBasicCreate", ShopFault::DoesItAndFails);
    let coupon = json!({ "kind": "amount", "value": "5.00", "reason": "late delivery" });
    let ended = it.approved("create_coupon", coupon).await;
    assert_eq!(ended["state"], "executed");
    sent(&it.app).await;
    let codes = it.shop.books(|books| books.discount_codes.clone());
    assert_eq!(codes.len(), 1);
    let code = codes[0].code.clone();
    let last = last_message(&it.mia, &code).await;
    assert!(last.contains("Your coupon is ready") && last.contains(&code), "{last}");
    assert_eq!(codes[0].input["usageLimit"], 1);
    // The first mail said that the request had arrived.
    let mail = it.app.mailbox.newest_to("zoe@example.com", 2).await.text();
    assert!(mail.contains(&code), "{mail}");

    // What the platform cannot do is said before anything is proposed.
    let percent = json!({ "kind": "percent", "value": "10", "reason": "late delivery" });
    let refused = it.mia.tool_result(&it.app, "create_coupon", percent).await;
    assert!(refused.contains("ask for a coupon of an amount"), "{refused}");
}

#[tokio::test]
async fn a_cancelled_order_is_cancelled_and_refunded_at_the_shop_exactly_once() {
    let it = connected().await;
    it.shop.inject_on("orderCancel", ShopFault::DoesItAndFails);
    it.shop.inject_on("refundCreate", ShopFault::DoesItAndBreaksOff);
    let ended = it
        .approved(
            "cancel_order",
            json!({ "order_number": it.number, "reason": "no_longer_needed" }),
        )
        .await;
    assert_eq!(ended["state"], "executed");
    sent(&it.app).await;
    it.shop.books(|books| {
        assert_eq!(books.cancelled.len(), 1);
        assert_eq!((books.cancelled[0].restock, books.cancelled[0].refund), (true, false));
        assert_eq!(books.refunds.len(), 1);
        assert_eq!(books.refunds[0].order, it.order);
    });
    let body: Value = serde_json::from_str(&it.shop.webhook("orders/updated", &it.order).body).expect("JSON");
    let total = body["total_price"].clone();
    assert_eq!(
        it.shop.books(|books| books.refunds[0].amount.clone()),
        total.as_str().expect("an amount")
    );
    let (_, order) = it
        .mia
        .read(&format!("/v1/orders/{}", it.number.trim_start_matches('#')))
        .await;
    assert_eq!(order["status"], "cancelled", "{order}");
    assert_eq!(order["payments"][1]["kind"], "refund", "{order}");

    // The shop tells of both, and nothing is booked twice.
    let url = format!("{}/v1/webhooks/{}/shopify", it.app.url, it.app.store.key.as_str());
    let (status, _) = answer(it.shop.webhook("orders/updated", &it.order).request(&it.app.http, &url)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    it.app
        .wait_for_count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'", 1)
        .await;
    assert_eq!(
        it.app
            .count("SELECT count(*) FROM money_movements m JOIN orders o ON o.id = m.order_id WHERE m.direction = 'out' AND o.reference LIKE 'gid:%'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_return_is_created_at_the_shop_with_its_goods() {
    let it = connected().await;
    it.shop.world(|world| world.fulfill(&it.order));
    succeeds(connect(&it.app, None).await).await;
    let (_, order) = it
        .mia
        .read(&format!("/v1/orders/{}", it.number.trim_start_matches('#')))
        .await;
    assert_eq!(order["status"], "shipped", "{order}");
    let (item, method) = (
        &order["lines"][0]["item_id"],
        &order["payments"][0]["payment_method_id"],
    );
    it.shop.inject_on("returnCreate", ShopFault::DoesItAndFails);
    let arguments = json!({ "order_number": it.number, "item_ids": [item], "payment_method_id": method });
    let ended = it.approved("return_items", arguments).await;
    assert_eq!(ended["state"], "executed");
    sent(&it.app).await;
    it.shop.books(|books| {
        assert_eq!(books.returns.len(), 1, "{:?}", books.returns);
        assert_eq!(books.returns[0].lines[0]["quantity"], 1);
    });
}

#[tokio::test]
async fn an_order_that_is_not_here_is_asked_for_at_the_shop_within_a_budget() {
    let it = connected().await;
    let customer = it.shop.world(|world| world.node(&it.order)).expect("an order")["customer"].clone();
    let late = it.shop.world(|world| {
        world.add_order(json!({ "customer": customer, "lineItems": [{ "title": "Mug", "originalUnitPriceSet": { "shopMoney": { "amount": "7.00", "currencyCode": "USD" } }, "quantity": 1 }] }))
    });
    let number = it.shop.world(|world| world.node(&late)).expect("an order")["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let read = it
        .mia
        .tool_result(&it.app, "get_order", json!({ "order_number": number }))
        .await;
    assert!(read.contains("Mug"), "{read}");
    // A number that nobody has is asked for a few times, not each time.
    let before = it.shop.books(|books| books.count("orders"));
    for at in 0..8 {
        let read = it
            .mia
            .tool_result(&it.app, "get_order", json!({ "order_number": format!("no-such-{at}") }))
            .await;
        assert!(read.contains("no such order"), "{read}");
    }
    let asked = it.shop.books(|books| books.count("orders")) - before;
    assert!((1..=4).contains(&asked), "{asked} of eight look-ups");
}
