//! What of an order was paid and refunded.

use serde_json::{Value, json};

use super::{DONE, LATER, app, merge, order, send};

#[tokio::test]
async fn what_is_not_paid_is_not_told_as_paid() {
    let app = app().await;
    let unpaid = json!({ "date_paid": null, "date_paid_gmt": null });
    let with = |changes: Value| {
        let mut body = unpaid.clone();
        merge(&mut body, changes);
        body
    };
    for (at, (case, changes, paid)) in (1..).zip([
        (
            "a bank transfer is awaited",
            with(json!({ "status": "on-hold", "payment_method": "bacs" })),
            false,
        ),
        (
            "paid to the carrier, and on its way (29471)",
            with(json!({ "payment_method": "cod" })),
            false,
        ),
        (
            "the same, and a plug-in says that it is paid (14775)",
            json!({ "payment_method": "cod" }),
            false,
        ),
        (
            "the same, completed (pull 15268)",
            json!({ "payment_method": "cod", "status": "completed", "date_completed_gmt": DONE }),
            true,
        ),
        ("paid, in the site's time only", json!({ "date_paid_gmt": null }), true),
        ("paid and then cancelled", json!({ "status": "cancelled" }), true),
    ]) {
        send(&app, "order.updated", &order(at, changes)).await;
        let payments = format!(
            "SELECT count(*) FROM order_payments JOIN orders o ON o.id = order_id WHERE o.number = '#{at}' AND amount_minor = 8000"
        );
        assert_eq!(app.count(payments.leak()).await, i64::from(paid), "{case}");
    }
    // A refund is booked once, however often the order is told, and stays when the shop takes its record back (68658).
    let refund = json!([{ "id": 3, "reason": "", "total": "-30.00" }]);
    for (at, refunds) in [
        (DONE, refund.clone()),
        (LATER, refund),
        ("2026-11-23T09:00:00", json!([])),
    ] {
        send(
            &app,
            "order.updated",
            &order(9, json!({ "date_modified_gmt": at, "refunds": refunds })),
        )
        .await;
    }
    let refunds = "SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor = 3000";
    assert_eq!(app.count(refunds).await, 1);
}
