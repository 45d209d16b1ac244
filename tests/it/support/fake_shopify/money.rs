//! Amounts: decimal texts outside, whole thousandths inside.

use serde_json::Value;

/// The thousandths of an amount. `null` is nothing; a money bag is its shop money.
pub fn of(amount: &Value) -> i64 {
    match amount {
        Value::Null => 0,
        Value::Object(bag) => of(&bag["shopMoney"]["amount"]),
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text),
        other => panic!("{other} is no amount"),
    }
}

pub fn parse(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let thousandths: i64 = format!("{rest:0<3}")[..3].parse().expect("a fraction");
    sign * (whole.parse::<i64>().expect("a whole number") * 1000 + thousandths)
}

/// The text with the currency's decimals, such as `12.30`.
pub fn text(thousandths: i64, currency: &str) -> String {
    let decimals = match currency {
        "JPY" | "KRW" | "VND" | "CLP" | "ISK" | "UGX" | "XAF" | "XOF" => 0,
        "KWD" | "BHD" | "JOD" | "OMR" | "TND" | "IQD" | "LYD" => 3,
        _ => 2,
    };
    let sign = if thousandths < 0 { "-" } else { "" };
    let (whole, rest) = (thousandths.abs() / 1000, format!("{:03}", thousandths.abs() % 1000));
    match decimals {
        0 => format!("{sign}{whole}"),
        decimals => format!("{sign}{whole}.{}", &rest[..decimals]),
    }
}

/// The text as Shopify's type `Decimal` has it in `MoneyV2`: without the zeros at the end, but for one, such as `12.3` and `12.0`.
pub fn decimal(thousandths: i64) -> String {
    let text = text(thousandths, "KWD");
    let short = text.trim_end_matches('0');
    if short.ends_with('.') {
        format!("{short}0")
    } else {
        short.to_owned()
    }
}
