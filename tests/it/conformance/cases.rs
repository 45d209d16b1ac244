//! The cases of the suite, in groups that share a store. Each is written once and runs on every platform.

use chrono::Utc;
use countersign::{
    identity::StaffRole,
    integrations::{
        self,
        platform::Connection,
        platform_connect::{self, Connect},
        platform_sync::{Progress, Sync, SyncError},
    },
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::shop::{Act, Address, Books, Change, Fault, Order, Shop};
use crate::support::{
    TestApp, TestShopper,
    shop::{failures, last_message, signed_in},
    shopper::answer,
};

/// A store that is connected with its shop.
struct Store<S> {
    app: TestApp,
    shop: S,
}

impl<S: Shop> Store<S> {
    /// A store whose bot answers by rules.
    async fn by_rules() -> Self {
        Self::of(TestApp::offline_with_settings(|settings| settings.outbound.allow_loopback = true).await).await
    }

    /// A store whose bot is a model with a script.
    async fn with_model() -> Self {
        Self::of(TestApp::start_with_settings(|settings| settings.outbound.allow_loopback = true).await).await
    }

    async fn of(app: TestApp) -> Self {
        let it = Self {
            app,
            shop: S::start().await,
        };
        it.connect().await;
        it
    }

    fn client(&self) -> reqwest::Client {
        integrations::guarded_client(&self.app.settings.outbound).expect("a client")
    }

    async fn connect(&self) {
        let url = platform_connect::api_url(S::KIND, &self.shop.address()).expect("an address");
        let (secret, webhook_secret) = self.shop.secrets();
        let connect = Connect {
            pool: &self.app.pools.executor,
            keyring: &self.app.settings.keyring,
            client: &self.client(),
            store: &self.app.store.tenant,
            connection: Connection {
                kind: S::KIND,
                url: url.parse().expect("a URL"),
                secret,
            },
            webhook_secret,
            public_url: Some(&self.app.url),
        };
        platform_connect::connect(connect, Utc::now()).await.expect("connects");
    }

    async fn try_fetch(&self) -> Result<Vec<Progress>, SyncError> {
        let sync = Sync {
            pool: &self.app.pools.executor,
            keyring: &self.app.settings.keyring,
            client: &self.client(),
            clock: &self.app.clock,
            take_over: true,
        };
        sync.run(self.app.store.tenant.id, |_| ()).await
    }

    async fn fetch(&self) -> Vec<Progress> {
        self.try_fetch().await.expect("fetches")
    }

    async fn shopper(&self, email: &str) -> TestShopper {
        signed_in(&self.app, &self.shop.customer(email), email).await
    }

    /// Sends an event and waits until it was processed.
    async fn send(&self, event: reqwest::RequestBuilder) -> StatusCode {
        let (status, _) = answer(event).await;
        let waiting = "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND attempts = 0";
        self.app.wait_for_count(waiting, 0).await;
        status
    }

    async fn read(&self, shopper: &TestShopper, order: &str) -> Value {
        let number = self.shop.number(order);
        shopper
            .read(&format!("/v1/orders/{}", number.trim_start_matches('#')))
            .await
            .1
    }

    /// Has what the model asks for approved by whoever decides on it.
    async fn approved(&self, shopper: &TestShopper, tool: &str, arguments: Value) -> Value {
        let proposal = shopper.propose(&self.app, tool, arguments).await;
        let (status, body) = if proposal["awaiting"] == "shopper" {
            shopper.confirm(&proposal).await
        } else {
            let staff = self.app.staff("kim@store.example", StaffRole::Approver).await;
            staff.approve(&proposal).await
        };
        assert_eq!(status, StatusCode::OK, "{body}");
        shopper.wait_until_ended(&proposal).await
    }
}

/// A name, an order, what happens to it, what its shopper reads and what they do not.
type Case = (&'static str, Order, Vec<Change>, Vec<&'static str>, Vec<&'static str>);

fn told() -> Vec<Case> {
    let order = Order::default;
    let of = |change: fn(&mut Order)| {
        let mut order = order();
        change(&mut order);
        order
    };
    vec![
        (
            "paid, not sent",
            order(),
            vec![],
            vec!["is placed", "(Lamp)", "The total is 80.00 USD."],
            vec!["still to be paid"],
        ),
        (
            "sent",
            order(),
            vec![Change::Ship],
            vec!["is shipped"],
            vec!["delivered"],
        ),
        (
            "cancelled at the shop",
            order(),
            vec![Change::Cancel],
            vec!["is cancelled"],
            vec![],
        ),
        (
            "not paid yet",
            of(|it| it.is_paid = false),
            vec![],
            vec!["is placed", "80.00 USD"],
            vec![],
        ),
        (
            "discount, tax and shipping",
            of(|it| (it.discount, it.tax, it.shipping) = ("10.00", "4.20", "9.90")),
            vec![],
            vec!["The total is 84.10 USD: goods 80.00 USD, discount −10.00 USD, tax 4.20 USD, shipping 9.90 USD."],
            vec![],
        ),
        (
            "everything taken off",
            of(|it| it.discount = "80.00"),
            vec![],
            vec!["The total is 0.00 USD"],
            vec![],
        ),
        (
            "a part refunded by the shop",
            order(),
            vec![Change::Refund("30.00")],
            vec!["(Lamp)", "80.00 USD"],
            vec![],
        ),
        (
            "a currency without decimals",
            of(|it| (it.currency, it.price, it.discount, it.tax, it.shipping) = ("JPY", "4000", "0", "0", "0")),
            vec![],
            vec!["The total is 8000 JPY."],
            vec!["USD"],
        ),
        (
            "a currency of three decimals",
            of(|it| {
                (it.currency, it.price, it.discount, it.tax, it.shipping) = ("KWD", "4.125", "0.000", "0.000", "0.000");
            }),
            vec![],
            vec!["8.250 KWD"],
            vec![],
        ),
        (
            "a name in another script, with a line break",
            of(|it| it.title = "灯\u{200f}\nランプ"),
            vec![],
            vec!["(灯 ランプ)"],
            vec![],
        ),
        (
            "an address without a state and a postal code",
            of(|it| {
                it.address = Address {
                    street: "Villa 5, Al Wasl Road",
                    city: "دبي",
                    state: "",
                    zip: "",
                    country: "AE",
                }
            }),
            vec![],
            vec!["is placed"],
            vec![],
        ),
        (
            "saved without a change",
            order(),
            vec![Change::Touch],
            vec!["is placed", "80.00 USD"],
            vec![],
        ),
    ]
}

/// The orders come by the history, by their events and by a later fetch: each way the shopper reads the same.
pub async fn orders_are_told_as_the_shop_has_them<S: Shop>() {
    let it = Store::<S>::by_rules().await;
    let mut made = Vec::new();
    for way in ["history", "event", "later fetch"] {
        for (case, order, changes, told, untold) in told() {
            let id = it.shop.add_order(&order);
            for change in changes {
                it.shop.change(&id, change);
            }
            if way == "event" {
                let status = it.send(it.shop.event(&it.app, &id)).await;
                assert_eq!(status, StatusCode::ACCEPTED, "{case}");
            }
            made.push((format!("{case}, by {way}"), id, told, untold));
        }
        if way != "event" {
            it.fetch().await;
        }
    }
    let lost: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT topic, last_error FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')")
            .fetch_all(&mut it.app.superuser().await)
            .await
            .expect("events");
    assert_eq!(lost, [], "nothing is lost");
    let zoe = it.shopper("zoe@example.com").await;
    for (case, id, told, untold) in made {
        let number = it.shop.number(&id);
        let text = zoe.ask_text(&format!("Where is order {number}?")).await;
        for expected in told {
            assert!(text.contains(expected), "{case}: {expected}\n{text}");
        }
        for unexpected in untold {
            assert!(!text.contains(unexpected), "{case}: not {unexpected}\n{text}");
        }
        let order = it.read(&zoe, &id).await;
        let refunds = order["payments"]
            .as_array()
            .expect("payments")
            .iter()
            .filter(|it| it["kind"] == "refund");
        assert_eq!(
            refunds.count(),
            usize::from(case.contains("refunded")),
            "{case}: {order}"
        );
    }
}

pub async fn events_may_be_late_doubled_lost_or_forged<S: Shop>() {
    let it = Store::<S>::by_rules().await;
    it.shop.customer("zoe@example.com");
    it.fetch().await;
    let id = it.shop.add_order(&Order::default());
    let placed = it.shop.event(&it.app, &id);
    let again = placed.try_clone().expect("a body");
    it.shop.change(&id, Change::Ship);
    let shipped = it.shop.event(&it.app, &id);
    let twice = shipped.try_clone().expect("a body");
    it.send(shipped).await;
    it.send(twice).await;
    // The first event arrives last, and once more.
    it.send(placed).await;
    it.send(again).await;
    let zoe = it.shopper("zoe@example.com").await;
    assert_eq!(it.read(&zoe, &id).await["status"], "shipped");
    let events = "SELECT count(*) FROM incoming_webhooks WHERE event_id NOT LIKE 'fetched:%'";
    assert_eq!(it.app.count(events).await, 2, "each event is one");

    // A signature that is not the shop's.
    let forged = it.shop.event(&it.app, &id).body(r#"{"id": 1}"#);
    assert_eq!(it.send(forged).await, StatusCode::UNAUTHORIZED);

    // An event that never comes.
    it.shop.change(&id, Change::Cancel);
    let lost = it.shop.add_order(&Order::default());
    let fetched = it.fetch().await;
    let repaired: i64 = fetched.iter().map(|progress| progress.repaired).sum();
    assert_eq!(it.read(&zoe, &id).await["status"], "cancelled");
    assert_eq!(it.read(&zoe, &lost).await["status"], "pending");
    assert!(repaired >= 2, "{fetched:?}");
    let before = repaired;
    let repaired: i64 = it.fetch().await.iter().map(|progress| progress.repaired).sum();
    assert_eq!(repaired, before, "there is nothing left to mend");
}

pub async fn a_fetch_goes_on_after_every_fault<S: Shop>() {
    let it = Store::<S>::by_rules().await;
    let mut made = Vec::new();
    for faults in [
        vec![Fault::Down],
        vec![Fault::TooMany],
        vec![Fault::Garbage],
        vec![Fault::BreaksOff],
        vec![Fault::DoesItAndFails],
        vec![Fault::Down, Fault::Garbage, Fault::BreaksOff],
    ] {
        made.push(it.shop.add_order(&Order::default()));
        it.shop.fail(&faults);
        let fetched = it.fetch().await;
        assert!(
            fetched.iter().all(|progress| progress.finished_at.is_some()),
            "{faults:?}: {fetched:?}"
        );
        let here: i64 = sqlx::query_scalar("SELECT count(*) FROM orders WHERE reference IS NOT NULL")
            .fetch_one(&mut it.app.superuser().await)
            .await
            .expect("counts");
        assert_eq!(here, made.len() as i64, "after {faults:?}");
    }
}

pub async fn people_and_products_follow_the_shop<S: Shop>() {
    let it = Store::<S>::by_rules().await;
    let guests = it.shop.add_order(&Order {
        email: "guest@example.com",
        is_guest: true,
        ..Order::default()
    });
    let zoes = it.shop.add_order(&Order::default());
    let product = it.shop.add_product("Anchor mug", "12.00");
    it.fetch().await;
    let zoe = it.shopper("zoe@example.com").await;
    // Nobody reads an order of somebody else.
    assert_eq!(it.read(&zoe, &guests).await["status"], 404);
    let owner = "SELECT count(*) FROM orders o JOIN shoppers s USING (tenant_id, shopper_id) WHERE s.email = 'guest@example.com'";
    assert_eq!(it.app.count(owner).await, 1, "a guest's order is whose address it has");
    let price = "SELECT count(*) FROM variants v JOIN products p ON (p.tenant_id, p.id) = (v.tenant_id, v.product_id)
        WHERE p.name = 'Anchor mug' AND v.price_minor = 1200 AND v.available";
    assert_eq!(it.app.count(price).await, 1);

    it.shop.change_price(&product, "15.00");
    it.shop.rename_customer("zoe@example.com", "Zoë");
    it.fetch().await;
    let price = "SELECT count(*) FROM variants v JOIN products p ON (p.tenant_id, p.id) = (v.tenant_id, v.product_id)
        WHERE p.name = 'Anchor mug' AND v.price_minor = 1500";
    assert_eq!(it.app.count(price).await, 1);
    assert_eq!(
        it.app
            .count("SELECT count(*) FROM shoppers WHERE first_name = 'Zoë'")
            .await,
        1
    );
    // An event about an order wipes nothing of its customer.
    it.shop.change(&zoes, Change::Touch);
    it.send(it.shop.event(&it.app, &zoes)).await;
    let kept = "SELECT count(*) FROM shoppers WHERE first_name = 'Zoë' AND email = 'zoe@example.com'";
    assert_eq!(it.app.count(kept).await, 1);
    assert_eq!(it.read(&zoe, &zoes).await["status"], "pending");
}

pub async fn changes_are_made_at_the_shop_once_whatever_breaks<S: Shop>() {
    let it = Store::<S>::with_model().await;
    let faults = [
        None,
        Some(Fault::Down),
        Some(Fault::Garbage),
        Some(Fault::DoesItAndFails),
        Some(Fault::BreaksOff),
    ];
    let orders: Vec<(String, Option<Fault>)> = faults
        .into_iter()
        .map(|fault| (it.shop.add_order(&Order::default()), fault))
        .collect();
    let sent_elsewhere = it.shop.add_order(&Order::default());
    it.fetch().await;
    let zoe = it.shopper("zoe@example.com").await;
    for (id, fault) in &orders {
        for act in [Act::Cancel, Act::Refund] {
            fault.iter().for_each(|fault| it.shop.fail_at(act, *fault));
        }
        let arguments = json!({ "order_number": it.shop.number(id), "reason": "no_longer_needed" });
        let ended = it.approved(&zoe, "cancel_order", arguments).await;
        assert_eq!(ended["state"], "executed", "{fault:?}: {ended}");
        assert_eq!(failures(&it.app).await, [] as [String; 0], "{fault:?}");
        let Books { cancelled, refunds, .. } = it.shop.books();
        assert_eq!(cancelled.iter().filter(|order| *order == id).count(), 1, "{fault:?}");
        let refunds: Vec<&str> = refunds
            .iter()
            .filter(|(order, _)| order == id)
            .map(|(_, amount)| amount.as_str())
            .collect();
        assert_eq!(refunds, ["80.00"], "{fault:?}");
        // What the shop then tells of it changes nothing here.
        it.send(it.shop.event(&it.app, id)).await;
        let order = it.read(&zoe, id).await;
        assert_eq!(order["status"], "cancelled", "{fault:?}: {order}");
        assert_eq!(
            order["payments"].as_array().map(Vec::len),
            Some(2),
            "{fault:?}: {order}"
        );
    }
    let to = json!({ "address1": "9 New Road", "address2": "", "city": "Wells", "state": "", "zip": "BA5", "country": "GB" });
    let arguments = json!({ "order_number": it.shop.number(&sent_elsewhere), "address": to });
    it.shop.fail_at(Act::Address, Fault::DoesItAndFails);
    let ended = it.approved(&zoe, "change_order_address", arguments).await;
    assert_eq!(ended["state"], "executed", "{ended}");
    assert_eq!(failures(&it.app).await, [] as [String; 0]);
    let cities = it.shop.books().cities;
    assert!(
        cities
            .iter()
            .any(|(order, city)| *order == sent_elsewhere && city == "Wells"),
        "{cities:?}"
    );

    for fault in faults {
        let before = it.shop.books().codes.len();
        fault.iter().for_each(|fault| it.shop.fail_at(Act::Coupon, *fault));
        let coupon = json!({ "kind": "amount", "value": "5.00", "reason": format!("late by {fault:?}") });
        let ended = it.approved(&zoe, "create_coupon", coupon).await;
        assert_eq!(ended["state"], "executed", "{fault:?}: {ended}");
        assert_eq!(failures(&it.app).await, [] as [String; 0], "{fault:?}");
        let codes = it.shop.books().codes;
        assert_eq!(codes.len(), before + 1, "{fault:?}");
        let code = codes.last().expect("a code");
        let told = last_message(&zoe, code).await;
        assert!(told.contains(code.as_str()), "{fault:?}: {told}");
    }
}

pub async fn what_the_shop_refuses_is_left_to_staff<S: Shop>() {
    let it = Store::<S>::with_model().await;
    let id = it.shop.add_order(&Order::default());
    it.fetch().await;
    let zoe = it.shopper("zoe@example.com").await;
    it.shop.refuse_refund();
    let arguments = json!({ "order_number": it.shop.number(&id), "reason": "no_longer_needed" });
    let ended = it.approved(&zoe, "cancel_order", arguments).await;
    assert_eq!(ended["state"], "executed", "{ended}");
    let failed = failures(&it.app).await;
    assert_eq!(failed.len(), 1, "staff see the refund that failed: {failed:?}");
    assert_eq!(it.shop.books().refunds, []);
    let order = it.read(&zoe, &id).await;
    let refunded = order["payments"]
        .as_array()
        .expect("payments")
        .iter()
        .any(|it| it["kind"] == "refund" && it["pending"] != true);
    assert!(!refunded, "nobody is told that money was paid: {order}");
}

pub async fn a_missing_order_is_looked_up_for_its_owner<S: Shop>() {
    let it = Store::<S>::with_model().await;
    it.shop.add_order(&Order::default());
    it.fetch().await;
    let zoe = it.shopper("zoe@example.com").await;
    let late = it.shop.add_order(&Order {
        title: "Late mug",
        ..Order::default()
    });
    let others = it.shop.add_order(&Order {
        email: "other@example.com",
        title: "Secret mug",
        ..Order::default()
    });
    let read = async |number: &str| {
        zoe.tool_result(&it.app, "get_order", json!({ "order_number": number }))
            .await
    };
    let found = read(&it.shop.number(&late)).await;
    assert!(found.contains("Late mug"), "{found}");
    let foreign = read(&it.shop.number(&others)).await;
    assert!(
        foreign.contains("no such order") && !foreign.contains("Secret"),
        "{foreign}"
    );
    it.shop.fail(&[Fault::Down]);
    let down = read("987654").await;
    assert!(down.contains("no such order"), "{down}");
    // The budget of look-ups ends; the answer is the same.
    for at in 0..6 {
        let unknown = read(&format!("98765{at}")).await;
        assert!(unknown.contains("no such order"), "{unknown}");
    }
}
