//! Every write tool, from the model's call to the changed data (T3, T6, T7).

use countersign::identity::StaffRole::Approver;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, TestShopper};

/// Approves a proposal as staff and waits until it is executed.
async fn approved(app: &TestApp, shopper: &TestShopper, proposal: &Value) {
    let staff = app.staff("kim@store.example", Approver).await;
    let (status, body) = staff.approve(proposal).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(shopper.wait_until_ended(proposal).await["state"], "executed");
}

fn other_address() -> Value {
    json!({ "address1": "9 New Road", "address2": "", "city": "Bath", "state": "", "zip": "BA1 1AA", "country": "UK" })
}

#[tokio::test]
async fn cancel_order_refunds_to_where_it_came_from() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let before = mia.read("/v1/orders/1003").await.1;
    let proposal = mia
        .propose(
            &app,
            "cancel_order",
            json!({ "order_number": "1003", "reason": "no_longer_needed" }),
        )
        .await;
    assert_eq!(
        (&proposal["state"], &proposal["awaiting"]),
        (&json!("pending"), &json!("staff"))
    );
    assert_eq!(
        proposal["plan"]["summary"],
        "Cancel order #1003 and refund 28.00 USD to gift card."
    );
    assert_eq!(
        mia.read("/v1/orders/1003").await.1,
        before,
        "a proposal changes nothing"
    );
    insta::assert_json_snapshot!("cancel_plan", proposal["plan"]["changes"]);
    approved(&app, &mia, &proposal).await;
    let order = mia.read("/v1/orders/1003").await.1;
    assert_eq!((&order["status"], &order["version"]), (&json!("cancelled"), &json!(2)));
    assert_eq!(
        order["payments"][1],
        json!({ "kind": "refund", "amount": { "amount": "28.00", "currency": "USD" }, "payment_method_id": "gift-mia" })
    );
    assert_eq!(app.count("SELECT balance_minor FROM payment_methods p JOIN tenants USING (tenant_id) WHERE external_id = 'gift-mia' AND slug = 'one'").await, 12_800);
    let (_, conversations) = mia.read("/v1/conversations").await;
    assert_eq!(
        conversations["conversations"][0]["last_message"],
        "Done: Cancel order #1003 and refund 28.00 USD to gift card."
    );
}

#[tokio::test]
async fn addresses_change_when_the_shopper_confirms() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    for (tool, arguments) in [
        (
            "change_order_address",
            json!({ "order_number": "#1003", "address": other_address() }),
        ),
        ("change_profile_address", json!({ "address": other_address() })),
    ] {
        let proposal = mia.propose(&app, tool, arguments).await;
        assert_eq!(proposal["awaiting"], "shopper", "{tool}");
        assert_eq!(mia.confirm(&proposal).await.0, StatusCode::OK);
        assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed", "{tool}");
    }
    assert_eq!(mia.read("/v1/orders/1003").await.1["address"], other_address());
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE address->>'city' = 'Bath'")
            .await,
        1
    );
}

#[tokio::test]
async fn change_order_payment_charges_the_new_and_refunds_the_old() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let proposal = mia
        .propose(
            &app,
            "change_order_payment",
            json!({ "order_number": "1003", "payment_method_id": "card-mia" }),
        )
        .await;
    approved(&app, &mia, &proposal).await;
    let kinds: Vec<String> = mia.read("/v1/orders/1003").await.1["payments"]
        .as_array()
        .expect("payments")
        .iter()
        .map(|row| format!("{} {}", row["kind"], row["payment_method_id"]))
        .collect();
    assert_eq!(
        kinds,
        [
            r#""payment" "gift-mia""#,
            r#""payment" "card-mia""#,
            r#""refund" "gift-mia""#
        ]
    );
    assert_eq!(app.count("SELECT balance_minor FROM payment_methods JOIN tenants USING (tenant_id) WHERE external_id = 'gift-mia' AND slug = 'one'").await, 12_800);
    let again = refused(
        &app,
        &mia,
        "change_order_payment",
        json!({ "order_number": "1003", "payment_method_id": "gift-mia" }),
    )
    .await;
    assert!(again.contains("was changed before"), "{again}");
}

#[tokio::test]
async fn change_order_items_swaps_variants_once() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let change = json!({ "order_number": "1003", "changes": [{ "item_id": "bottle-steel", "new_item_id": "bottle-red" }], "payment_method_id": "gift-mia" });
    let proposal = mia.propose(&app, "change_order_items", change.clone()).await;
    approved(&app, &mia, &proposal).await;
    let order = mia.read("/v1/orders/1003").await.1;
    assert_eq!(
        (&order["status"], &order["lines"][0]["item_id"]),
        (&json!("pending_items_modified"), &json!("bottle-red"))
    );
    assert_eq!(order["payments"][1]["amount"]["amount"], "1.50");
    assert_eq!(app.count("SELECT balance_minor FROM payment_methods JOIN tenants USING (tenant_id) WHERE external_id = 'gift-mia' AND slug = 'one'").await, 9_850);
    for (tool, arguments) in [
        ("change_order_items", change),
        (
            "cancel_order",
            json!({ "order_number": "1003", "reason": "ordered_by_mistake" }),
        ),
        (
            "change_order_address",
            json!({ "order_number": "1003", "address": other_address() }),
        ),
    ] {
        assert!(
            refused(&app, &mia, tool, arguments)
                .await
                .contains("only a pending order"),
            "{tool}"
        );
    }
}

#[tokio::test]
async fn returns_and_exchanges_are_requested_for_delivered_orders() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let returned = mia
        .propose(
            &app,
            "return_items",
            json!({ "order_number": "1002", "item_ids": ["sweater-navy-m"], "payment_method_id": "gift-mia" }),
        )
        .await;
    let exchange = json!({ "order_number": "1002", "changes": [{ "item_id": "sweater-navy-m", "new_item_id": "sweater-navy-l" }], "payment_method_id": "card-mia" });
    let exchanged = mia.propose(&app, "exchange_items", exchange).await;
    approved(&app, &mia, &exchanged).await;
    assert_eq!(mia.read("/v1/orders/1002").await.1["status"], "exchange_requested");
    // The order has changed since the return was planned, so the return is refused.
    let staff = app.staff("lee@store.example", Approver).await;
    let (status, problem) = staff.approve(&returned).await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::CONFLICT, &json!("The proposal is stale."))
    );
    assert_eq!(
        app.count("SELECT count(*) FROM returns WHERE kind = 'exchange'").await,
        1
    );
    assert_eq!(app.count("SELECT count(*) FROM returns WHERE kind = 'return'").await, 0);
}

#[tokio::test]
async fn refunds_coupons_notes_and_hand_offs_are_made() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let refund = mia
        .propose(
            &app,
            "request_refund",
            json!({ "order_number": "1002", "amount": "29.90", "reason": "scratched" }),
        )
        .await;
    approved(&app, &mia, &refund).await;
    assert_eq!(
        mia.read("/v1/orders/1002").await.1["payments"][1]["amount"]["amount"],
        "29.90"
    );
    let coupon = mia
        .propose(
            &app,
            "create_coupon",
            json!({ "kind": "percent", "value": "10", "reason": "late" }),
        )
        .await;
    approved(&app, &mia, &coupon).await;
    assert_eq!(
        app.count("SELECT count(*) FROM coupons WHERE kind = 'percent' AND value = 10 AND length(code) = 12")
            .await,
        1
    );
    for (tool, arguments) in [
        ("add_crm_note", json!({ "text": "Likes wool." })),
        ("hand_off", json!({ "summary": "Wants a person." })),
    ] {
        let proposal = mia.propose(&app, tool, arguments).await;
        assert_eq!(proposal["awaiting"], "nobody", "{tool} is decided by policy");
        assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed", "{tool}");
    }
    assert_eq!(app.count("SELECT count(DISTINCT kind) FROM notes").await, 2);
    assert_eq!(
        app.count("SELECT count(*) FROM decisions WHERE decider_kind = 'policy'")
            .await,
        2
    );
    let mut tx = app
        .pools
        .web
        .begin(countersign::tenancy::Scope::tenant(app.store.tenant.id))
        .await
        .expect("begins");
    let (entries, broken) = countersign::tenancy::audit::verify(&mut tx).await.expect("walks");
    assert_eq!(
        (entries, broken),
        (12, None),
        "four proposals created and executed, two of them approved by a person and two by policy"
    );
}

/// What the model reads when a call is refused. It also checks that no proposal is made.
async fn refused(app: &TestApp, shopper: &TestShopper, tool: &str, arguments: Value) -> String {
    app.model.script([Reply::call(tool, arguments), Reply::EchoToolResult]);
    let answer = shopper.ask("please").await;
    assert_eq!(answer["proposals"], Value::Null, "{tool}: {answer}");
    answer["message"]["text"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn rules_and_arguments_refuse_what_does_not_fit() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let swap = |old: &str, new: &str| json!([{ "item_id": old, "new_item_id": new }]);
    let two = json!([{ "item_id": "bottle-steel", "new_item_id": "bottle-red" }, { "item_id": "bottle-steel", "new_item_id": "bottle-red" }]);
    let items = |order: &str, changes: Value, method: &str| json!({ "order_number": order, "changes": changes, "payment_method_id": method });
    let refund = |amount: &str| json!({ "order_number": "1002", "amount": amount, "reason": "x" });
    for (tool, arguments, expected) in [
        (
            "cancel_order",
            json!({ "order_number": "1001", "reason": "no_longer_needed" }),
            "only a pending order",
        ),
        (
            "cancel_order",
            json!({ "order_number": "2001", "reason": "no_longer_needed" }),
            "not_found",
        ),
        (
            "cancel_order",
            json!({ "order_number": "1003", "reason": "because" }),
            "reason",
        ),
        (
            "cancel_order",
            json!({ "order_number": "1003", "reason": "no_longer_needed", "approved": true }),
            "approved",
        ),
        (
            "change_order_payment",
            json!({ "order_number": "1003", "payment_method_id": "paypal-noah" }),
            "not_found",
        ),
        (
            "change_order_payment",
            json!({ "order_number": "1003", "payment_method_id": "gift-mia" }),
            "by that method already",
        ),
        (
            "change_order_items",
            items("1003", swap("bottle-steel", "mug-blue"), "card-mia"),
            "same product",
        ),
        (
            "change_order_items",
            items("1003", swap("mug-blue", "mug-white"), "card-mia"),
            "not_found",
        ),
        ("change_order_items", items("1003", two, "card-mia"), "not_found"),
        ("change_order_items", items("1003", json!([]), "card-mia"), "changes"),
        (
            "change_order_items",
            items("1003", json!([{ "item_id": "bottle-steel" }]), "card-mia"),
            "new_item_id",
        ),
        (
            "exchange_items",
            items("1002", swap("sweater-navy-m", "sweater-cream-l"), "card-mia"),
            "not available",
        ),
        (
            "return_items",
            json!({ "order_number": "1002", "item_ids": ["sweater-navy-m", "sweater-navy-m"], "payment_method_id": "card-mia" }),
            "not_found",
        ),
        (
            "return_items",
            json!({ "order_number": "1001", "item_ids": ["mug-blue"], "payment_method_id": "card-mia" }),
            "only a delivered order",
        ),
        ("request_refund", refund("129.91"), "at most 129.90 USD"),
        ("request_refund", refund("0"), "more than nothing"),
        ("request_refund", refund("-5"), "more than nothing"),
        ("request_refund", refund("-0"), "more than nothing"),
        ("request_refund", refund("1e3"), "not a decimal"),
        ("request_refund", refund("1.005"), "more decimals"),
        ("request_refund", refund("92233720368547758.08"), "too large"),
        ("request_refund", refund("NaN"), "not a decimal"),
        (
            "request_refund",
            json!({ "order_number": "1002", "amount": 5, "reason": "x" }),
            "amount",
        ),
        (
            "request_refund",
            json!({ "order_number": "1002", "amount": "5", "reason": "x", "currency": "EUR" }),
            "currency",
        ),
        (
            "create_coupon",
            json!({ "kind": "percent", "value": "21", "reason": "x" }),
            "whole percents",
        ),
        (
            "create_coupon",
            json!({ "kind": "amount", "value": "50.01", "reason": "x" }),
            "at most 50.00 USD",
        ),
        ("add_crm_note", json!({ "text": " " }), "text"),
    ] {
        let said = refused(&app, &mia, tool, arguments.clone()).await;
        assert!(said.contains(expected), "{tool} {arguments}: {said}");
    }
    assert_eq!(app.count("SELECT count(*) FROM proposals").await, 0);
}
