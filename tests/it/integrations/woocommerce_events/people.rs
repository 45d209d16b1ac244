//! Whose an order is.

use serde_json::json;

use super::{LATER, app, customer, empty_place, merge, order, place, send};

#[tokio::test]
async fn only_a_customers_own_events_tell_its_address() {
    let app = app().await;
    // Whoever orders types any address. It belongs to the order, not to the account.
    let typed = json!({ "customer_id": 77, "billing": place(json!({ "email": "mia@example.com" })) });
    send(&app, "order.created", &order(1, typed)).await;
    let of_customer = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE number = '#1' AND external_id = '77' AND email IS NULL";
    assert_eq!(app.count(of_customer).await, 1);
    send(&app, "customer.updated", &customer(77, json!({}))).await;
    let known = "SELECT count(*) FROM shoppers WHERE external_id = '77' AND email = 'zoe@example.com' AND first_name = 'Zoe' AND address ->> 'address1' = '9 Quay'";
    assert_eq!(app.count(known).await, 1);
    send(
        &app,
        "order.updated",
        &order(1, json!({ "customer_id": 77, "date_modified_gmt": LATER })),
    )
    .await;
    assert_eq!(app.count(known).await, 1, "a later order changes nothing of it");
    // An older state of the customer, then one that has less.
    send(
        &app,
        "customer.updated",
        &customer(
            77,
            json!({ "first_name": "Old", "date_modified_gmt": "2026-11-18T09:00:00" }),
        ),
    )
    .await;
    send(
        &app,
        "customer.updated",
        &customer(
            77,
            json!({ "email": "", "billing": empty_place(), "date_modified_gmt": LATER }),
        ),
    )
    .await;
    assert_eq!(app.count(known).await, 1);
    // The fields of a new account are empty (22247).
    let new = json!({ "date_modified_gmt": null, "email": "Ann@Example.com", "first_name": "", "last_name": "", "billing": empty_place() });
    send(&app, "customer.created", &customer(78, new)).await;
    assert_eq!(
        app.count(
            "SELECT count(*) FROM shoppers WHERE external_id = '78' AND email = 'ann@example.com' AND address IS NULL"
        )
        .await,
        1
    );
    // An address that another customer has stays there.
    send(&app, "customer.created", &customer(79, json!({}))).await;
    let noted = "SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%another customer%'";
    assert_eq!(app.count(noted).await, 1);
    send(&app, "customer.deleted", &json!({ "id": 77 })).await;
    assert_eq!(app.count(known).await, 1);
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')")
            .await,
        0
    );
}

#[tokio::test]
async fn a_guests_orders_go_to_whoever_proves_the_address() {
    let app = app().await;
    let guest = |email: &str| json!({ "billing": place(json!({ "email": email })) });
    send(&app, "order.created", &order(1, guest("Guest@Example.com"))).await;
    send(&app, "order.created", &order(2, guest("guest@example.com"))).await;
    send(
        &app,
        "customer.created",
        &customer(90, json!({ "email": "guest@example.com" })),
    )
    .await;
    let adopted = "SELECT count(*) FROM orders JOIN shoppers USING (tenant_id, shopper_id) WHERE external_id = '90'";
    assert_eq!(app.count(adopted).await, 2);
    // The shop erases the data of two orders (19330): they stay with whom they belonged to, and make nobody of that address.
    send(&app, "order.created", &order(3, guest("other@example.com"))).await;
    let erased = |number| {
        let mut body = order(number, guest("deleted@site.invalid"));
        merge(
            &mut body,
            json!({ "date_modified_gmt": LATER, "shipping": empty_place() }),
        );
        body
    };
    send(&app, "order.updated", &erased(1)).await;
    send(&app, "order.updated", &erased(3)).await;
    assert_eq!(app.count(adopted).await, 2);
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE email LIKE '%.invalid'")
            .await,
        0
    );
    // An order without any address, and one that is given to a customer later.
    send(&app, "order.created", &order(4, json!({ "billing": {} }))).await;
    send(
        &app,
        "order.updated",
        &order(4, json!({ "customer_id": 90, "date_modified_gmt": LATER })),
    )
    .await;
    assert_eq!(app.count(adopted).await, 3);
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state <> 'done'")
            .await,
        0
    );
}
