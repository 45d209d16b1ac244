//! What the provider says over its webhook before its answer arrives, and answers that never arrive.

use std::time::Duration;

use super::*;

/// Waits until the provider has this many refunds: the answer to the last may still be on its way.
async fn provider_has(shop: &Shop, refunds: usize) {
    for _ in 0..400 {
        if shop.stripe.books(|books| books.refunds.len()) == refunds {
            return;
        }
        shop.app.make_jobs_due().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the provider was not asked");
}

/// The deliveries to the payment provider in a state, as staff list them.
async fn payment_deliveries(shop: &Shop, state: &str) -> Vec<String> {
    let path = format!("/v1/staff/deliveries?channel=payment&state={state}");
    let (_, body) = shop.kim.read(&path).await;
    let listed = body["deliveries"].as_array().expect("deliveries").iter();
    listed
        .map(|delivery| delivery["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// An admin tries a delivery again, or drops it.
async fn act_on_delivery(shop: &Shop, delivery: &str, act: &str) {
    let ada = shop.app.staff("ada@shop.example", Admin).await;
    let path = format!("/v1/staff/deliveries/{delivery}");
    let sent = match act {
        "retry" => ada.request("POST", &format!("{path}/retry")),
        _ => ada.request("DELETE", &path),
    };
    assert!(answer(sent).await.0.is_success(), "{act}");
}

fn refund_of(number: &str, amount: &str) -> Value {
    json!({ "order_number": number, "amount": amount, "reason": "scratched" })
}

#[tokio::test]
async fn a_second_attempt_is_confirmed_by_an_event_that_is_faster_than_its_answer() {
    let shop = Shop::open().await;
    shop.stripe.books(|books| {
        books
            .next_refunds
            .extend([RefundOutcome::FailsLater, RefundOutcome::Pending]);
    });
    let refund = shop.approved("request_refund", refund_of("3003", "40.00")).await;
    shop.deliver_all().await;
    assert_eq!(shop.now(&refund).await["payout"], "failed");
    let dead = payment_deliveries(&shop, "dead").await;
    shop.stripe
        .inject([StripeFault::DoesItAndIsSilent(Duration::from_millis(1500))]);
    act_on_delivery(&shop, &dead[0], "retry").await;
    provider_has(&shop, 2).await;
    // The event that the second attempt succeeded.
    for event in shop.stripe.books(|books| std::mem::take(&mut books.events)) {
        shop.send(&event).await;
    }
    shop.wait_until_idle().await;
    assert_eq!(shop.now(&refund).await["payout"], "paid");
    assert_eq!(shop.balance("3003").await, (6400, 0, 4000));
    shop.check_at_rest("paid at the second attempt").await;
}

#[tokio::test]
async fn a_payout_whose_failure_is_told_before_its_answer_waits_for_staff() {
    for act in ["retry", "drop"] {
        let shop = Shop::open().await;
        shop.stripe
            .books(|books| books.next_refunds.push_back(RefundOutcome::PendingFails));
        shop.stripe
            .inject([StripeFault::DoesItAndIsSilent(Duration::from_millis(1500))]);
        let refund = shop
            .mia
            .propose(&shop.app, "request_refund", refund_of("3003", "40.00"))
            .await;
        assert_eq!(shop.kim.approve(&refund).await.0, StatusCode::OK);
        provider_has(&shop, 1).await;
        for event in shop.stripe.books(|books| std::mem::take(&mut books.events)) {
            shop.send(&event).await;
        }
        let failed = "SELECT count(*) FROM money_movements WHERE state = 'failed'";
        shop.app.wait_for_count(failed, 1).await;
        shop.wait_until_idle().await;
        assert_eq!(shop.now(&refund).await["payout"], "failed");
        let dead = payment_deliveries(&shop, "dead").await;
        assert_eq!(dead.len(), 1, "staff see it");
        if act == "retry" {
            act_on_delivery(&shop, &dead[0], "retry").await;
            shop.wait_until_idle().await;
            assert_eq!(shop.now(&refund).await["payout"], "paid");
        } else {
            act_on_delivery(&shop, &dead[0], "drop").await;
            let (_, tasks) = shop.kim.read("/v1/staff/payments").await;
            assert_eq!(tasks["payments"].as_array().map(Vec::len), Some(1), "a person pays it");
        }
        shop.check(act).await;
    }
}

#[tokio::test]
async fn a_charge_that_was_withdrawn_while_its_answer_was_lost_goes_back() {
    for (outcome, taken) in [
        (ChargeOutcome::Succeeds, 150),
        (ChargeOutcome::Processing, 0),
        (ChargeOutcome::NeedsShopper, 0),
    ] {
        let shop = Shop::open().await;
        // Other payments of the same customer, so that the one that is looked for is not on the first page.
        for method in ["card-mia", "card2-mia"] {
            let change = json!({ "order_number": if method == "card-mia" { "3001" } else { "3002" }, "payment_method_id": "card2-mia" });
            shop.approved("change_order_payment", change).await;
        }
        shop.deliver_all().await;
        shop.stripe.books(|books| books.next_charges.push_back(outcome));
        shop.stripe.inject([StripeFault::DoesItAndFails]);
        let change = json!({ "order_number": "3004", "changes": [{ "item_id": "bottle-steel", "new_item_id": "bottle-red" }], "payment_method_id": "card2-mia" });
        let proposal = shop.mia.propose(&shop.app, "exchange_items", change).await;
        assert_eq!(shop.kim.approve(&proposal).await.0, StatusCode::OK);
        let tried = "SELECT count(*) FROM outbox WHERE kind = 'charge' AND attempts = 1 AND state = 'queued'";
        shop.app.wait_for_count(tried, 1).await;
        let path = format!("/v1/proposals/{}/withdraw", proposal["id"].as_str().expect("an id"));
        assert_eq!(answer(shop.mia.post(&path)).await.0, StatusCode::OK);
        // Its events are lost too.
        shop.stripe.books(|books| books.events.clear());
        if outcome == ChargeOutcome::Processing {
            let looked = "SELECT count(*) FROM outbox WHERE kind = 'charge' AND attempts = 2 AND state = 'queued'";
            for _ in 0..100 {
                shop.app.make_jobs_due().await;
                if shop.app.count(looked).await > 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            shop.stripe.books(|books| books.end_processing(true));
            shop.stripe.books(|books| books.events.clear());
        }
        shop.wait_until_idle().await;
        assert_eq!(shop.now(&proposal).await["state"], "rejected", "{outcome:?}");
        shop.stripe.books(|books| {
            let (id, charge) = books
                .charges
                .iter()
                .find(|(_, charge)| charge.amount == 150)
                .expect("the provider made it");
            if taken > 0 || outcome == ChargeOutcome::Processing {
                assert_eq!(books.refunded(id), 150, "{outcome:?}");
            } else {
                assert_eq!(charge.status, "canceled", "{outcome:?}");
            }
        });
        shop.check_at_rest(&format!("{outcome:?}")).await;
    }
}
