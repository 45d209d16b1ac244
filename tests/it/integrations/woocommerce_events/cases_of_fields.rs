//! What the shopper reads of names, quantities, addresses and parcels, in whatever form they come.

use serde_json::{Value, json};

use super::{Case, empty_place, line};

fn tracking(items: Value) -> Value {
    json!([{ "id": 5, "key": "_wc_shipment_tracking_items", "value": items }])
}

pub fn cases() -> Vec<Case> {
    vec![
        (
            "entities in a name (woocommerce-ios 1808)",
            vec![json!({ "line_items": [line(json!({ "name": "Yellow Pants (H&amp;M) &#8211; <em>wide</em>" }))] })],
            vec!["(Yellow Pants (H&M) – wide)"],
            vec!["amp;", "<em>"],
        ),
        (
            "a name with signs that begin no tag (26780, 25544)",
            vec![json!({ "line_items": [line(json!({ "name": "Shrimps <30g, >70g" }))] })],
            vec!["(Shrimps <30g, >70g)"],
            vec![],
        ),
        (
            "a part of a unit (52198, XiaoFaye/WooCommerce.NET pull 286)",
            vec![
                json!({ "total": "15.20", "line_items": [line(json!({ "name": "Cheese", "quantity": 1.52, "subtotal": "15.20", "total": "15.20", "price": 10 }))] }),
            ],
            vec!["(Cheese × 1.52)", "The total is 15.20 USD."],
            vec![],
        ),
        (
            "a product that was deleted, quantity as a float (22667, 9513)",
            vec![
                json!({ "total": "634.00", "line_items": [line(json!({ "product_id": 0, "quantity": 10.0, "subtotal": 634.0, "total": "634.00", "price": 63.4 }))] }),
            ],
            vec!["(Lamp)", "634.00 USD"],
            vec![],
        ),
        (
            "values of fields that are lists or objects (XiaoFaye/WooCommerce.NET 606)",
            vec![json!({ "meta_data": {}, "line_items": [line(json!({ "meta_data": [
                { "id": 1, "key": "_bundle", "value": { "a": 1 }, "display_key": "_bundle", "display_value": { "a": 1 } },
                { "id": 2, "key": "pa_color", "value": "blue", "display_key": "Color", "display_value": ["Blue"] }, { "id": 3 }, null] }))] })],
            vec!["(Lamp)"],
            vec!["bundle"],
        ),
        (
            "an order of downloads has no delivery address (mollie/WooCommerce 94)",
            vec![json!({ "shipping": empty_place() })],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "no address at all: picked up (14960)",
            vec![json!({ "shipping": empty_place(), "billing": { "email": "mia@example.com" } })],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "two parcels of Shipment Tracking (woocommerce-ios 250)",
            vec![json!({ "status": "completed", "meta_data": tracking(json!([
                { "tracking_provider": "usps", "custom_tracking_provider": "", "custom_tracking_link": "", "tracking_number": "940553", "date_shipped": "1795219200", "tracking_id": "a1" },
                { "tracking_provider": "", "custom_tracking_provider": "Harbour Post", "custom_tracking_link": "https://post.example/HP100", "tracking_number": "HP100", "date_shipped": "2026-11-21", "tracking_id": "a2" }])) })],
            vec!["is shipped", "940553", "HP100 (https://post.example/HP100)"],
            vec![],
        ),
        (
            "a parcel that was taken off makes the list an object; a link that runs code (woocommerce/woocommerce-paypal-payments pull 4505)",
            vec![
                json!({ "status": "completed", "meta_data": tracking(json!({ "1": { "tracking_provider": "dhl", "custom_tracking_link": "javascript:alert(1)", "tracking_number": "DH200" } })) }),
            ],
            vec!["DH200"],
            vec!["javascript"],
        ),
        (
            "parcels that are no list",
            vec![json!({ "meta_data": tracking(json!("none")) })],
            vec!["(Lamp)"],
            vec![],
        ),
        (
            "no lines, as an order that staff begin (21952)",
            vec![
                json!({ "status": "pending", "line_items": [], "total": "0.00", "date_paid": null, "date_paid_gmt": null }),
            ],
            vec!["Order #1 is placed."],
            vec!["()"],
        ),
        (
            "a line that was set to no units (11533)",
            vec![json!({ "line_items": [line(json!({})), line(json!({ "id": 72, "name": "Shade", "quantity": 0 }))] })],
            vec!["(Lamp)"],
            vec!["Shade"],
        ),
        (
            "odd fields",
            vec![
                json!({ "number": 9, "currency": "", "refunds": {}, "fee_lines": null, "shipping": [], "total_tax": "a lot", "customer_id": "0",
                "date_created_gmt": "yesterday", "date_modified_gmt": null, "shipping_total": null,
                "line_items": [line(json!({ "quantity": "1", "price": null, "variation_id": "", "meta_data": null }))] }),
            ],
            vec!["(Lamp)", "80.00 USD"],
            vec![],
        ),
    ]
}
