//! Chargebacks: what a bank takes back of a payment is money out, so that it goes out once.

use super::*;

fn return_of(number: &str) -> Value {
    json!({ "order_number": number, "item_ids": ["lantern-brass"], "payment_method_id": "gift-mia" })
}

fn refund(amount: &str) -> Value {
    json!({ "order_number": "3003", "amount": amount, "reason": "scratched" })
}

#[tokio::test]
async fn what_a_bank_took_back_does_not_go_out_a_second_time() {
    for delivered in [1, 2] {
        let shop = Shop::open().await;
        shop.stripe.books(|books| books.dispute("pi_3003").expect("disputed"));
        // First the dispute alone is known, then that the money is gone.
        for _ in 0..delivered {
            shop.deliver(0, true).await;
        }
        assert_eq!(shop.balance("3003").await, (6400, 0, 6400));
        for (tool, arguments) in [("request_refund", refund("1.00")), ("return_items", return_of("3003"))] {
            let told = shop.refused(tool, arguments).await;
            assert!(told.contains("refunded"), "{tool}: {told}");
        }
        shop.check("disputed").await;
    }
}

#[tokio::test]
async fn a_part_that_was_refunded_before_is_not_claimed_and_the_rest_is_shown_as_refunded() {
    let shop = Shop::open().await;
    shop.approved("request_refund", refund("60.00")).await;
    shop.deliver_all().await;
    shop.stripe.books(|books| books.dispute("pi_3003").expect("disputed"));
    shop.deliver_all().await;
    assert_eq!(shop.balance("3003").await, (6400, 0, 6400));
    let told = shop.refused("return_items", return_of("3003")).await;
    assert!(told.contains("refunded"), "{told}");
    shop.check_at_rest("disputed").await;
}

#[tokio::test]
async fn a_dispute_that_the_store_wins_frees_the_money_and_one_that_it_loses_does_not() {
    for won in [true, false] {
        // In both orders of the events.
        for backwards in [false, true] {
            let shop = Shop::open().await;
            let dispute = shop.stripe.books(|books| {
                let dispute = books.dispute("pi_3003").expect("disputed");
                books.end_dispute(&dispute, won);
                if backwards {
                    books.events.reverse();
                }
                dispute
            });
            shop.deliver_all().await;
            let out = if won { 0 } else { 6400 };
            assert_eq!(
                shop.balance("3003").await,
                (6400, 0, out),
                "{dispute} {won} {backwards}"
            );
            shop.check("decided").await;
        }
    }
}

#[tokio::test]
async fn a_dispute_of_money_that_is_held_ends_the_change() {
    let shop = Shop::open().await;
    let exchange = json!({ "order_number": "3004", "changes": [{ "item_id": "bottle-steel", "new_item_id": "bottle-red" }], "payment_method_id": "card-mia" });
    let exchanged = shop.approved("exchange_items", exchange).await;
    assert_eq!(exchanged["state"], "executed", "{exchanged}");
    let charge = shop.stripe.books(|books| {
        let charge = books.charges.iter().find(|(_, charge)| charge.amount == 150);
        charge.expect("charged").0.clone()
    });
    shop.deliver_all().await;
    shop.stripe.books(|books| books.dispute(&charge).expect("disputed"));
    shop.deliver_all().await;
    assert_eq!(shop.balance("3004").await, (2950, 0, 150), "nothing is held any more");
    shop.receive(&exchanged).await;
    assert_eq!(shop.balance("3004").await, (2950, 0, 150));
    shop.check("received").await;
}
