//! What the store's systems tell after a change: of orders as they were, and of money that we know.

use super::*;

/// Mia as her store reports her, with another balance of her gift card.
fn mia_with_gift_card(balance: &str) -> Value {
    json!({ "type": "shopper", "id": "mia", "email": "mia@example.com", "first_name": "Mia", "last_name": "Jones", "payment_methods": [
        { "id": "gift-mia", "kind": "gift_card", "balance": balance }] })
}

async fn gift_card(shop: &Shop) -> i64 {
    let balance = "SELECT balance_minor FROM payment_methods WHERE external_id = 'gift-mia' AND tenant_id = (SELECT tenant_id FROM tenants WHERE slug = 'one')";
    shop.app.count(balance).await
}

#[tokio::test]
async fn the_items_of_an_order_are_changed_once_whatever_the_store_reports_afterwards() {
    let shop = Shop::open().await;
    let order = order_of(
        "3002",
        "pending",
        1,
        json!([by_card("payment", "64.00", Some("pi_3002"))]),
    );
    let change = json!({ "order_number": "3002", "changes": [{ "item_id": "lantern-brass", "new_item_id": "lantern-black" }], "payment_method_id": "card-mia" });
    let first = shop.approved("change_order_items", change.clone()).await;
    assert_eq!(first["state"], "executed", "{first}");
    // The store tells of the order as it was.
    shop.import(&order).await;
    assert_eq!(shop.order("3002").await["status"], "pending");
    let told = shop.refused("change_order_items", change).await;
    assert!(told.contains("possible once"), "{told}");
    // And whoever decides, the database has it once.
    let again = "SET session_replication_role = replica; INSERT INTO proposals SELECT (p).* FROM (SELECT p FROM proposals p WHERE tool = 'change_order_items') x";
    let copied = sqlx::raw_sql(again).execute(&mut shop.app.superuser().await).await;
    assert!(copied.is_err());
}

#[tokio::test]
async fn a_gift_card_is_credited_once_whichever_the_store_tells_first() {
    for refund_first in [true, false] {
        let shop = Shop::open().await;
        let items = json!({ "order_number": "3003", "item_ids": ["lantern-brass"], "payment_method_id": "gift-mia" });
        let returned = shop.approved("return_items", items).await;
        shop.receive(&returned).await;
        let refund = json!({ "kind": "refund", "amount": "64.00", "payment_method": "gift-mia" });
        let order = order_of(
            "3003",
            "delivered",
            1,
            json!([by_card("payment", "64.00", Some("pi_3003")), refund]),
        );
        let card = mia_with_gift_card("164.00");
        for told in if refund_first { [&order, &card] } else { [&card, &order] } {
            shop.import(told).await;
            shop.wait_until_idle().await;
        }
        assert_eq!(gift_card(&shop).await, 16400, "{refund_first}");
        assert_eq!(shop.now(&returned).await["payout"], "paid");
    }
}

#[tokio::test]
async fn a_gift_card_that_staff_credit_is_known_at_once() {
    let shop = Shop::open().await;
    let items = json!({ "order_number": "3003", "item_ids": ["lantern-brass"], "payment_method_id": "gift-mia" });
    let returned = shop.approved("return_items", items).await;
    shop.receive(&returned).await;
    let (_, tasks) = shop.kim.read("/v1/staff/payments").await;
    let id = tasks["payments"][0]["id"].as_str().expect("a task");
    let confirm = shop.kim.request("POST", &format!("/v1/staff/payments/{id}/confirm"));
    assert_eq!(answer(confirm).await.0, StatusCode::NO_CONTENT);
    assert_eq!(gift_card(&shop).await, 16400);
}
