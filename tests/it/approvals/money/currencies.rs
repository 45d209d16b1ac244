//! Amounts in currencies whose smallest units are not the same at the provider.

use countersign::tenancy::Tenant;

use super::*;

/// Gives the store another currency, and Mia an order of it that was paid by card: `price` as text, and in the provider's units.
async fn store_in(shop: &Shop, currency: &str, (price, units): (&str, i64)) -> Tenant {
    let mut store = shop.app.store.tenant.clone();
    store.currency = currency.parse().expect("a currency");
    shop.app
        .execute_sql(match currency {
            "MGA" => "UPDATE tenants SET currency = 'MGA'",
            "ISK" => "UPDATE tenants SET currency = 'ISK'",
            "UGX" => "UPDATE tenants SET currency = 'UGX'",
            _ => "UPDATE tenants SET currency = 'KWD'",
        })
        .await;
    let mut order = order_of(
        "6001",
        "delivered",
        1,
        json!([by_card("payment", price, Some("pi_6001"))]),
    );
    order["lines"][0]["price"] = json!(price);
    let lines = std::iter::once(Ok(order.to_string()));
    let report = import::from_lines(&shop.app.pools.executor, &store, lines).await;
    assert_eq!(report.expect("imports").rejected, []);
    shop.stripe
        .books(|books| books.add_payment_in("pi_6001", units, &currency.to_lowercase()));
    store
}

fn refund(amount: &str) -> Value {
    json!({ "order_number": "6001", "amount": amount, "reason": "scratched" })
}

#[tokio::test]
async fn a_refund_has_the_size_at_the_provider_that_it_has_here() {
    for (currency, price, amount, refunded) in [
        ("MGA", ("6400.00", 6400), "50.00", 50),
        ("ISK", ("6400", 640_000), "50", 5000),
        ("UGX", ("6400", 640_000), "50", 5000),
        ("KWD", ("64.000", 64_000), "5.120", 5120),
    ] {
        let shop = Shop::open().await;
        store_in(&shop, currency, price).await;
        let paid = shop.approved("request_refund", refund(amount)).await;
        assert_eq!(paid["payout"], "paid", "{currency}");
        shop.stripe
            .books(|books| assert_eq!(books.refunded("pi_6001"), refunded, "{currency}"));
        // The events of the same refund, and of one that somebody makes at the provider.
        shop.stripe
            .books(|books| refund_at_provider(books, "pi_6001", refunded));
        shop.deliver_all().await;
        let minor: i64 = amount.replace('.', "").parse().expect("minor units");
        assert_eq!(shop.balance("6001").await.2, 2 * minor, "{currency}");
    }
}

#[tokio::test]
async fn what_the_provider_cannot_express_is_a_task_of_the_staff() {
    for (currency, price, amount) in [
        ("MGA", ("6400.00", 6400), "50.20"),
        ("KWD", ("64.000", 64_000), "5.124"),
    ] {
        let shop = Shop::open().await;
        store_in(&shop, currency, price).await;
        let asked = shop.approved("request_refund", refund(amount)).await;
        assert_eq!(asked["payout"], "requested", "{currency}");
        shop.stripe
            .books(|books| assert!(books.refunds.is_empty(), "{currency}"));
        let (_, tasks) = shop.kim.read("/v1/staff/payments").await;
        assert_eq!(tasks["payments"][0]["amount"]["amount"], amount);
    }
}

#[tokio::test]
async fn a_refund_in_another_currency_than_its_payment_is_not_booked() {
    let shop = Shop::open().await;
    shop.stripe.books(|books| refund_at_provider(books, "pi_3003", 1000));
    let mut event = shop.stripe.books(|books| books.events.remove(0));
    event["data"]["object"]["currency"] = json!("jpy");
    shop.send(&event).await;
    shop.wait_until_idle().await;
    assert_eq!(shop.balance("3003").await, (6400, 0, 0));
    let put_off =
        "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND last_error LIKE '%another currency%'";
    assert_eq!(shop.app.count(put_off).await, 1);
}
