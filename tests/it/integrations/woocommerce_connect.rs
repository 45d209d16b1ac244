//! `countersign connect woocommerce` against a fake shop that speaks WooCommerce's real API, as in `shop_connect.rs`.

use std::{collections::BTreeMap, process::Child, time::Duration};

use chrono::Utc;
use countersign::integrations::credentials::{self, Kind as Secret};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    TestApp, TestShopper,
    fake_woocommerce::{FakeWooCommerce, Kind, StoreFault},
    shop::{
        FETCHED, app, approved, connect as run, fails, failures, kill_when, last_message, order_count, orders_of, sent,
        signed_in, succeeds, succeeds_within,
    },
    shopper::answer,
};

/// A shop whose clock is right: what changes from now on changed just now.
async fn shop() -> FakeWooCommerce {
    let shop = FakeWooCommerce::start().await;
    shop.world(|world| (world.now, world.currency) = (Utc::now(), "USD".into()));
    shop
}

/// Starts the command for the first store. With a shop it is connected, without one the fetch goes on.
async fn connect(app: &TestApp, shop: Option<&FakeWooCommerce>) -> Child {
    let (key, secret) = FakeWooCommerce::KEYS;
    let url = shop.map(|shop| shop.url.as_str());
    run(app, "woocommerce", url, &[&format!("{key}:{secret}")]).await
}

const FETCHED_ORDERS: &str = "SELECT coalesce(sum(fetched), 0)::bigint FROM platform_syncs WHERE entity = 'orders'";
const ORDERS: &str = "SELECT count(*) FROM orders WHERE reference LIKE 'woocommerce:%'";
const DEAD: &str = "SELECT count(*) FROM incoming_webhooks WHERE state = 'dead'";

/// What both sides know of each order: its id, whether it was cancelled, and its total in hundredths.
async fn orders_here(app: &TestApp) -> BTreeMap<String, (bool, i64)> {
    orders_of(app, "woocommerce:%").await
}

fn orders_there(shop: &FakeWooCommerce) -> BTreeMap<String, (bool, i64)> {
    let ids = shop.world(|world| world.orders_changed_since(chrono::DateTime::UNIX_EPOCH));
    ids.into_iter()
        .map(|id| {
            let order = shop.world(|world| world.get(Kind::Order, id)).expect("an order");
            let total = order["total"].as_str().expect("an amount").replace('.', "");
            let cents = total.parse().expect("hundredths");
            (format!("woocommerce:{id}"), (order["status"] == "cancelled", cents))
        })
        .collect()
}

/// Delivers an event as the shop signs it: with the secret that it was given.
async fn deliver(app: &TestApp, shop: &FakeWooCommerce, topic: &str, id: u64) {
    let secret = shop.books(|books| books.webhooks[0]["secret"].clone());
    let webhook = shop.webhook(topic, Kind::Order, id, secret.as_str().expect("a secret"));
    let url = format!("{}/v1/webhooks/{}/woocommerce", app.url, app.store.key.as_str());
    let (status, body) = answer(webhook.request(&app.http, &url)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
}

/// `CONNECT_ORDERS` sets how many orders the shop has.
#[tokio::test]
async fn the_history_comes_in_whole_although_the_command_is_killed_three_times() {
    let app = app().await;
    let shop = shop().await;
    let count = order_count();
    shop.world(|world| world.generate(count));
    shop.world(|world| {
        world.add_product(json!({ "name": "Shirt", "variations": [
            { "price": "12.00", "attributes": [{ "name": "Size", "option": "S" }] },
            { "price": "13.00", "attributes": [{ "name": "Size", "option": "L" }] }] }))
    });

    // Killed at the beginning, in the middle of one kind of record, and in the middle of the last. Hosts also throttle and fail.
    shop.inject_on("GET products", StoreFault::Answers(429, "slow down"));
    shop.inject_on("GET orders", StoreFault::Garbage);
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
    assert_eq!(app.count(DEAD).await, 0);
    let sizes = "SELECT count(*) FROM variants WHERE options ? 'Size' AND price_minor IN (1200, 1300) AND available";
    assert_eq!(app.count(sizes).await, 2);

    // Of forty changes every second webhook is lost; a customer's too.
    let ids: Vec<u64> = shop.world(|world| world.generated_orders().take(40).collect());
    for (at, id) in ids.iter().enumerate() {
        let changes = json!({ "status": "cancelled", "customer_note": format!("changed {at}") });
        shop.world(|world| world.edit(Kind::Order, *id, changes));
        if at % 2 == 0 {
            deliver(&app, &shop, "order.updated", *id).await;
        }
    }
    let customer = ids[0];
    shop.world(|world| world.edit(Kind::Customer, customer, json!({ "first_name": "Renamed" })));
    app.wait_for_count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'", 20)
        .await;
    assert_ne!(orders_here(&app).await, orders_there(&shop));
    succeeds(connect(&app, None).await).await;
    assert_eq!(orders_here(&app).await, orders_there(&shop));
    let repaired = "SELECT repaired FROM platform_syncs WHERE entity = 'orders'";
    assert_eq!(app.count(repaired).await, 20, "those whose webhooks were lost");
    let renamed = "SELECT count(*) FROM shoppers WHERE first_name = 'Renamed'";
    assert_eq!(app.count(renamed).await, 1);
    // Nothing is left to mend.
    succeeds(connect(&app, None).await).await;
    assert_eq!(app.count(repaired).await, 20);
}

/// Orders that are deleted while the list is read move those behind them up.
#[tokio::test]
async fn no_order_is_passed_over_when_others_are_deleted_meanwhile() {
    let app = app().await;
    let shop = shop().await;
    shop.world(|world| world.generate(350));
    for _ in 0..4 {
        shop.inject_on("GET orders", StoreFault::DoesItAndIsSilent(Duration::from_millis(700)));
    }
    let child = connect(&app, Some(&shop)).await;
    kill_when(&app, child, FETCHED_ORDERS, 100).await;
    assert!(app.count(ORDERS).await < 350, "the command was killed before the end");
    let ids: Vec<u64> = shop.world(|world| world.generated_orders().collect());
    shop.world(|world| {
        for id in [ids[3], ids[50], ids[99]] {
            world.remove(Kind::Order, id);
        }
    });
    succeeds(connect(&app, None).await).await;
    let (here, there) = (orders_here(&app).await, orders_there(&shop));
    assert_eq!(there.len(), 347);
    assert!(there.iter().all(|(id, order)| here.get(id) == Some(order)));
}

/// More records than a page that changed in one second, as when a plug-in changes many at once.
#[tokio::test]
async fn changes_of_one_second_come_in_whole() {
    let app = app().await;
    let shop = shop().await;
    shop.world(|world| world.generate(350));
    succeeds(connect(&app, Some(&shop)).await).await;
    let now = shop.world(|world| world.now);
    for id in shop.world(|world| world.generated_orders().collect::<Vec<_>>()) {
        shop.world(|world| {
            world.now = now;
            world.edit(Kind::Order, id, json!({ "status": "cancelled" }));
        });
    }
    succeeds(connect(&app, None).await).await;
    assert_eq!(orders_here(&app).await, orders_there(&shop));
}

#[tokio::test]
async fn connecting_checks_the_key_and_registers_each_webhook_once() {
    let app = app().await;
    let shop = shop().await;
    let stored = "SELECT count(*) FROM integrations WHERE revoked_at IS NULL";
    let (key, secret) = FakeWooCommerce::KEYS;
    for (keys, permissions, expected) in [
        (
            ("ck_another", "cs_another"),
            "read_write",
            "does not take the credentials",
        ),
        ((key, secret), "read", "lack these permissions: write"),
        ((key, secret), "write", "lack these permissions: read"),
    ] {
        shop.set_keys(keys.0, keys.1);
        shop.set_permissions(permissions);
        let error = fails(connect(&app, Some(&shop)).await).await;
        assert!(error.contains(expected), "{permissions}: {error}");
    }
    assert_eq!(app.count(stored).await, 0, "nothing is stored");
    assert!(shop.books(|books| books.webhooks.is_empty()), "nothing was made");

    shop.set_permissions("read_write");
    let out = succeeds(connect(&app, Some(&shop)).await).await;
    assert!(
        out.contains("Countersign Test Store") && out.contains("11 webhooks were added"),
        "{out}"
    );
    // WooCommerce disables a webhook whose address failed, and staff may have typed another secret.
    let signing = shop.books(|books| {
        books.webhooks[3]["status"] = json!("disabled");
        std::mem::replace(&mut books.webhooks[0]["secret"], json!("typed by hand"))
    });
    let out = succeeds(connect(&app, Some(&shop)).await).await;
    assert!(out.contains("already"), "{out}");
    let mine = format!("{}/v1/webhooks/{}/woocommerce", app.url, app.store.key.as_str());
    shop.books(|books| {
        assert_eq!(books.webhooks.len(), 11);
        for webhook in &books.webhooks {
            assert_eq!(
                (&webhook["delivery_url"], &webhook["status"], &webhook["secret"]),
                (&json!(mine), &json!("active"), &signing)
            );
        }
    });
    assert_eq!(app.count(stored).await, 2);
}

/// A shop with one customer, who has one paid order of two lamps, and can sign in here.
struct Connected {
    app: TestApp,
    shop: FakeWooCommerce,
    zoe: TestShopper,
    customer: u64,
    order: u64,
}

async fn connected() -> Connected {
    let app = app().await;
    let shop = shop().await;
    let customer = shop.world(|world| world.add_customer(json!({ "email": "zoe@example.com", "first_name": "Zoe" })));
    let order = shop.world(|world| {
        let lamp = world.add_product(json!({ "name": "Lamp", "price": "40.00" }));
        world.add_order(json!({ "customer_id": customer, "line_items": [{ "product_id": lamp, "quantity": 2 }] }))
    });
    succeeds(connect(&app, Some(&shop)).await).await;
    let zoe = signed_in(&app, &customer.to_string(), "zoe@example.com").await;
    Connected {
        app,
        shop,
        zoe,
        customer,
        order,
    }
}

impl Connected {
    async fn approved(&self, tool: &str, arguments: Value) -> Value {
        approved(&self.app, &self.zoe, tool, arguments).await
    }

    async fn cancelled(&self) -> Value {
        let arguments = json!({ "order_number": self.order.to_string(), "reason": "no_longer_needed" });
        self.approved("cancel_order", arguments).await
    }

    /// The shopper confirms a new address.
    async fn readdressed(&self) {
        let address = json!({ "address1": "2 New Street", "city": "Hamburg", "zip": "20095", "country": "DE" });
        let arguments = json!({ "order_number": self.order.to_string(), "address": address });
        let proposal = self.zoe.propose(&self.app, "change_order_address", arguments).await;
        let (status, body) = self.zoe.confirm(&proposal).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let ended = self.zoe.wait_until_ended(&proposal).await;
        assert_eq!(ended["state"], "executed", "{ended}");
    }

    async fn order_here(&self) -> Value {
        self.zoe.read(&format!("/v1/orders/{}", self.order)).await.1
    }
}

#[tokio::test]
async fn a_coupon_is_created_at_the_shop_once_and_its_code_given_to_the_shopper() {
    let it = connected().await;
    it.shop.inject_on("POST coupons", StoreFault::DoesItAndFails);
    let coupon = json!({ "kind": "percent", "value": "10", "reason": "late delivery" });
    assert_eq!(it.approved("create_coupon", coupon).await["state"], "executed");
    sent(&it.app).await;
    let coupons = it.shop.books(|books| books.coupons.clone());
    assert_eq!(coupons.len(), 1);
    for (field, expected) in [
        ("discount_type", json!("percent")),
        ("amount", json!("10")),
        ("maximum_amount", json!("500.00")),
        ("usage_limit", json!(1)),
        ("usage_limit_per_user", json!(1)),
        ("individual_use", json!(true)),
        ("email_restrictions", json!(["zoe@example.com"])),
    ] {
        assert_eq!(coupons[0][field], expected, "{field}");
    }
    // The shop writes codes in small letters and takes them in any.
    let code = coupons[0]["code"].as_str().expect("a code").to_uppercase();
    let last = last_message(&it.zoe, &code).await;
    assert!(last.contains("Your coupon is ready") && last.contains(&code), "{last}");
    // The first mail said that the request had arrived.
    let mail = it.app.mailbox.newest_to("zoe@example.com", 2).await.text();
    assert!(mail.contains(&code), "{mail}");
}

#[tokio::test]
async fn a_cancelled_order_is_cancelled_and_refunded_at_the_shop_exactly_once() {
    let it = connected().await;
    it.shop
        .inject_on(&format!("PUT orders/{}", it.order), StoreFault::DoesItAndFails);
    let refunds = format!("POST orders/{}/refunds", it.order);
    it.shop.inject_on(&refunds, StoreFault::Answers(503, "busy"));
    it.shop.inject_on(&refunds, StoreFault::DoesItAndBreaksOff);
    assert_eq!(it.cancelled().await["state"], "executed");
    sent(&it.app).await;
    it.shop.books(|books| {
        assert_eq!(books.statuses, [(it.order, "cancelled".to_owned())]);
        assert_eq!(books.refunds.len(), 1);
        let refund = &books.refunds[0];
        assert_eq!(
            (refund.order, refund.amount.as_str(), refund.paid),
            (it.order, "80.00", true)
        );
    });
    let order = it.order_here().await;
    assert_eq!(order["status"], "cancelled", "{order}");
    assert_eq!(order["payments"][1]["kind"], "refund", "{order}");

    // The shop tells of both, and nothing is booked twice.
    deliver(&it.app, &it.shop, "order.updated", it.order).await;
    it.app
        .wait_for_count("SELECT count(*) FROM incoming_webhooks WHERE state = 'done'", 1)
        .await;
    let out = "SELECT count(*) FROM money_movements m JOIN orders o ON o.id = m.order_id WHERE m.direction = 'out' AND o.reference LIKE 'woocommerce:%'";
    assert_eq!(it.app.count(out).await, 1);
}

#[tokio::test]
async fn a_refund_that_the_payments_gateway_cannot_make_is_left_to_staff() {
    let it = connected().await;
    it.shop.books(|books| books.gateway_is_gone = true);
    assert_eq!(it.cancelled().await["state"], "executed");
    let failed = failures(&it.app).await;
    assert!(
        failed.len() == 1 && failed[0].contains("woocommerce_rest_cannot_create_order_refund"),
        "{failed:?}"
    );
    assert_eq!(it.shop.books(|books| books.refunds.len()), 0);
    let asked = it.shop.books(|books| {
        let refunds = books
            .calls
            .iter()
            .filter(|call| call.method == "POST" && call.path.ends_with("refunds"));
        refunds.count()
    });
    assert_eq!(asked, 1, "a refusal is not tried again");
    let failed = "SELECT count(*) FROM money_movements WHERE direction = 'out' AND state = 'failed'";
    assert_eq!(it.app.count(failed).await, 1);
}

#[tokio::test]
async fn a_return_is_noted_on_the_order_once() {
    let it = connected().await;
    let sent_at = Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let changes = json!({ "status": "completed", "date_completed_gmt": sent_at });
    it.shop.world(|world| world.edit(Kind::Order, it.order, changes));
    succeeds(connect(&it.app, None).await).await;
    let order = it.order_here().await;
    assert_eq!(order["status"], "shipped", "{order}");
    let (item, method) = (
        &order["lines"][0]["item_id"],
        &order["payments"][0]["payment_method_id"],
    );
    it.shop
        .inject_on(&format!("POST orders/{}/notes", it.order), StoreFault::DoesItAndFails);
    let arguments = json!({ "order_number": it.order.to_string(), "item_ids": [item], "payment_method_id": method });
    assert_eq!(it.approved("return_items", arguments).await["state"], "executed");
    sent(&it.app).await;
    it.shop.books(|books| {
        assert_eq!(books.notes.len(), 1, "{:?}", books.notes);
        assert!(books.notes[0].note.contains("1 × Lamp"), "{}", books.notes[0].note);
        assert!(!books.notes[0].for_customer);
    });
}

#[tokio::test]
async fn an_address_is_set_at_the_shop_once() {
    let it = connected().await;
    it.shop
        .inject_on(&format!("PUT orders/{}", it.order), StoreFault::DoesItAndFails);
    it.readdressed().await;
    sent(&it.app).await;
    it.shop.books(|books| {
        assert_eq!(books.addresses.len(), 1, "{:?}", books.addresses);
        let (order, set) = &books.addresses[0];
        assert_eq!(
            (order, &set["address_1"], &set["postcode"]),
            (&it.order, &json!("2 New Street"), &json!("20095"))
        );
        assert!(set.get("first_name").is_none(), "the name stays");
    });
}

#[tokio::test]
async fn an_order_that_is_not_here_is_asked_for_at_the_shop_by_its_number() {
    let it = connected().await;
    let (plain, counted) = it.shop.world(|world| {
        let line = |name: &str| json!([{ "name": name, "price": "7.00", "quantity": 1 }]);
        let plain = world.add_order(json!({ "customer_id": it.customer, "line_items": line("Mug") }));
        // A plug-in counts this one.
        world.add_order(json!({ "customer_id": it.customer, "number": "WC-2041", "line_items": line("Bowl") }));
        (plain.to_string(), "wc-2041".to_owned())
    });
    for (number, expected) in [(plain, "Mug"), (counted, "Bowl")] {
        let before = it.shop.books(|books| books.calls.len());
        let arguments = json!({ "order_number": number });
        let read = it.zoe.tool_result(&it.app, "get_order", arguments).await;
        assert!(read.contains(expected), "{number}: {read}");
        let calls = it.shop.books(|books| books.calls.len()) - before;
        assert!((1..=2).contains(&calls), "{number}: {calls} calls");
    }
}

/// Of the credentials of several platforms the newest count, and what is another platform's is not asked of it.
#[tokio::test]
async fn an_order_of_a_platform_that_the_store_has_left_is_changed_here_alone() {
    let it = connected().await;
    // One change waits for the shop when the store goes elsewhere.
    it.shop
        .inject_on(&format!("GET orders/{}", it.order), StoreFault::Answers(503, "busy"));
    it.readdressed().await;
    it.app
        .wait_for_count("SELECT count(*) FROM outbox WHERE channel = 'shop' AND attempts > 0", 1)
        .await;
    let mut tx = it.app.executor_tx().await;
    let url = Some("https://acme.myshopify.com/admin/api/2025-10/graphql.json");
    let token = "shpat_of_the_newer_platform".into();
    credentials::add(
        &mut tx,
        &it.app.settings.keyring,
        Secret::Shopify,
        url,
        &token,
        Utc::now(),
    )
    .await
    .expect("added");
    tx.commit().await.expect("commits");
    let failed = failures(&it.app).await;
    assert!(
        failed.len() == 1 && failed[0].contains("not of the platform that the store is connected with"),
        "{failed:?}"
    );
    assert_eq!(it.cancelled().await["state"], "executed");
    assert_eq!(
        it.app.count("SELECT count(*) FROM outbox WHERE channel = 'shop'").await,
        1,
        "nothing is queued"
    );
    // The test's store has the demo's payments, which come before staff.
    let elsewhere = "SELECT count(*) FROM money_movements m JOIN orders o ON o.id = m.order_id
        WHERE m.direction = 'out' AND m.provider <> 'platform' AND o.reference LIKE 'woocommerce:%'";
    assert_eq!(it.app.count(elsewhere).await, 1);
    assert_eq!(
        it.shop.books(|books| (books.statuses.len(), books.refunds.len())),
        (0, 0)
    );
}
