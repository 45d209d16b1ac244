//! Products and their variations.

use serde_json::{Value, json};

use super::{DONE, LATER, app, merge, product, send};

#[tokio::test]
async fn products_come_with_their_variations_one_by_one() {
    let app = app().await;
    send(&app, "product.created", &product(40, json!({}))).await;
    let simple = "SELECT count(*) FROM variants JOIN products p ON p.id = product_id WHERE item_id = '40' AND available AND price_minor = 5900
        AND p.name = 'Tide clock & bell' AND p.description = 'Shows the tide' AND p.picture = 'https://shop.example/clock.jpg'";
    assert_eq!(app.count(simple).await, 1);
    for (at, changes) in (1..).zip([
        json!({ "stock_status": "outofstock" }),
        json!({ "status": "draft" }),
        json!({ "price": "" }),
    ]) {
        let mut body = product(40, changes);
        body["date_modified_gmt"] = json!(format!("2026-11-21T09:0{at}:00"));
        send(&app, "product.updated", &body).await;
        assert_eq!(app.count(simple).await, 0, "{body}");
        let again = json!({ "date_modified_gmt": format!("2026-11-21T09:0{at}:30") });
        send(&app, "product.updated", &product(40, again)).await;
        assert_eq!(app.count(simple).await, 1);
    }
    send(&app, "product.deleted", &json!({ "id": 40 })).await;
    assert_eq!(app.count(simple).await, 0);
    send(
        &app,
        "product.restored",
        &product(40, json!({ "date_modified_gmt": LATER })),
    )
    .await;
    assert_eq!(app.count(simple).await, 1);

    // A variation may come before its product (15198, 20109).
    let variation = |id: u64, changes: Value| {
        let mut body = product(
            id,
            json!({ "type": "variation", "parent_id": 50, "name": "Shirt - M", "attributes": [{ "id": 0, "name": "Size", "option": "M" }] }),
        );
        merge(&mut body, changes);
        body
    };
    let shirt = |changes: Value| {
        let mut body = product(
            50,
            json!({ "type": "variable", "name": "Shirt", "variations": [51, 52] }),
        );
        merge(&mut body, changes);
        body
    };
    send(&app, "product.created", &variation(51, json!({}))).await;
    assert_eq!(
        app.count(
            "SELECT count(*) FROM incoming_webhooks WHERE state = 'queued' AND last_error LIKE '%no such product%'"
        )
        .await,
        1
    );
    send(&app, "product.created", &shirt(json!({}))).await;
    app.execute_sql("UPDATE incoming_webhooks SET due_at = now() WHERE state = 'queued'")
        .await;
    send(
        &app,
        "product.created",
        &variation(
            52,
            json!({ "price": "61.00", "attributes": [{ "name": "Size", "option": "L" }] }),
        ),
    )
    .await;
    let both = "SELECT count(*) FROM variants JOIN products p ON p.id = product_id WHERE p.name = 'Shirt' AND available AND options ->> 'Size' IN ('M', 'L')";
    app.wait_for_count(both, 2).await;
    // The product is told again and keeps its variations; one is sold out, then one is taken off.
    send(
        &app,
        "product.updated",
        &shirt(json!({ "date_modified_gmt": DONE, "description": "Linen" })),
    )
    .await;
    assert_eq!(app.count(both).await, 2);
    send(
        &app,
        "product.updated",
        &variation(52, json!({ "stock_status": "outofstock", "date_modified_gmt": DONE })),
    )
    .await;
    assert_eq!(app.count(both).await, 1);
    send(
        &app,
        "product.updated",
        &shirt(json!({ "date_modified_gmt": LATER, "variations": [52] })),
    )
    .await;
    assert_eq!(app.count(both).await, 0);
    // What the shop has not saved yet is no product (29376).
    send(
        &app,
        "product.updated",
        &product(60, json!({ "name": "AUTO-DRAFT", "status": "auto-draft" })),
    )
    .await;
    assert_eq!(
        app.count("SELECT count(*) FROM products WHERE name = 'AUTO-DRAFT'")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')")
            .await,
        0
    );
}
