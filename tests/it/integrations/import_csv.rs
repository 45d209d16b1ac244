//! The CSV files that Shopify and WooCommerce export: what each becomes, that a second import changes nothing and a dry run nothing at all, and
//! that nothing newer is made older.

use std::{io::Write as _, path::PathBuf};

use countersign::cli::{
    CliError,
    import::{self, Format, Mode, Report, Tally},
};
use proptest::{prelude::*, strategy::ValueTree as _};
use serde_json::{Value, json};

use super::import::DATABASE_CHECKSUM;
use crate::support::TestApp;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/csv/{name}.csv"))
}

async fn try_import(app: &TestApp, path: PathBuf, mode: Mode) -> Result<Report, CliError> {
    let format = Format::of(&path);
    import::from_path(&app.pools.executor, &app.store.tenant, format, path, mode).await
}

async fn import_fixture(app: &TestApp, name: &str) -> Report {
    try_import(app, fixture(name), Mode::Store).await.expect("imports")
}

/// A file that is gone when it is dropped.
fn file(text: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file");
    file.write_all(text.as_ref()).expect("written");
    file
}

async fn import_text(app: &TestApp, text: &str) -> Report {
    let file = file(text);
    try_import(app, file.path().to_owned(), Mode::Store)
        .await
        .expect("imports")
}

/// One value of JSON from the database.
async fn stored(app: &TestApp, query: &str) -> Value {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("a row")
}

async fn order(app: &TestApp, number: &str) -> Value {
    let query = format!(
        "SELECT jsonb_build_object('status', o.status, 'email', s.email, 'reference', o.reference, 'totals', o.totals, 'zip', o.address->>'zip',
            'placed_at', o.placed_at AT TIME ZONE 'UTC',
            'lines', (SELECT jsonb_agg(jsonb_build_array(l.product_id, l.item_id, l.name, l.options, l.price_minor, l.quantity) ORDER BY position)
                FROM order_lines l WHERE l.order_id = o.id),
            'parcels', (SELECT count(*) FROM shipments h WHERE h.order_id = o.id),
            'payments', (SELECT coalesce(jsonb_agg(jsonb_build_array(p.kind, p.amount_minor) ORDER BY position), '[]')
                FROM order_payments p WHERE p.order_id = o.id))
        FROM orders o JOIN shoppers s USING (tenant_id, shopper_id) JOIN tenants t USING (tenant_id)
        WHERE o.number = '{number}' AND t.slug = 'one'"
    );
    stored(app, &query).await
}

const FILES: [(&str, usize); 7] = [
    ("shopify_products", 3),
    ("shopify_customers", 2),
    ("shopify_customers_old", 1),
    ("shopify_orders", 4),
    ("woocommerce_products", 3),
    ("woocommerce_customers", 2),
    ("woocommerce_orders", 2),
];

fn tally(report: &Report) -> Tally {
    let all = [report.products, report.shoppers, report.orders];
    let mut used = all.into_iter().filter(|tally| *tally != Tally::default());
    let one = used.next().unwrap_or_default();
    assert_eq!(used.next(), None, "a file holds one kind: {report:?}");
    one
}

#[tokio::test]
async fn every_export_imports_whole_and_again_changes_nothing_and_a_dry_run_says_the_same() {
    let app = TestApp::without_worker().await;
    for (name, count) in FILES {
        let before = app.count(DATABASE_CHECKSUM).await;
        let dry = try_import(&app, fixture(name), Mode::DryRun).await.expect("runs");
        assert_eq!(
            app.count(DATABASE_CHECKSUM).await,
            before,
            "{name}: a dry run stores nothing"
        );
        let report = import_fixture(&app, name).await;
        assert_eq!(dry, report, "{name}");
        assert_eq!(report.rejected, [], "{name}");
        let taken = tally(&report);
        assert_eq!((taken.taken(), taken.skipped), (count, 0), "{name}: {report:?}");
        let after = app.count(DATABASE_CHECKSUM).await;
        assert_ne!(before, after, "{name}");
        let again = import_fixture(&app, name).await;
        assert_eq!(tally(&again).unchanged, count, "{name}: {again:?}");
        assert_eq!(app.count(DATABASE_CHECKSUM).await, after, "{name}: again");
    }
    for (name, count) in FILES {
        let again = import_fixture(&app, name).await;
        assert_eq!(tally(&again).unchanged, count, "{name} after the others: {again:?}");
    }
}

#[tokio::test]
async fn a_shopify_order_is_told_whole() {
    let app = TestApp::without_worker().await;
    import_fixture(&app, "shopify_products").await;
    import_fixture(&app, "shopify_orders").await;
    assert_eq!(
        order(&app, "#5001").await,
        json!({
            "status": "shipped", "email": "ada@example.com", "reference": "gid://shopify/Order/700001", "zip": "02134",
            "placed_at": "2026-11-20T08:00:00",
            "totals": { "total": 10400, "discount": 1000, "tax": 900, "tax_included": false, "shipping": 500, "tip": 0, "duties": 0, "fees": 0 },
            "lines": [["lamp", "LAMP-BLUE-M", "Lamp - Blue / M", { "Colour": "Blue", "Size": "M" }, 4000, 2], ["rope", "rope", "Rope", {}, 2000, 1]],
            "parcels": 0, "payments": [["payment", 10400]],
        })
    );
    let part = async |number: &str, field: &str| order(&app, number).await[field].clone();
    assert_eq!(
        part("#5002", "payments").await,
        json!([["payment", 6000], ["refund", 2000]])
    );
    assert_eq!(part("#5002", "status").await, "partly_shipped");
    assert_eq!(part("#5003", "payments").await, json!([]));
    assert_eq!(part("#5003", "totals").await["tax_included"], true);
    assert_eq!(part("#5003", "email").await, Value::Null);
    assert_eq!(part("#5004", "status").await, "cancelled");
    // The customers come later, with their ids: the orders stay theirs.
    import_fixture(&app, "shopify_customers").await;
    let owner = "SELECT to_jsonb(s.external_id) FROM orders o JOIN shoppers s USING (tenant_id, shopper_id) WHERE o.number = '#5001'";
    assert_eq!(stored(&app, owner).await, "8001");
    import_fixture(&app, "shopify_customers_old").await;
    let cleo = "SELECT jsonb_build_array(first_name, address->>'city') FROM shoppers WHERE email = 'cleo@example.com'";
    assert_eq!(stored(&app, cleo).await, json!(["Cleo", "Leith"]));
}

#[tokio::test]
async fn products_are_told_with_their_variants() {
    let app = TestApp::without_worker().await;
    import_fixture(&app, "shopify_products").await;
    import_fixture(&app, "woocommerce_products").await;
    let product = async |id: &str| {
        let query = format!(
            "SELECT jsonb_build_object('name', name, 'description', description, 'picture', picture, 'variants',
                (SELECT jsonb_agg(jsonb_build_array(item_id, options, price_minor, available) ORDER BY item_id) FROM variants v WHERE v.product_id = p.id))
            FROM products p WHERE external_id = '{id}'"
        );
        stored(&app, &query).await
    };
    assert_eq!(
        product("lamp").await,
        json!({
            "name": "Lamp", "description": "A warm lamp & shade", "picture": "https://cdn.example.com/lamp.jpg",
            "variants": [["LAMP-BLUE-L", { "Colour": "Blue", "Size": "L" }, 4500, false], ["LAMP-BLUE-M", { "Colour": "Blue", "Size": "M" }, 4000, true]],
        })
    );
    assert_eq!(product("cup").await["variants"], json!([["MUG", {}, 2000, true]]));
    assert_eq!(
        product("poster").await["variants"],
        json!([["poster/MUG", {}, 950, false]])
    );
    assert_eq!(
        product("10").await,
        json!({
            "name": "Tee", "description": "Soft.", "picture": "https://shop.example.com/tee.jpg",
            "variants": [["30", { "Size": "S" }, 1800, true], ["31", { "Size": "M" }, 2000, false]],
        })
    );
    assert_eq!(product("20").await["description"], "A cap. Blue.");
    assert_eq!(product("21").await["variants"], json!([["21", {}, 2500, false]]));
}

#[tokio::test]
async fn a_woocommerce_order_is_told_whole() {
    let app = TestApp::without_worker().await;
    import_fixture(&app, "woocommerce_products").await;
    import_fixture(&app, "woocommerce_orders").await;
    assert_eq!(
        order(&app, "#901").await,
        json!({
            "status": "shipped", "email": "dee@example.com", "reference": "woocommerce:901", "zip": "D1", "placed_at": "2026-11-20T09:00:00",
            "totals": { "total": 5600, "discount": 201, "tax": 300, "tax_included": false, "shipping": 500, "tip": 0, "duties": 0, "fees": 0 },
            "lines": [["10", "30", "Tee - S", { "Size": "S" }, 1800, 1], ["20", "20", "Cap", {}, 1067, 3]],
            "parcels": 0, "payments": [["payment", 5600], ["refund", 600]],
        })
    );
    let second = order(&app, "#902").await;
    assert_eq!((&second["payments"], &second["zip"]), (&json!([]), &json!("D3")));
}

const HEADER: &str = "Name,Email,Financial Status,Fulfillment Status,Currency,Subtotal,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Refunded Amount\n";

#[tokio::test]
async fn a_bad_row_is_named_and_the_others_are_taken() {
    let app = TestApp::without_worker().await;
    let good = "#6001,a@example.com,paid,,USD,5,5,2026-11-20 09:00:00 +0100,1,Mug,5,0\n";
    for (row, part) in [
        (",a@example.com,paid,,USD,5,5,,1,Mug,5,0", "`Name` is empty"),
        ("#6002,nobody,paid,,USD,5,5,,1,Mug,5,0", "`Email` is no e-mail address"),
        ("#6002,,paid,,XQQ,5,5,,1,Mug,5,0", "`Currency` `XQQ`"),
        ("#6002,,paid,,USD,5,five,,1,Mug,5,0", "`Total` cannot be read"),
        ("#6002,,paid,,USD,5,-5,,1,Mug,5,0", "`Total` must not be negative"),
        ("#6002,,paid,,USD,5,,,1,Mug,5,0", "`Total` is empty"),
        (
            "#6002,,paid,,USD,5,5,yesterday,1,Mug,5,0",
            "`Created at` must be a time",
        ),
        (
            "#6002,,paid,,USD,5,5,,some,Mug,5,0",
            "`Lineitem quantity` must be a whole number",
        ),
        ("#6002,,paid,,USD,5,5,,1,Mug,,0", "`Lineitem price` is empty"),
        (
            "#6002,,paid,,USD,5,5,,1,Mug,99999999999999,0",
            "`Lineitem price` cannot be read",
        ),
        (
            "#6002,,,,,,,,1,Mug,5,",
            "`Total` is empty: the rows of one order must stand together",
        ),
        ("#6002,,paid,,USD,5,5,,1,Mug,5,0,more,fields", "14 fields"),
    ] {
        let before = app.count("SELECT count(*) FROM orders").await;
        let report = import_text(&app, &format!("{HEADER}{row}\n{good}")).await;
        let [(2, reason)] = &report.rejected[..] else {
            panic!("{row}: {report:?}");
        };
        assert!(reason.contains(part), "{row}: {reason}");
        assert_eq!((report.orders.taken(), report.orders.rejected), (1, 1), "{row}");
        assert!(app.count("SELECT count(*) FROM orders").await <= before + 1, "{row}");
    }
    let second = format!("{HEADER}#6003,,paid,,USD,5,5,,1,Mug,5,0\n#6003,,,,,,,,x,Cup,5,\n");
    let report = import_text(&app, &second).await;
    let [(2, reason)] = &report.rejected[..] else {
        panic!("{report:?}")
    };
    assert!(
        reason.contains("`Lineitem quantity`") && reason.contains("line 3"),
        "{reason}"
    );
    let latin = [
        HEADER.as_bytes(),
        b"#6004,,paid,,USD,5,5,,1,M\xfcg,5,0\n",
        good.as_bytes(),
    ]
    .concat();
    let file = file(latin);
    let report = try_import(&app, file.path().to_owned(), Mode::Store)
        .await
        .expect("runs");
    assert!(
        report.rejected[0].1.contains("UTF-8") && report.orders.unchanged == 1,
        "{report:?}"
    );
}

#[tokio::test]
async fn odd_rows_are_read_as_they_are_meant() {
    let app = TestApp::without_worker().await;
    for (number, row, field, expected) in [
        (
            "#6101",
            "#6101,,paid,,USD,5,5,2026-11-20T09:00:00+01:00,1,Mug,5,0",
            "placed_at",
            json!("2026-11-20T08:00:00"),
        ),
        (
            "#6102",
            "#6102,,paid,,JPY,500.00,500.00,,1,Mug,500.00,0",
            "payments",
            json!([["payment", 500]]),
        ),
        (
            "#6103",
            "#6103,,paid,,,5,5,,1,Mug,\"5,00\",0",
            "lines",
            json!([["mug", "mug", "Mug", {}, 500, 1]]),
        ),
        ("#6104", "#6104,,paid,,USD,5,5,,0,Mug,5,0", "lines", json!(null)),
        ("#6105", "#6105,,voided,,USD,5,5,,1,Mug,5,0", "payments", json!([])),
        (
            "#6106",
            "#6106,,paid,,USD,5,5,,1,\"Tasse Größe\u{202e} 2\",5,0",
            "lines",
            json!([["tasse-größe-2", "tasse-größe-2", "Tasse Größe 2", {}, 500, 1]]),
        ),
    ] {
        let report = import_text(&app, &format!("{HEADER}{row}\n")).await;
        assert_eq!(report.rejected, [], "{row}");
        assert_eq!(order(&app, number).await[field], expected, "{row}");
    }
    let semicolons = format!("{HEADER}#6107;;paid;;USD;5;5;;1;Mug;5;0\n").replace(',', ";");
    assert_eq!(import_text(&app, &semicolons).await.orders.new, 1);
}

#[tokio::test]
async fn what_is_known_better_stays() {
    let app = TestApp::without_worker().await;
    // The store's own record of an order has parcels, a payment method and products: an export adds to it and takes nothing.
    let before = order(&app, "#1001").await;
    let row = "#1001,stranger@example.com,paid,unfulfilled,USD,89,89,,1,Lamp,89,0";
    let report = import_text(&app, &format!("{HEADER}{row}\n")).await;
    assert_eq!(report.rejected, []);
    let after = order(&app, "#1001").await;
    for field in ["status", "email", "parcels", "payments", "zip", "placed_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE email = 'stranger@example.com'")
            .await,
        0
    );
    // Refunds are told as a sum: only what is new of it is booked.
    let refunded = |sum: u32| format!("{HEADER}#6201,,partially_refunded,,USD,50,50,,1,Mug,50,{sum}\n");
    for (sum, payments) in [
        (10, json!([["payment", 5000], ["refund", 1000]])),
        (20, json!([["payment", 5000], ["refund", 1000], ["refund", 1000]])),
        (20, json!([["payment", 5000], ["refund", 1000], ["refund", 1000]])),
        (10, json!([["payment", 5000], ["refund", 1000], ["refund", 1000]])),
        (
            35,
            json!([["payment", 5000], ["refund", 1000], ["refund", 1000], ["refund", 1500]]),
        ),
    ] {
        assert_eq!(import_text(&app, &refunded(sum)).await.rejected, []);
        assert_eq!(order(&app, "#6201").await["payments"], payments, "{sum}");
    }
    // An order that has come further stays there.
    let sent = |status: &str| format!("{HEADER}#6202,,paid,{status},USD,50,50,,1,Mug,50,0\n");
    import_text(&app, &sent("fulfilled")).await;
    assert_eq!(import_text(&app, &sent("unfulfilled")).await.orders.unchanged, 1);
    // What the shop's events have told is not touched.
    for (kind, id) in [("order", "#6202"), ("shopper", "8001"), ("product", "x")] {
        let insert = format!(
            "INSERT INTO record_versions (tenant_id, kind, external_id, version) SELECT tenant_id, '{kind}', '{id}', 5 FROM tenants WHERE slug = 'one'"
        );
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .execute(&mut app.superuser().await)
            .await
            .expect("stored");
    }
    let report = import_text(&app, &sent("fulfilled").replace(",50,50,", ",60,60,")).await;
    assert_eq!((report.orders.skipped, report.skipped.len()), (1, 1), "{report:?}");
    assert_eq!(order(&app, "#6202").await["totals"]["total"], 5000);
    let report = import_fixture(&app, "shopify_customers").await;
    assert_eq!((report.shoppers.skipped, report.shoppers.new), (1, 1), "{report:?}");
    assert_eq!(import_fixture(&app, "shopify_products").await.products.skipped, 3);
    assert_eq!(import_fixture(&app, "woocommerce_products").await.products.new, 3);
}

#[tokio::test]
async fn a_customer_without_an_id_does_not_end_an_account_with_the_address() {
    let app = TestApp::without_worker().await;
    let make = "INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name)
        SELECT tenant_id, '01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000001', 'cleo@example.com', '', '' FROM tenants WHERE slug = 'one'";
    sqlx::query(make)
        .execute(&mut app.superuser().await)
        .await
        .expect("made");
    assert_eq!(import_fixture(&app, "shopify_customers_old").await.shoppers.changed, 1);
    let cleo = "SELECT jsonb_build_array(external_id, first_name) FROM shoppers WHERE email = 'cleo@example.com'";
    assert_eq!(
        stored(&app, cleo).await,
        json!(["01900000-0000-7000-8000-000000000001", "Cleo"])
    );
}

#[tokio::test]
async fn a_file_that_fits_no_export_is_refused_with_what_was_looked_for() {
    let app = TestApp::without_worker().await;
    for (bytes, part) in [
        (&b"a,b\n1,2\n"[..], "`Lineitem name`"),
        (b"Date,Order #,Status,Customer,Net Sales\n", "lacks `order_total`"),
        (b"Name,Lineitem name\n", "lacks `Financial Status`"),
        (b"\xff\xfeN\0a\0", "UTF-16"),
        (b"", "fits no export"),
    ] {
        let file = file(bytes);
        let fault = try_import(&app, file.path().to_owned(), Mode::Store)
            .await
            .expect_err("refused");
        assert!(fault.to_string().contains(part), "{fault}");
    }
    let path = fixture("shopify_orders");
    let wrong = import::from_path(
        &app.pools.executor,
        &app.store.tenant,
        Format::WoocommerceCsv,
        path,
        Mode::Store,
    )
    .await;
    assert!(wrong.expect_err("refused").to_string().contains("WooCommerce"));
}

#[tokio::test]
async fn a_dry_run_of_lines_of_json_sees_what_came_before_in_the_file() {
    let app = TestApp::without_worker().await;
    let lines = [
        r#"{"type":"shopper","id":"new","email":"new@example.com","first_name":"N","last_name":"W"}"#,
        r#"{"type":"order","number":"7001","shopper":"new","status":"pending","address":{"address1":"1","city":"c","zip":"z","country":"US"},"lines":[]}"#,
        r#"{"type":"order","number":"7002","shopper":"nobody","status":"pending","address":{"address1":"1","city":"c","zip":"z","country":"US"},"lines":[]}"#,
    ];
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(lines.join("\n").as_bytes()).expect("written");
    let before = app.count(DATABASE_CHECKSUM).await;
    let dry = try_import(&app, file.path().to_owned(), Mode::DryRun)
        .await
        .expect("runs");
    assert_eq!(
        (dry.shoppers.new, dry.orders.new, dry.orders.rejected),
        (1, 1, 1),
        "{dry:?}"
    );
    assert_eq!(app.count(DATABASE_CHECKSUM).await, before);
    assert_eq!(
        try_import(&app, file.path().to_owned(), Mode::Store)
            .await
            .expect("runs"),
        dry
    );
}

/// Rows of the columns that the exports have, with anything in them.
fn any_csv() -> impl Strategy<Value = Vec<u8>> {
    let headers = prop::sample::select(vec![
        HEADER.trim_end().to_owned(),
        "Handle,Title,Variant Price,Variant SKU,Option1 Name,Option1 Value".to_owned(),
        "ID,Type,SKU,Name,Published,In stock?,Regular price,Parent".to_owned(),
        "order_id,status,order_total,line_items".to_owned(),
        "First Name,Last Name,Email,Accepts Marketing,Zip".to_owned(),
    ]);
    let field = prop_oneof![
        ".{0,12}",
        Just("#1".to_owned()),
        Just("5.00".to_owned()),
        Just("variation".to_owned()),
        Just("id:1".to_owned()),
        Just("name:A|quantity:2|sub_total:5;name:B|quantity:0".to_owned()),
        Just("\"".to_owned()),
    ];
    let rows = prop::collection::vec(prop::collection::vec(field, 0..14), 0..12);
    (headers, rows, any::<Vec<u8>>()).prop_map(|(header, rows, noise)| {
        let rows: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        [format!("{header}\n{}\n", rows.join("\n")).into_bytes(), noise].concat()
    })
}

#[tokio::test]
async fn no_csv_makes_it_panic() {
    let app = TestApp::without_worker().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..150 {
        let bytes = any_csv().new_tree(&mut runner).expect("a value").current();
        let file = file(&bytes);
        let dry = try_import(&app, file.path().to_owned(), Mode::DryRun).await;
        assert!(dry.is_ok(), "{:?}: {:?}", String::from_utf8_lossy(&bytes), dry.err());
    }
}
