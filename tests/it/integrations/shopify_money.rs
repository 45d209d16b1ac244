//! The money of Shopify's orders: what was paid and given back in the order's currency, and what a unit that comes back is worth.

use countersign::identity::StaffRole;
use serde_json::{Value, json};

use super::shopify_events::{LATER, fulfillment, order, send, with_secret};
use crate::support::TestApp;

/// An order of three mugs at 20.00 USD, 10.00 USD off in all, on which 4.00 USD of tax come.
fn discounted(number: u32, changes: Value) -> Value {
    let mut body = order(
        number,
        json!({ "total_price": "54.00", "total_discounts": "10.00", "total_tax": "4.00", "line_items": [{ "id": 71, "product_id": 9,
            "variant_id": 91, "title": "Mug", "price": "20.00", "quantity": 3, "current_quantity": 3, "total_discount": "0.00",
            "discount_allocations": [
                { "amount": "7.00", "discount_application_index": 0, "amount_set": { "shop_money": { "amount": "7.00", "currency_code": "USD" } } },
                { "amount": "3.00", "discount_application_index": 1 }],
            "tax_lines": [{ "title": "VAT", "rate": 0.08, "price": "4.00", "price_set": { "shop_money": { "amount": "4.00", "currency_code": "USD" } } }] }] }),
    );
    for (field, value) in changes.as_object().expect("an object") {
        body[field] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_unit_that_comes_back_is_worth_what_it_cost() {
    let app = with_secret(TestApp::start().await).await;
    let mia = app.shopper("mia").await;
    let sent = json!({ "fulfillment_status": "fulfilled", "fulfillments": [fulfillment(1, json!({}))] });
    send(&app, "orders/create", &discounted(1, sent.clone())).await;
    // The tax is in the prices here.
    let mut included = discounted(2, sent);
    included["taxes_included"] = json!(true);
    included["total_price"] = json!("50.00");
    send(&app, "orders/create", &included).await;
    for (number, units, expected) in [
        ("#1", 1, "18.00"),
        ("#1", 3, "54.00"),
        ("#2", 1, "16.66"),
        ("#2", 3, "50.00"),
    ] {
        let items = vec!["91"; units];
        let asked = json!({ "order_number": number, "item_ids": items, "payment_method_id": "platform-mia" });
        let proposal = mia.propose(&app, "return_items", asked).await;
        assert_eq!(proposal["plan"]["amount"]["amount"], expected, "{units} of {number}");
    }
}

/// A product with two variants, the second of which costs less.
async fn sell_clocks(app: &TestApp) {
    let variant = |id: u32, price: &str, size: &str| json!({ "id": id, "price": price, "option1": size, "inventory_management": null });
    let product = json!({ "id": 40, "title": "Tide clock", "status": "active", "updated_at": LATER, "options": [{ "name": "Size" }],
        "variants": [variant(401, "80.00", "L"), variant(402, "60.00", "M")] });
    send(app, "products/create", &product).await;
}

#[tokio::test]
async fn agreed_items_stay_until_the_platforms_own_differ() {
    let app = with_secret(TestApp::start().await).await;
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    sell_clocks(&app).await;
    let clock = |variant: u32, price: &str, changes: Value| {
        let mut body = order(
            1,
            json!({ "total_price": "72.00", "total_discounts": "8.00", "line_items": [{ "id": 71, "product_id": 40,
            "variant_id": variant, "title": "Tide clock", "price": price, "quantity": 1, "current_quantity": 1,
            "discount_allocations": [{ "amount": "8.00" }] }] }),
        );
        for (field, value) in changes.as_object().expect("an object") {
            body[field] = value.clone();
        }
        body
    };
    send(&app, "orders/create", &clock(401, "80.00", json!({}))).await;
    // The smaller one gets the tenth off too that was taken off the larger.
    let wanted = json!({ "order_number": "#1", "changes": [{ "item_id": "401", "new_item_id": "402" }], "payment_method_id": "platform-mia" });
    let change = mia.propose(&app, "change_order_items", wanted).await;
    assert_eq!(change["plan"]["amount"]["amount"], "18.00", "{change}");
    kim.approve(&change).await;
    assert_eq!(mia.wait_until_ended(&change).await["state"], "executed");
    let now = async || {
        let order = mia.read("/v1/orders/1").await.1;
        (
            order["lines"][0]["item_id"].as_str().expect("an item").to_owned(),
            order["total"]["amount"].as_str().expect("an amount").to_owned(),
            order["status"].as_str().expect("a status").to_owned(),
        )
    };
    let told = |item: &str, total: &str, status: &str| (item.to_owned(), total.to_owned(), status.to_owned());
    let agreed = told("402", "54.00", "pending_items_modified");
    assert_eq!(now().await, agreed);
    // The platform tells its order again, as when it is tagged, then with another address.
    send(
        &app,
        "orders/updated",
        &clock(
            401,
            "80.00",
            json!({ "updated_at": "2026-11-21T09:00:00Z", "tags": "x" }),
        ),
    )
    .await;
    assert_eq!(now().await, agreed);
    let moved = json!({ "updated_at": "2026-11-21T10:00:00Z", "shipping_address": { "address1": "9 Quay", "city": "Bath", "zip": "BA2", "country": "UK" } });
    send(&app, "orders/updated", &clock(401, "80.00", moved)).await;
    assert_eq!(now().await, agreed);
    // Staff did it at the platform; what the platform tells counts from now on, also when it tells the first item again.
    let edited = json!({ "updated_at": LATER, "total_price": "52.00" });
    send(&app, "orders/updated", &clock(402, "60.00", edited)).await;
    assert_eq!(now().await, told("402", "52.00", "pending_items_modified"));
    let again = json!({ "updated_at": "2026-11-23T09:00:00Z" });
    send(&app, "orders/updated", &clock(401, "80.00", again)).await;
    assert_eq!(now().await, told("401", "72.00", "pending_items_modified"));
}

#[tokio::test]
async fn what_was_paid_and_given_back_counts_in_the_orders_currency() {
    let app = with_secret(TestApp::offline().await).await;
    let set = |own: &str, customers: &str| json!({ "shop_money": { "amount": own, "currency_code": "USD" }, "presentment_money": { "amount": customers, "currency_code": "EUR" } });
    let transaction =
        |amount: &str| json!({ "kind": "refund", "status": "success", "amount": amount, "currency": "EUR" });
    // A name, what the order's body has besides, the payments and the refunds in minor units.
    let cases: Vec<(&str, Value, i64, i64)> = vec![
        (
            "the transaction has a set",
            json!({ "presentment_currency": "EUR", "refunds": [{ "id": 3, "transactions": [
                { "kind": "refund", "status": "success", "amount": "27.00", "currency": "EUR", "amount_set": set("30.00", "27.00") }] }] }),
            8000,
            3000,
        ),
        (
            "the goods, their tax, and the delivery",
            json!({ "presentment_currency": "EUR", "refunds": [{ "id": 3, "transactions": [transaction("14.40")],
                "refund_line_items": [{ "line_item_id": 71, "quantity": 1, "subtotal_set": set("10.00", "9.00"), "total_tax_set": set("1.00", "0.90") }],
                "order_adjustments": [{ "kind": "shipping_refund", "amount": "-4.50", "amount_set": set("-4.50", "-4.05"), "tax_amount_set": set("-0.50", "-0.45") }] }] }),
            8000,
            1600,
        ),
        (
            "less than the goods, in two transactions",
            json!({ "presentment_currency": "EUR", "refunds": [{ "id": 3, "transactions": [transaction("9.00"), transaction("4.51")],
                "refund_line_items": [{ "line_item_id": 71, "quantity": 1, "subtotal_set": set("20.00", "18.00"), "total_tax_set": set("0.00", "0.00") }],
                "order_adjustments": [{ "kind": "refund_discrepancy", "amount": "4.99", "amount_set": set("4.99", "4.49"), "tax_amount_set": set("0.00", "0.00") }] }] }),
            8000,
            1501,
        ),
        (
            "nothing says what it is worth",
            json!({ "presentment_currency": "EUR", "refunds": [{ "id": 3, "transactions": [transaction("9.00")] }] }),
            8000,
            0,
        ),
        (
            "paid in the customer's currency",
            json!({ "presentment_currency": "EUR", "transactions": [
                { "kind": "sale", "status": "success", "amount": "72.00", "currency": "EUR", "amount_set": set("79.99", "72.00") }] }),
            7999,
            0,
        ),
        (
            "edited to less after it was paid: the shop owes 20.00",
            json!({ "total_price": "60.00", "current_total_price": "60.00", "total_outstanding": "-20.00",
                "line_items": [{ "id": 71, "product_id": 9, "variant_id": 91, "title": "Lamp", "price": "60.00", "quantity": 1 }] }),
            8000,
            0,
        ),
    ];
    let mut db = app.superuser().await;
    for (number, (case, changes, paid, refunded)) in (1..).zip(cases) {
        send(&app, "orders/create", &order(number, changes)).await;
        let sums: (i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(amount_minor) FILTER (WHERE kind = 'payment'), 0)::bigint, coalesce(sum(amount_minor) FILTER (WHERE kind = 'refund'), 0)::bigint
            FROM order_payments p JOIN orders o ON (o.tenant_id, o.id) = (p.tenant_id, p.order_id) WHERE o.number = $1",
        )
        .bind(format!("#{number}"))
        .fetch_one(&mut db)
        .await
        .expect("reads");
        assert_eq!(sums, (paid, refunded), "{case}");
    }
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%was not booked%'";
    assert_eq!(app.count(noted).await, 1, "staff see what could not be booked");
}
