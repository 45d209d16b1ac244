//! What open returns and exchanges have promised is set aside, and units that came back are gone once.

use super::*;

fn refund(number: &str, amount: &str) -> Value {
    json!({ "order_number": number, "amount": amount, "reason": "for the lamp that I sent back" })
}

fn returned(number: &str, units: usize) -> Value {
    json!({ "order_number": number, "item_ids": vec!["lantern-brass"; units], "payment_method_id": "card-mia" })
}

/// An order of two lanterns for 128.00.
async fn two_lanterns(shop: &Shop, number: &str) {
    let payment = format!("pi_{number}");
    let paid = by_card("payment", "128.00", Some(&payment));
    shop.import(&order_of(number, "delivered", 2, json!([paid]))).await;
    shop.stripe.books(|books| books.add_payment(&payment, 12_800));
}

#[tokio::test]
async fn goods_that_are_on_their_way_back_are_not_refunded_twice() {
    let shop = Shop::open().await;
    two_lanterns(&shop, "6001").await;
    let parcel = shop.approved("return_items", returned("6001", 1)).await;
    let said = shop.refused("request_refund", refund("6001", "64.01")).await;
    assert!(said.contains("at most 64.00 USD"), "{said}");
    // For the other lantern: whoever decides is shown the return.
    let second = shop
        .mia
        .propose(&shop.app, "request_refund", refund("6001", "64.00"))
        .await;
    for (language, label, amount) in [
        ("en", "Promised for a return or exchange under way", "64.00 USD"),
        (
            "de",
            "Für eine laufende Rückgabe oder einen Umtausch zugesagt",
            "64,00 USD",
        ),
    ] {
        let shown = second["plan"]["details"][language].as_array().expect("details");
        let row = json!({ "label": label, "after": amount });
        assert!(shown.contains(&row), "{shown:?}");
    }
    shop.kim.approve(&second).await;
    shop.wait_until_idle().await;
    shop.receive(&parcel).await;
    shop.deliver_all().await;
    assert_eq!(shop.balance("6001").await, (12_800, 0, 12_800));
    shop.check_at_rest("both").await;
}

#[tokio::test]
async fn the_price_of_one_lantern_goes_out_once_by_a_return_and_a_refund() {
    let shop = Shop::open().await;
    // The refund was asked for before the return was approved, and after.
    let before = shop
        .mia
        .propose(&shop.app, "request_refund", refund("3003", "64.00"))
        .await;
    let parcel = shop.approved("return_items", returned("3003", 1)).await;
    assert_eq!(parcel["state"], "executed");
    shop.kim.approve(&before).await;
    shop.wait_until_idle().await;
    assert_eq!(shop.now(&before).await["state"], "stale");
    let said = shop.refused("request_refund", refund("3003", "1.00")).await;
    assert!(said.contains("at most 0.00 USD"), "{said}");
    shop.receive(&parcel).await;
    assert_eq!(shop.stripe.books(|books| books.refunded("pi_3003")), 6400);
}

#[tokio::test]
async fn neither_a_cancellation_nor_another_method_pays_out_what_a_return_has_promised() {
    let shop = Shop::open().await;
    let parcel = shop.approved("return_items", returned("3003", 1)).await;
    // The platform reports the order as pending, whatever that means.
    shop.app
        .execute_sql("UPDATE orders SET status = 'pending' WHERE number = '3003'")
        .await;
    let cancel = json!({ "order_number": "3003", "reason": "no_longer_needed" });
    let said = shop.refused("cancel_order", cancel).await;
    assert!(said.contains("under way"), "{said}");
    let other = json!({ "order_number": "3003", "payment_method_id": "card2-mia" });
    let said = shop.refused("change_order_payment", other).await;
    assert!(said.contains("under way"), "{said}");
    shop.receive(&parcel).await;
    assert_eq!(shop.balance("3003").await, (6400, 0, 6400));
}

#[tokio::test]
async fn what_is_given_back_for_a_cheaper_item_is_set_aside_and_a_return_called_off_frees_its_share() {
    let shop = Shop::open().await;
    let cheaper = json!({ "order_number": "3003", "changes": [{ "item_id": "lantern-brass", "new_item_id": "lantern-black" }], "payment_method_id": "card-mia" });
    let parcel = shop.approved("exchange_items", cheaper).await;
    assert_eq!(parcel["state"], "executed");
    let said = shop.refused("request_refund", refund("3003", "60.00")).await;
    assert!(said.contains("at most 59.00 USD"), "{said}");
    let path = format!("/v1/staff/proposals/{}/call-off", parcel["id"].as_str().expect("an id"));
    assert_eq!(answer(shop.kim.request("POST", &path)).await.0, StatusCode::NO_CONTENT);
    shop.wait_until_idle().await;
    assert_eq!(
        shop.approved("request_refund", refund("3003", "64.00")).await["payout"],
        "paid"
    );
}

#[tokio::test]
async fn the_last_unit_can_come_back_whether_the_platform_took_the_first_off_or_not() {
    for (number, units_reported) in [("6101", 2), ("6102", 1)] {
        let shop = Shop::open().await;
        two_lanterns(&shop, number).await;
        let first = shop.approved("return_items", returned(number, 1)).await;
        shop.receive(&first).await;
        let paid = by_card("payment", "128.00", Some(&format!("pi_{number}")));
        let refunded = by_card("refund", "64.00", None);
        let order = order_of(number, "delivered", units_reported, json!([paid, refunded]));
        shop.import(&order).await;
        let said = shop.refused("return_items", returned(number, 2)).await;
        assert!(
            said.contains("item in this order"),
            "{number}: only one is left: {said}"
        );
        let second = shop.approved("return_items", returned(number, 1)).await;
        assert_eq!(second["state"], "executed", "{number}");
        shop.receive(&second).await;
        shop.import(&order_of(
            number,
            "delivered",
            units_reported,
            json!([paid, refunded, refunded]),
        ))
        .await;
        let said = shop.refused("return_items", returned(number, 1)).await;
        assert!(said.contains("item in this order"), "{number}: none is left: {said}");
        assert_eq!(shop.balance(number).await, (12_800, 0, 12_800), "{number}");
    }
}
