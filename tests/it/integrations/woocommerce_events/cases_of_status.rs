//! What the shopper reads of an order's status and number.

use serde_json::{Value, json};

use super::{Case, DONE, LATER, merge};

pub fn cases() -> Vec<Case> {
    let completed = |changes: Value| {
        let mut body = json!({ "status": "completed", "date_completed": DONE, "date_completed_gmt": DONE, "date_modified_gmt": DONE });
        merge(&mut body, changes);
        body
    };
    vec![
        (
            "paid and not sent yet: processing (docs: order properties)",
            vec![json!({})],
            vec!["(Lamp)", "is placed", "The total is 80.00 USD."],
            vec!["shipped.", "still to be paid"],
        ),
        (
            "created, paid and completed within one second, told by two topics (19764, 43019)",
            vec![
                json!({ "status": "pending", "date_paid": null, "date_paid_gmt": null }),
                json!({ "status": "completed", "date_completed_gmt": "2026-11-20T09:00:00" }),
            ],
            vec!["is shipped"],
            vec!["delivered"],
        ),
        (
            "the same, and the older state arrives last (13760)",
            vec![
                json!({ "status": "completed", "date_completed_gmt": "2026-11-20T09:00:00" }),
                json!({ "status": "pending", "date_paid": null, "date_paid_gmt": null }),
            ],
            vec!["is shipped"],
            vec!["is placed"],
        ),
        (
            "completed is sent, not delivered (18273)",
            vec![completed(json!({}))],
            vec!["is shipped"],
            vec!["delivered"],
        ),
        (
            "a plug-in's statuses, with and without the prefix (41959, 13097)",
            vec![
                json!({ "status": "wc-partial-shipped" }),
                json!({ "status": "partially-shipped", "date_modified_gmt": LATER }),
            ],
            vec!["is partly shipped"],
            vec![],
        ),
        (
            "a plug-in says that it was delivered (Automattic/woocommerce-payments pull 11711)",
            vec![
                completed(json!({})),
                completed(json!({ "status": "delivered", "date_modified_gmt": LATER })),
            ],
            vec!["is delivered"],
            vec![],
        ),
        (
            "a status that nobody knows (24413)",
            vec![json!({ "status": "waiting-for-wool" })],
            vec!["is placed"],
            vec!["wool"],
        ),
        (
            "a payment that failed",
            vec![json!({ "status": "failed", "date_paid": null, "date_paid_gmt": null })],
            vec!["is cancelled"],
            vec![],
        ),
        (
            "in the bin (22713, 25652)",
            vec![json!({}), json!({ "status": "trash", "date_modified_gmt": LATER })],
            vec!["is cancelled"],
            vec![],
        ),
        (
            "refunded whole before it was sent: it keeps what was ordered (6981)",
            vec![json!({ "status": "refunded", "refunds": [{ "id": 3, "reason": "", "total": "-80.00" }] })],
            vec!["(Lamp)", "is cancelled", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "refunded whole after it was sent (woocommerce-admin 1555)",
            vec![completed(
                json!({ "status": "refunded", "refunds": [{ "id": 3, "reason": "broken", "total": "-80.00" }] }),
            )],
            vec!["is shipped", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "the number of a plug-in, set after the order was told (godaddy-wordpress/woocommerce-sequential-order-numbers 22)",
            vec![
                json!({ "number": "7001", "id": 7001 }),
                json!({ "number": "NUMBER", "id": 7001, "date_modified_gmt": LATER }),
            ],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "a checkout that is not finished is no order yet (66995, 37958)",
            vec![json!({ "status": "checkout-draft", "total": "1.00" }), json!({})],
            vec!["The total is 80.00 USD."],
            vec![],
        ),
    ]
}
