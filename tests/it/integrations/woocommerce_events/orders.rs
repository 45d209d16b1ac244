//! Each case is the events that a shop sends, and what the shopper reads when they ask for the order.

use serde_json::json;

use super::{Case, app, cases_of_fields, cases_of_money, cases_of_status, order, send};

#[tokio::test]
async fn a_shopper_reads_of_each_order_what_the_shop_has() {
    let app = app().await;
    let mia = app.shopper("mia").await;
    let cases: Vec<Case> = [
        cases_of_status::cases(),
        cases_of_money::cases(),
        cases_of_fields::cases(),
    ]
    .concat();
    assert!(cases.len() > 40);
    for (at, (case, events, told, untold)) in (1..).zip(cases) {
        for mut event in events {
            if event["number"] == "NUMBER" || event["number"] == 9 {
                event["number"] = json!(at.to_string());
            }
            send(&app, "order.updated", &order(at, event)).await;
        }
        let text = mia.ask_text(&format!("Where is order #{at}?")).await;
        for expected in told {
            let expected = expected.replace("#1 ", &format!("#{at} "));
            assert!(text.contains(&expected), "{case}: {expected}\n{text}");
        }
        for unexpected in untold {
            assert!(!text.contains(unexpected), "{case}: {unexpected}\n{text}");
        }
    }
    let lost = "SELECT count(*) FROM incoming_webhooks WHERE state NOT IN ('done', 'ignored')";
    assert_eq!(app.count(lost).await, 0);
    let renumbered = "SELECT count(*) FROM orders WHERE reference = 'woocommerce:7001'";
    assert_eq!(app.count(renumbered).await, 1, "the order keeps its row");
    for (note, count) in [
        ("`waiting-for-wool` is not known", 1),
        ("a refund of 77.00 USD is more than what was paid", 1),
        ("`total` cannot be read", 1),
        ("`currency` is none that is known", 1),
    ] {
        let noted =
            format!("SELECT count(*) FROM incoming_webhooks WHERE state = 'done' AND last_error LIKE '%{note}%'");
        assert_eq!(app.count(noted.leak()).await, count, "{note}");
    }
    let refunds = "SELECT count(*) FROM order_payments WHERE kind = 'refund' AND amount_minor IN (3000, 8000)";
    assert_eq!(app.count(refunds).await, 3);
}
