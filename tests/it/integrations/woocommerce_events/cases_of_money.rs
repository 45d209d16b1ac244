//! What the shopper reads of an order's total and its parts.

use serde_json::json;

use super::{Case, DONE, line};

pub fn cases() -> Vec<Case> {
    let refund = |total: &str| json!([{ "id": 3, "reason": null, "total": total }]);
    vec![
        (
            "tax added to the prices, a coupon and shipping (docs: retrieve an order)",
            vec![
                json!({ "discount_total": "10.00", "discount_tax": "0.60", "shipping_total": "9.90", "shipping_tax": "0.10", "cart_tax": "4.20",
                "total_tax": "4.30", "total": "84.20", "coupon_lines": [{ "id": 1, "code": "ten" }],
                "line_items": [line(json!({ "quantity": 2, "subtotal": "80.00", "subtotal_tax": "4.80", "total": "70.00", "total_tax": "4.20", "price": 35 }))] }),
            ],
            vec!["The total is 84.20 USD: goods 80.00 USD, discount −10.00 USD, tax 4.30 USD, shipping 9.90 USD."],
            vec![],
        ),
        (
            "tax in the prices: the parts are those with tax (26582, 33143)",
            vec![
                json!({ "prices_include_tax": true, "discount_total": "8.40", "discount_tax": "1.60", "shipping_total": "4.16", "shipping_tax": "0.79",
                "cart_tax": "11.18", "total_tax": "11.97", "total": "74.95",
                "line_items": [line(json!({ "quantity": 2, "subtotal": "67.23", "subtotal_tax": "12.77", "total": "58.82", "total_tax": "11.18", "price": 29.411_764_705_882_35 }))] }),
            ],
            vec![
                "The total is 74.95 USD: goods 80.00 USD, discount −10.00 USD, 11.97 USD tax included, shipping 4.95 USD.",
            ],
            vec![],
        ),
        (
            "three units whose tax is rounded by the line (17397, 27911)",
            vec![
                json!({ "prices_include_tax": true, "cart_tax": "4.78", "total_tax": "4.78", "shipping_total": "5.00", "total": "34.97",
                "line_items": [line(json!({ "quantity": 3, "subtotal": "25.18", "subtotal_tax": "4.78", "total": "25.18", "total_tax": "4.78", "price": 8.393_333_333_333_333 }))] }),
            ],
            vec!["The total is 34.97 USD: goods 29.97 USD, 4.78 USD tax included, shipping 5.00 USD."],
            vec![],
        ),
        (
            "a discount whose tax is rounded apart (stape-io/gtm-server-side-wordpress-plugin 64)",
            vec![
                json!({ "prices_include_tax": true, "discount_total": "8.41", "discount_tax": "1.60", "total_tax": "11.17", "total": "70.00",
                "line_items": [line(json!({ "subtotal": "67.23", "subtotal_tax": "12.77", "total": "58.82", "total_tax": "11.18" }))] }),
            ],
            vec!["The total is 70.00 USD: goods 80.00 USD, discount −10.00 USD, 11.17 USD tax included."],
            vec!["10.01"],
        ),
        (
            "a fee for the way to pay (58351)",
            vec![
                json!({ "total": "84.90", "fee_lines": [{ "id": 4, "name": "Cash on delivery", "amount": "4.9", "total": "4.90", "total_tax": "0.00" }] }),
            ],
            vec!["The total is 84.90 USD: goods 80.00 USD, fees 4.90 USD."],
            vec!["tip"],
        ),
        (
            "a discount as a fee of less than nothing (10365, mollie/WooCommerce 672)",
            vec![
                json!({ "total": "68.80", "fee_lines": [{ "id": 4, "name": "Loyalty", "total": "-11.20", "total_tax": "0.00" }] }),
            ],
            vec!["The total is 68.80 USD: goods 80.00 USD, discount −11.20 USD."],
            vec![],
        ),
        (
            "a discount that is larger than the order, before it is calculated again (21767)",
            vec![json!({ "total": "-2000.00", "fee_lines": [{ "id": 4, "total": "-2080.00" }] })],
            vec!["The total is 80.00 USD."],
            vec!["2000"],
        ),
        (
            "a discount as a line of less than nothing (8500)",
            vec![
                json!({ "total": "60.00", "line_items": [line(json!({})), line(json!({ "id": 72, "name": "Voucher", "subtotal": "-20.00", "total": "-20.00" }))] }),
            ],
            vec![
                "(Lamp)",
                "The total is 60.00 USD: goods 80.00 USD, discount −20.00 USD.",
            ],
            vec!["Voucher"],
        ),
        (
            "all of it taken off by a coupon, and nothing to pay",
            vec![
                json!({ "total": "0.00", "discount_total": "80.00", "date_paid_gmt": DONE, "line_items": [line(json!({ "total": "0.00", "price": 0 }))] }),
            ],
            vec!["The total is 0.00 USD: goods 80.00 USD, discount −80.00 USD."],
            vec!["still to be paid"],
        ),
        (
            "amounts as numbers (32038)",
            vec![json!({ "shipping_total": 4.47, "discount_total": 0.0, "total": 84.47 })],
            vec!["The total is 84.47 USD: goods 80.00 USD, shipping 4.47 USD."],
            vec![],
        ),
        (
            "prices with PHP's decimals where nothing else is told (31593, 46695)",
            vec![
                json!({ "total": "51.51", "line_items": [{ "name": "Lamp", "quantity": 3, "price": 17.169_999_999_999_998 }] }),
            ],
            vec!["(Lamp)", "The total is 51.51 USD."],
            vec![],
        ),
        (
            "no decimals (8590)",
            vec![
                json!({ "currency": "JPY", "total": "8000", "line_items": [line(json!({ "subtotal": "8000", "total": "8000", "price": 8000 }))] }),
            ],
            vec!["The total is 8000 JPY."],
            vec!["USD"],
        ),
        (
            "no decimals, and the shop writes two (woocommerce/woocommerce-paypal-payments pull 202)",
            vec![
                json!({ "currency": "JPY", "total": "2605.00", "line_items": [line(json!({ "subtotal": "2604.67", "total": "2604.67" }))] }),
            ],
            vec!["The total is 2605 JPY."],
            vec![],
        ),
        (
            "three decimals",
            vec![json!({ "currency": "KWD", "total": "8.255", "line_items": [line(json!({ "subtotal": "8.255" }))] })],
            vec!["8.255"],
            vec![],
        ),
        (
            "a part was refunded (woocommerce-rest-api-docs 50)",
            vec![json!({ "refunds": refund("-30.00") })],
            vec!["(Lamp)", "The total is 80.00 USD."],
            vec![],
        ),
        (
            "refunded without ever being paid, as a switch to the status does (23144)",
            vec![
                json!({ "status": "refunded", "date_paid": null, "date_paid_gmt": null, "refunds": refund("-77.00") }),
            ],
            vec!["is cancelled", "The total is 80.00 USD."],
            vec![],
        ),
    ]
}
