//! `countersign import` is exact and repeatable, and a bad line affects no other line.

use std::path::{Path, PathBuf};

use countersign::{
    cli::{
        export,
        import::{self, Format, Mode, Report, Tally},
    },
    store::{
        Address,
        orders::{OrderStatus, PaymentKind, Shipment, ShipmentStatus},
        records::{
            LineRecord, OrderRecord, PaymentMethodKind, PaymentMethodRecord, PaymentRecord, ProductRecord, Record,
            ShopperRecord, TotalsRecord, VariantRecord,
        },
    },
    tenancy,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{PASSWORD, Reply, STORE, TestApp, shopper::answer};

async fn import_lines(app: &TestApp, lines: &[&str]) -> Report {
    let lines = lines.iter().map(|line| Ok((*line).to_owned()));
    import::from_lines(&app.pools.executor, &app.store.tenant, lines)
        .await
        .expect("runs")
}

fn new(new: usize) -> Tally {
    Tally {
        new,
        ..Tally::default()
    }
}

fn unchanged(unchanged: usize) -> Tally {
    Tally {
        unchanged,
        ..Tally::default()
    }
}

pub(super) const DATABASE_CHECKSUM: &str = "SELECT (sum(hashtextextended(t.whole, 0)::numeric) % 1000000007)::bigint FROM (
    SELECT orders::text AS whole FROM orders UNION ALL SELECT order_lines::text FROM order_lines UNION ALL SELECT shipments::text FROM shipments
    UNION ALL SELECT order_payments::text FROM order_payments UNION ALL SELECT variants::text FROM variants UNION ALL SELECT products::text FROM products
    UNION ALL SELECT shoppers::text FROM shoppers UNION ALL SELECT payment_methods::text FROM payment_methods) t";

#[tokio::test]
async fn importing_again_changes_nothing() {
    let app = TestApp::offline().await;
    let before = app.count(DATABASE_CHECKSUM).await;
    let report = import_lines(&app, &STORE.lines().collect::<Vec<_>>()).await;
    assert_eq!(
        report,
        Report {
            products: unchanged(6),
            shoppers: unchanged(2),
            orders: unchanged(5),
            ..Report::default()
        }
    );
    assert_eq!(app.count(DATABASE_CHECKSUM).await, before);
}

#[tokio::test]
async fn a_changed_order_replaces_the_old_one_and_raises_its_version() {
    let app = TestApp::offline().await;
    let changed = STORE
        .lines()
        .find(|line| line.contains("\"#1003\""))
        .expect("the order")
        .replace("\"pending\"", "\"processed\"");
    import_lines(&app, &[&changed]).await;
    let (_, order) = app.shopper("mia").await.read("/v1/orders/1003").await;
    assert_eq!(
        (order["status"].as_str(), order["version"].as_i64()),
        (Some("processed"), Some(2))
    );
}

#[tokio::test]
async fn bad_lines_are_named_and_leave_nothing_behind() {
    let app = TestApp::offline().await;
    let before = app.count(DATABASE_CHECKSUM).await;
    let order = STORE
        .lines()
        .find(|line| line.contains("\"#1001\""))
        .expect("the order");
    let fresh = order.replace("#1001", "#7777");
    let lines = [
        "{",
        r#"{"type":"coupon"}"#,
        &fresh.replace("\"mia\"", "\"nobody\""),
        &fresh.replace("89.00", "89.001"),
        &fresh.replace("89.00", "-1"),
        &fresh.replace("card-mia", "paypal-noah"),
        &fresh.replace("\"quantity\":2", "\"quantity\":0"),
        &fresh.replace("processed", "lost"),
        &order.replace("\"mia\"", "\"noah\""),
        &order.replace("89.00", "88.00"),
        &fresh.replace("HP440028817", "HP\\u0000"),
        r#"{"type":"shopper","id":"eve","email":"mia@example.com","first_name":"E","last_name":"E"}"#,
        r#"{"type":"shopper","id":"eve","email":"e@e.test\r\nBcc: x","first_name":"E","last_name":"E"}"#,
        r#"{"type":"shopper","id":"eve","email":"eve@example.com","first_name":"E","last_name":"E","payment_methods":[{"id":"card-mia","kind":"paypal"}]}"#,
        r#"{"type":"product","id":"x","name":"X","variants":[{"id":"x1","price":"1","available":true},{"id":"x2","price":"1e3","available":true}]}"#,
    ];
    let report = import_lines(&app, &lines).await;
    let numbers: Vec<usize> = report.rejected.iter().map(|(line, _)| *line).collect();
    assert_eq!(numbers, (1..=lines.len()).collect::<Vec<_>>(), "{report:?}");
    insta::assert_debug_snapshot!("rejections", report.rejected);
    assert_eq!(app.count(DATABASE_CHECKSUM).await, before);
}

/// The folder of the public retail data set.
fn retail() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/retail")
}

#[tokio::test]
async fn the_retail_data_set_imports_exactly_and_answers_its_shopper() {
    let folder = retail();
    let app = TestApp::start().await;
    app.model.respond(|request| {
        match request["messages"]
            .as_array()
            .and_then(|messages| messages.last())
            .map(|last| last["role"] == "user")
        {
            Some(true) => Reply::call("get_order", serde_json::json!({ "order_number": "#W2611340" })),
            _ => Reply::EchoToolResult,
        }
    });
    let report = import::from_path(
        &app.pools.executor,
        &app.store.tenant,
        Format::Retail,
        folder.clone(),
        Mode::Store,
    )
    .await
    .expect("imports");
    assert_eq!(
        report,
        Report {
            products: new(50),
            shoppers: new(500),
            orders: new(1000),
            ..Report::default()
        }
    );
    // For every order, what was paid is exactly the sum of its lines.
    let off = "SELECT count(*) FROM orders o WHERE (SELECT sum(price_minor * quantity) FROM order_lines l WHERE l.order_id = o.id)
        <> (SELECT amount_minor FROM order_payments p WHERE p.order_id = o.id AND position = 0)";
    assert_eq!(app.count(off).await, 0);
    let total = "SELECT sum(amount_minor)::bigint FROM order_payments p JOIN orders USING (tenant_id, shopper_id) WHERE order_id = orders.id AND number LIKE '#W%'";
    let expected: i64 = serde_json::from_str::<serde_json::Value>(
        &std::fs::read_to_string(folder.join("orders.json")).expect("a file"),
    )
    .expect("JSON")
    .as_object()
    .expect("orders")
    .values()
    .flat_map(|order| order["payment_history"].as_array().expect("payments").clone())
    .map(|payment| (payment["amount"].as_f64().expect("a number") * 100.0).round() as i64)
    .sum();
    assert_eq!(app.count(total).await, expected);

    let set = async |shopper: &str| {
        let password = PASSWORD.into();
        countersign::identity::shoppers::set_password(
            &app.pools.executor,
            &app.store.tenant,
            shopper,
            password,
            chrono::Utc::now(),
        )
        .await
        .expect("runs")
    };
    assert!(set("james_li_5688").await && set("olivia_ito_3591").await && !set("nobody").await);
    let log_in = async |email: &str| {
        let body = serde_json::json!({ "email": email, "password": PASSWORD });
        let request = app
            .http
            .post(format!("{}/v1/sessions", app.url))
            .header("x-store-key", app.store.key.as_str())
            .json(&body);
        let (status, body) = crate::support::shopper::answer(request).await;
        assert_eq!(status, StatusCode::CREATED);
        crate::support::TestShopper::with_token(&app, body["token"].as_str().expect("a token"))
    };
    let question = serde_json::json!({ "text": "Where is my order #W2611340?" });
    let james = log_in("james.li4495@example.com").await;
    let streamed = james.stream(question.clone()).await;
    let said = streamed
        .iter()
        .find(|event| event.name == "message")
        .expect("a message")
        .data["text"]
        .to_string();
    for text in [said, james.ask_text("Where is my order #W2611340?").await] {
        assert!(text.contains("processed") && text.contains("357962501027"), "{text}");
    }
    let emails = "SELECT email FROM shoppers WHERE external_id = 'olivia_ito_3591'";
    let olivia: String = sqlx::query_scalar(emails)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("an e-mail address");
    let text = log_in(&olivia).await.ask_text("Where is my order #W2611340?").await;
    assert!(text.contains("not_found") && !text.contains("357962501027"), "{text}");

    let (offline, _guard) = offline_replica(&app).await;
    let text = james.at(&offline).ask_text("Where is my order #W2611340?").await;
    assert!(
        text.contains("is shipped. Its tracking number is 357962501027."),
        "{text}"
    );
}

async fn offline_replica(app: &TestApp) -> (String, tokio_util::sync::DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let stop = tokio_util::sync::CancellationToken::new();
    let mut settings = app.settings.clone();
    settings.model = countersign::config::ModelSettings::Offline;
    let (pools, clock, stopped) = (app.pools.clone(), app.clock.clone(), stop.clone().cancelled_owned());
    tokio::spawn(async move {
        {
            let model = countersign::cli::serve::model(&settings.model);
            countersign::cli::serve::serve(listener, &settings, &pools, clock, model, stopped)
        }
        .await
    });
    (url, stop.drop_guard())
}

#[tokio::test]
async fn a_picture_is_an_https_address_or_a_path_of_the_shops_and_no_concern_of_the_models() {
    let app = TestApp::start().await;
    let lantern = STORE
        .lines()
        .find(|line| line.contains("\"id\":\"lantern\""))
        .expect("the product");
    let with = |picture: &str| {
        let mut product: serde_json::Value = serde_json::from_str(lantern).expect("JSON");
        product["picture"] = picture.into();
        product.to_string()
    };
    for bad in [
        "javascript:alert(1)",
        "data:image/svg+xml,x",
        "http://shop.example/a.png",
        "//evil.example/a.png",
        "/\\evil.example",
        "a.png",
        "/",
        "",
        "https://",
        "https://user@evil.example/a.png",
        "https://shop.example/\u{202e}a.png",
    ] {
        let report = import_lines(&app, &[&with(bad)]).await;
        assert!(
            report
                .rejected
                .first()
                .is_some_and(|(_, reason)| reason.contains("picture")),
            "{bad}: {report:?}"
        );
    }
    let mia = app.shopper("mia").await;
    let pictures = async || mia.read("/v1/orders/1001").await.1["pictures"].clone();
    for good in ["https://cdn.shop.example/lantern.webp?v=1", "/pictures/lantern.webp"] {
        assert_eq!(import_lines(&app, &[&with(good)]).await.rejected, []);
        assert_eq!(pictures().await["lantern"], good);
    }
    app.model.script([
        Reply::call("get_order", serde_json::json!({ "order_number": "1001" })),
        Reply::EchoToolResult,
    ]);
    let told = mia.ask_text("Where is #1001?").await;
    assert!(
        told.contains("Storm Lantern") && !told.contains("lantern.webp"),
        "{told}"
    );
    // A product that is imported without a picture loses its picture.
    let mut without: serde_json::Value = serde_json::from_str(lantern).expect("JSON");
    without.as_object_mut().expect("an object").remove("picture");
    import_lines(&app, &[&without.to_string()]).await;
    assert!(pictures().await.get("lantern").is_none());
    assert_eq!(
        app.shopper_of_other_store("mia").await.read("/v1/orders/1001").await.1["pictures"]["lantern"],
        "/shop/pictures/lantern.svg"
    );
}

#[tokio::test]
async fn an_account_that_was_made_here_becomes_the_shopper_of_the_store() {
    let app = TestApp::offline().await;
    let body = json!({ "email": "zoe@example.com", "password": "violet kettle on the pier", "first_name": "Z", "last_name": "X" });
    let (_, pending) = answer(app.with_store_key("/v1/registrations", body)).await;
    let code = app.mailbox.newest_to("zoe@example.com", 1).await.code();
    let proof = json!({ "email": "zoe@example.com", "code": code, "attempt": pending["attempt"] });
    let (_, opened) = answer(app.with_store_key("/v1/registrations/verify", proof)).await;
    let zoe = crate::support::TestShopper::with_token(&app, opened["token"].as_str().expect("a token"));
    assert_eq!(zoe.read("/v1/orders").await.0, StatusCode::OK);
    let line = r#"{"type":"shopper","id":"cust-9","email":"Zoe@example.com","first_name":"Zoe","last_name":"Q"}"#;
    let import = || {
        import::from_lines(
            &app.pools.executor,
            &app.store.tenant,
            [Ok(line.to_owned())].into_iter(),
        )
    };
    for _ in 0..2 {
        assert_eq!(import().await.expect("imports").rejected, []);
    }
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE email = 'zoe@example.com' AND external_id = 'cust-9'")
            .await,
        1
    );
    // The session ends: whoever made the account must prove the address again before seeing the store's data.
    assert_eq!(zoe.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    // An imported shopper has the address of another account here.
    let moved = r#"{"type":"shopper","id":"mia","email":"zoe@example.com","first_name":"Mia","last_name":"J"}"#;
    let report = import::from_lines(
        &app.pools.executor,
        &app.store.tenant,
        [Ok(moved.to_owned())].into_iter(),
    )
    .await
    .expect("imports");
    assert_eq!(
        report.rejected.len(),
        1,
        "another shopper of the store's has it: that is for the store to mend"
    );
}

/// A record of each kind with a value in every field. It names every field, so that a new one is missed by the compiler here.
fn full_records() -> [Record; 3] {
    let text = |text: &str| Some(text.to_owned());
    let options = || [("size".to_owned(), "M".to_owned())].into();
    let address = || Address {
        address1: "4 Quay Street".into(),
        address2: "Flat 2".into(),
        city: "Portland".into(),
        state: "ME".into(),
        zip: "04101".into(),
        country: "USA".into(),
    };
    let method = |id: &str, kind, balance: Option<&str>| PaymentMethodRecord {
        id: id.into(),
        kind,
        brand: text("visa"),
        last_four: text("4242"),
        balance: balance.map(str::to_owned),
        reference: text("pm_1"),
        customer: text("cus_1"),
    };
    let product = ProductRecord {
        id: "sweater".into(),
        name: "Sweater".into(),
        description: "Heavy wool.".into(),
        picture: text("https://cdn.shop.example/sweater.webp"),
        variants: vec![VariantRecord {
            id: "sweater-m".into(),
            options: options(),
            price: "129.90".into(),
            available: true,
        }],
        variants_apart: Vec::new(),
    };
    let shopper = ShopperRecord {
        id: "mia".into(),
        email: text("mia@example.com"),
        first_name: "Mia".into(),
        last_name: "Jones".into(),
        address: Some(address()),
        payment_methods: vec![
            method("card", PaymentMethodKind::CreditCard, None),
            method("gift", PaymentMethodKind::GiftCard, Some("100.00")),
        ],
        from_platform: false,
    };
    let order = OrderRecord {
        from_platform: false,
        notes: Vec::new(),
        failed_refunds: Vec::new(),
        number: "#1".into(),
        shopper: text("mia"),
        email: None,
        currency: text("USD"),
        totals: Some(TotalsRecord {
            total: "270.80".into(),
            discount: "9.80".into(),
            tax: "10.90".into(),
            tax_included: false,
            shipping: "5.00".into(),
            tip: "3.00".into(),
            fees: "0.00".into(),
            duties: "1.90".into(),
        }),
        reference: text("gid://shopify/Order/1"),
        status: OrderStatus::Delivered,
        placed_at: Some("2026-11-18T09:12:00Z".parse().expect("a time")),
        address: address(),
        lines: vec![LineRecord {
            product_id: "sweater".into(),
            item_id: "sweater-m".into(),
            name: "Sweater".into(),
            options: options(),
            price: "129.90".into(),
            quantity: 2,
            total: text("250.10"),
        }],
        shipments: vec![Shipment {
            carrier: text("Harbour Post"),
            tracking_number: text("HP1"),
            item_ids: vec!["sweater-m".into()],
            shipped_at: Some("2026-11-20T15:00:00Z".parse().expect("a time")),
            url: text("https://harbour.example/HP1"),
            status: Some(ShipmentStatus::Delivered),
            fulfillment: None,
        }],
        payments: vec![PaymentRecord {
            kind: PaymentKind::Payment,
            amount: "259.80".into(),
            payment_method: "card".into(),
            reference: text("pi_1"),
            movement: None,
        }],
    };
    [
        Record::Product(product),
        Record::Shopper(shopper),
        Record::Order(Box::new(order)),
    ]
}

#[tokio::test]
async fn an_export_gives_every_field_that_an_import_takes() {
    let app = TestApp::without_worker().await;
    let records = full_records().map(|record| serde_json::to_value(record).expect("JSON"));
    let mut lines: Vec<String> = records.iter().map(serde_json::Value::to_string).collect();
    for round in ["first", "second"] {
        let currency = "USD".parse().expect("a currency");
        let (store, _) = tenancy::create(&app.pools.executor, round, "Store", currency)
            .await
            .expect("founded");
        let report = import::from_lines(&app.pools.executor, &store, lines.into_iter().map(Ok))
            .await
            .expect("runs");
        assert_eq!(report.rejected, [], "{round}");
        let mut out = Vec::new();
        export::write(&app.pools.executor, &store, &mut out)
            .await
            .expect("exports");
        lines = String::from_utf8(out)
            .expect("UTF-8")
            .lines()
            .map(str::to_owned)
            .collect();
        let exported: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str::<Record>(line).expect("a record"))
            .map(|record| serde_json::to_value(record).expect("JSON"))
            .collect();
        assert_eq!(exported, records, "{round}");
    }
}
