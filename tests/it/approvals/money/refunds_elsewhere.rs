//! Refunds that the store makes at its provider by hand: each is one refund, whoever tells of it, how often and in which order.

use super::*;

/// The events in which the provider tells of the newest refund, `count` of them.
fn refund_events(shop: &Shop, count: usize) -> Vec<Value> {
    let event = shop.stripe.books(|books| books.events.pop()).expect("an event");
    let topics = ["refund.created", "refund.updated", "charge.refund.updated"];
    let events = (0..count).map(|at| {
        let mut event = event.clone();
        event["id"] = json!(format!("{}_{at}", event["id"].as_str().expect("an id")));
        event["type"] = json!(topics[at % topics.len()]);
        event
    });
    events.collect()
}

#[tokio::test]
async fn twelve_events_at_once_about_one_refund_book_it_once() {
    let shop = Shop::open().await;
    let (_url, _stop) = shop.app.replica().await;
    for (number, _, _, _, _) in ORDERS {
        shop.stripe
            .books(|books| refund_at_provider(books, &format!("pi_{number}"), 500));
        let events = refund_events(&shop, 12);
        futures::future::join_all(events.iter().map(|event| shop.send(event))).await;
        shop.wait_until_idle().await;
        assert_eq!(shop.balance(number).await.2, 500, "{number}");
    }
    shop.check_at_rest("told twelve times").await;
}

#[tokio::test]
async fn a_refund_that_the_store_and_its_provider_tell_of_is_one_whoever_tells_first() {
    let shop = Shop::open().await;
    for (number, store_is_first) in [("3002", true), ("3003", false)] {
        let payment = format!("pi_{number}");
        let status = if number == "3002" { "pending" } else { "delivered" };
        let paid = by_card("payment", "64.00", Some(&payment));
        let order = order_of(number, status, 1, json!([paid, by_card("refund", "10.00", None)]));
        shop.stripe.books(|books| refund_at_provider(books, &payment, 1000));
        match store_is_first {
            true => shop.import(&order).await,
            false => shop.deliver_all().await,
        }
        assert_eq!(shop.balance(number).await, (6400, 0, 1000), "{number}: told once");
        shop.import(&order).await;
        shop.deliver_all().await;
        assert_eq!(shop.balance(number).await, (6400, 0, 1000), "{number}: told by both");
        // Another refund of so much is another one.
        shop.stripe.books(|books| refund_at_provider(books, &payment, 1000));
        shop.deliver_all().await;
        assert_eq!(shop.balance(number).await, (6400, 0, 2000), "{number}: a second refund");
    }
    shop.check_at_rest("told by both").await;
}

#[tokio::test]
async fn the_store_and_its_provider_tell_of_one_refund_at_the_same_time() {
    let shop = Shop::open().await;
    let shop = &shop;
    for round in 0..4_i64 {
        let number = format!("50{round}");
        let payment = format!("pi_{number}");
        let paid = by_card("payment", "64.00", Some(&payment));
        shop.import(&order_of(&number, "delivered", 1, json!([paid]))).await;
        shop.stripe.books(|books| {
            books.add_payment(&payment, 6400);
            refund_at_provider(books, &payment, 1000);
        });
        let order = order_of(&number, "delivered", 1, json!([paid, by_card("refund", "10.00", None)]));
        let events = refund_events(shop, 3);
        let sent = async {
            futures::future::join_all(events.iter().map(|event| shop.send(event))).await;
        };
        tokio::join!(sent, shop.import(&order));
        shop.wait_until_idle().await;
        assert_eq!(shop.balance(&number).await, (6400, 0, 1000), "{number}");
    }
}

#[tokio::test]
async fn a_refund_of_the_second_of_two_payments_is_one_whoever_tells_first() {
    let shop = Shop::open().await;
    let paid = |number: &str| {
        [("a", "40.00"), ("b", "24.00")]
            .map(|(part, amount)| by_card("payment", amount, Some(&format!("pi_{number}{part}"))))
    };
    for (number, store_is_first) in [("5101", true), ("5102", false)] {
        let [first, second] = paid(number);
        shop.import(&order_of(number, "delivered", 1, json!([first, second])))
            .await;
        shop.stripe.books(|books| {
            books.add_payment(&format!("pi_{number}a"), 4000);
            books.add_payment(&format!("pi_{number}b"), 2400);
            refund_at_provider(books, &format!("pi_{number}b"), 2400);
        });
        let order = order_of(
            number,
            "delivered",
            1,
            json!([first, second, by_card("refund", "24.00", None)]),
        );
        if store_is_first {
            shop.import(&order).await;
        }
        shop.deliver_all().await;
        shop.import(&order).await;
        assert_eq!(shop.balance(number).await, (6400, 0, 2400), "{number}");
        // What is left is what the provider has left of it.
        let rest = json!({ "order_number": number, "amount": "40.00", "reason": "broken" });
        let refunded = shop.approved("request_refund", rest).await;
        assert_eq!(refunded["payout"], "paid", "{number}");
        shop.stripe
            .books(|books| assert_eq!(books.refunded(&format!("pi_{number}a")), 4000, "{number}"));
    }
}

#[tokio::test]
async fn a_task_that_staff_do_at_the_provider_is_one_refund() {
    for says_so_first in [true, false] {
        let shop = Shop::open().await;
        let admin = shop.app.staff("ann@shop.example", Admin).await;
        shop.stripe.inject([StripeFault::Answers(503, "{}")]);
        let refund = json!({ "order_number": "3003", "amount": "4.00", "reason": "scratched" });
        let proposal = shop.mia.propose(&shop.app, "request_refund", refund).await;
        shop.kim.approve(&proposal).await;
        let tried = "SELECT count(*) FROM outbox WHERE channel = 'payment' AND attempts = 1 AND state = 'queued'";
        shop.app.wait_for_count(tried, 1).await;
        let give_up = "UPDATE outbox SET state = 'dead' WHERE channel = 'payment'";
        shop.app.execute_sql(give_up).await;
        let (_, dead) = admin.read("/v1/staff/deliveries?state=dead").await;
        let id = dead["deliveries"][0]["id"].as_str().expect("an id");
        let dropped = admin.request("DELETE", &format!("/v1/staff/deliveries/{id}"));
        assert_eq!(answer(dropped).await.0, StatusCode::NO_CONTENT);
        let (_, tasks) = shop.kim.read("/v1/staff/payments").await;
        let task = tasks["payments"][0]["id"].as_str().expect("a task").to_owned();
        // Somebody pays it on the provider's own pages, and marks the task before or after the provider tells of it.
        shop.stripe.books(|books| refund_at_provider(books, "pi_3003", 400));
        if !says_so_first {
            shop.deliver_all().await;
        }
        let path = format!("/v1/staff/payments/{task}/confirm");
        let status = answer(shop.kim.request("POST", &path)).await.0;
        let expected = if says_so_first {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(status, expected, "the provider's word has settled it");
        shop.wait_until_idle().await;
        shop.deliver_all().await;
        assert_eq!(shop.balance("3003").await, (6400, 0, 400));
        assert_eq!(shop.now(&proposal).await["payout"], "paid");
        shop.check_at_rest("done by hand").await;
    }
}
