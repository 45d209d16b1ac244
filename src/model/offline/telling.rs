//! What a tool returned, in plain sentences.

use serde_json::Value;

use super::HELP;

pub fn tell(tool: &str, result: &Value) -> String {
    if let Some(error) = result.get("error") {
        return match error["code"].as_str() {
            Some("sign_in_first") => "For that I must know who you are. Please sign in first.".into(),
            Some("not_allowed") => format!(
                "That is not possible: {}.",
                text(error, "message").trim_end_matches('.')
            ),
            Some("not_found") => {
                "I could not find that under your account. Please check the number, and that you are signed in.".into()
            }
            _ => "I could not look that up just now. Please try again in a moment.".into(),
        };
    }
    let data = &result["data"];
    match tool {
        "get_order" => tell_order(data),
        "list_orders" => tell_orders(data),
        "get_refund_status" => tell_refund(data),
        "search_products" => tell_products(data),
        "get_profile" => tell_profile(data),
        "search_help" => tell_help(data),
        "return_items" => {
            "I have asked for the return. A person will decide, and you will hear of it here and by mail.".into()
        }
        "hand_off" => "I have called someone of our staff, who will answer you here.".into(),
        _ => HELP.into(),
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn money(value: &Value) -> String {
    format!("{} {}", text(value, "amount"), text(value, "currency"))
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn tell_order(order: &Value) -> String {
    let items: Vec<&str> = list(order, "lines").iter().map(|line| text(line, "name")).collect();
    let tracking: Vec<&str> = list(order, "shipments")
        .iter()
        .map(|parcel| text(parcel, "tracking_number"))
        .collect();
    let tracking = match tracking[..] {
        [] => "It has not been shipped yet.".to_owned(),
        [one] => format!("Its tracking number is {one}."),
        _ => format!("Its tracking numbers are {}.", tracking.join(", ")),
    };
    let status = text(order, "status").replace('_', " ");
    format!(
        "Order {} ({}) is {status}. {tracking} The total is {}.",
        text(order, "number"),
        items.join(", "),
        money(&order["total"])
    )
}

fn tell_orders(data: &Value) -> String {
    let orders: Vec<String> = list(data, "orders")
        .iter()
        .map(|order| {
            format!(
                "{} is {} ({})",
                text(order, "number"),
                text(order, "status").replace('_', " "),
                money(&order["total"])
            )
        })
        .collect();
    if orders.is_empty() {
        "You have no orders with us yet.".into()
    } else {
        format!("Your orders: {}.", orders.join("; "))
    }
}

fn tell_refund(data: &Value) -> String {
    let number = text(data, "order_number");
    if list(data, "refunds").is_empty() {
        return format!(
            "No refund has been made on order {number}; {} was paid.",
            money(&data["paid"])
        );
    }
    let to: Vec<String> = list(data, "refunds")
        .iter()
        .map(|refund| format!("{} to {}", money(&refund["amount"]), text(refund, "payment_method_id")))
        .collect();
    format!("On order {number} we refunded {}.", to.join(" and "))
}

fn tell_products(data: &Value) -> String {
    let products: Vec<String> = list(data, "products")
        .iter()
        .map(|product| match &product["price_from"] {
            Value::Null => format!("{} (sold out)", text(product, "name")),
            price => format!("{} (from {})", text(product, "name"), money(price)),
        })
        .collect();
    if products.is_empty() {
        "I found nothing like that in our shop.".into()
    } else {
        format!("I found: {}.", products.join(", "))
    }
}

/// The first article, with where it is from.
fn tell_help(data: &Value) -> String {
    match list(data, "articles").first() {
        Some(article) => format!(
            "{} (From our help page “{}”.)",
            text(article, "excerpt"),
            text(article, "title")
        ),
        None => HELP.into(),
    }
}

fn tell_profile(data: &Value) -> String {
    let methods: Vec<&str> = list(data, "payment_methods")
        .iter()
        .map(|method| text(method, "id"))
        .collect();
    let address = &data["address"];
    let address = match address {
        Value::Null => "no address".to_owned(),
        _ => format!(
            "{}, {} {}",
            text(address, "address1"),
            text(address, "city"),
            text(address, "zip")
        ),
    };
    let methods = if methods.is_empty() {
        "none".into()
    } else {
        methods.join(", ")
    };
    format!(
        "You are {} {} ({}), {address}. Payment methods: {methods}.",
        text(data, "first_name"),
        text(data, "last_name"),
        text(data, "email")
    )
}
