//! Money that is held for a change, a part of which somebody refunds at the provider: the rest counts, or goes back.

use super::*;

/// What of Mia's new payment is refunded on the provider's own pages.
async fn refund_of_new_charge(shop: &Shop, amount: i64) {
    shop.stripe.books(|books| {
        let new = books
            .charges
            .keys()
            .find(|id| id.starts_with("pi_new"))
            .expect("charged")
            .clone();
        refund_at_provider(books, &new, amount);
    });
    shop.deliver_all().await;
}

fn exchange() -> Value {
    json!({ "order_number": "3004", "changes": [{ "item_id": "bottle-steel", "new_item_id": "bottle-red" }], "payment_method_id": "card-mia" })
}

#[tokio::test]
async fn what_is_left_of_held_money_counts_when_the_parcel_comes() {
    for (back, left) in [(50, "29.00"), (150, "28.00")] {
        let shop = Shop::open().await;
        let exchanged = shop.approved("exchange_items", exchange()).await;
        assert_eq!(shop.balance("3004").await, (2950, 150, 0));
        refund_of_new_charge(&shop, back).await;
        shop.receive(&exchanged).await;
        assert_eq!(shop.balance("3004").await, (2950, 0, back), "nothing is held any more");
        let refund = |amount: &str| json!({ "order_number": "3004", "amount": amount, "reason": "broken" });
        let said = shop.refused("request_refund", refund("29.50")).await;
        assert!(said.contains(&format!("at most {left} USD")), "{said}");
        shop.approved("request_refund", refund(left)).await;
        shop.deliver_all().await;
        assert_eq!(shop.balance("3004").await, (2950, 0, 2950), "all of it can be refunded");
        assert_eq!(
            shop.now(&exchanged).await["payout"],
            Value::Null,
            "the exchange itself pays nothing out"
        );
        shop.check_at_rest("settled").await;
    }
}

#[tokio::test]
async fn a_refund_of_held_money_that_fails_later_holds_nothing_for_ever() {
    let shop = Shop::open().await;
    let exchanged = shop.approved("exchange_items", exchange()).await;
    shop.stripe
        .books(|books| books.next_refunds.push_back(RefundOutcome::FailsLater));
    shop.stripe.books(|books| {
        let new = books
            .charges
            .keys()
            .find(|id| id.starts_with("pi_new"))
            .expect("charged")
            .clone();
        refund_at_provider(books, &new, 50);
    });
    shop.deliver(0, false).await;
    shop.receive(&exchanged).await;
    shop.deliver_all().await;
    assert_eq!(shop.balance("3004").await, (2950, 0, 0));
    shop.check_at_rest("failed later").await;
}

#[tokio::test]
async fn nobody_is_charged_twice_when_a_part_of_the_first_charge_went_back_before_the_change() {
    let shop = Shop::open().await;
    shop.stripe
        .books(|books| books.next_charges.push_back(ChargeOutcome::Processing));
    let waiting = shop.approved("change_order_items", price_increase("card-mia")).await;
    // The executor has claimed it and died: the state says that it is being executed.
    shop.app
        .execute_sql("UPDATE proposals SET state = 'executing' WHERE state = 'awaiting_payment'")
        .await;
    let mut tx = shop.app.executor_tx().await;
    sqlx::query("SELECT confirm_money(id, 'pi_new_4', now()), record_refund('pi_new_4', 50, 'USD', 'stripe', 're_hand', now()) FROM money_movements WHERE proposal_id IS NOT NULL")
        .fetch_all(&mut *tx)
        .await
        .expect("recorded");
    tx.commit().await.expect("commits");
    shop.wait_until_idle().await;
    assert_eq!(shop.now(&waiting).await["state"], "stale", "what it costs is not there");
    let charges = shop.stripe.books(|books| {
        books
            .charges
            .values()
            .filter(|charge| !charge.metadata.is_empty())
            .count()
    });
    assert_eq!(charges, 1, "charged once");
    assert_eq!(shop.balance("3001").await, (2950, 0, 150), "the rest goes back");
}

#[tokio::test]
async fn what_comes_too_late_goes_back_when_a_part_of_it_went_back_already() {
    let shop = Shop::open().await;
    shop.stripe
        .books(|books| books.next_charges.push_back(ChargeOutcome::Processing));
    let waiting = shop.approved("change_order_items", price_increase("card-mia")).await;
    let path = format!("/v1/proposals/{}/withdraw", waiting["id"].as_str().expect("an id"));
    assert_eq!(answer(shop.mia.post(&path)).await.0, StatusCode::OK);
    let mut tx = shop.app.executor_tx().await;
    sqlx::query("SELECT confirm_money(id, 'pi_new_4', now()), record_refund('pi_new_4', 50, 'USD', 'stripe', 're_hand', now()) FROM money_movements WHERE proposal_id IS NOT NULL")
        .fetch_all(&mut *tx)
        .await
        .expect("recorded");
    tx.commit().await.expect("commits");
    shop.wait_until_idle().await;
    assert_eq!(shop.balance("3001").await, (2950, 0, 150), "the rest goes back");
}
