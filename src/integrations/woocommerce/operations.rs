//! Changes at WooCommerce. Each may be asked for again: before anything else WooCommerce is asked whether it was done, by an order's status or
//! address, by a refund or note with our key, or by a code that exists.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    body::{id, name, order_of},
    rest::{self, Failure, PAGE},
};
use crate::{
    integrations::{
        json_fields::{list, text},
        platform::{Api, Operation, PlatformError, Request},
    },
    money::Money,
    store::{Address, changes::Discount},
};

/// Makes a change. Returns WooCommerce's id of what was made, or of the order.
pub(super) async fn perform(api: &Api<'_>, request: Request<'_>) -> Result<Option<String>, PlatformError> {
    let key = request.key;
    if let Operation::Coupon {
        code,
        discount,
        customer,
        expires_at,
    } = request.operation
    {
        let mut coupon = coupon(&code, &discount);
        coupon["date_expires_gmt"] = json!(expires_at.format("%Y-%m-%dT%H:%M:%S").to_string());
        if let Some(email) = email(api, customer.as_deref()).await? {
            coupon["email_restrictions"] = json!([email]);
        }
        return match rest::try_write(api, Method::POST, "coupons", &coupon).await? {
            Ok(made) => Ok(id(&made["id"])),
            // The code is ours alone: it was made by a call whose answer was lost.
            Err(Failure { code, .. }) if code == "woocommerce_rest_coupon_code_already_exists" => Ok(None),
            Err(failure) => Err(failure.into()),
        };
    }
    let order = order_of(request.order).ok_or_else(|| PlatformError::Refused("this is no order of it".into()))?;
    let path = format!("orders/{order}");
    let found = rest::find(api, &path).await?;
    let found = found.ok_or_else(|| PlatformError::Refused("the order is there no more".into()))?;
    match request.operation {
        Operation::Cancel => match found["status"].as_str().unwrap_or_default() {
            // A refund of the whole order has the status changed, before or after.
            "cancelled" | "refunded" | "failed" | "trash" => {}
            // Its goods were sent: WooCommerce would count them as back in stock.
            "completed" => return Err(PlatformError::Refused("the order is completed".into())),
            _ => {
                rest::write(api, Method::PUT, &path, &json!({ "status": "cancelled" })).await?;
            }
        },
        Operation::Address(address) => {
            let shipping = shipping(&address);
            // A change has WooCommerce compute the order's taxes again, so what is there already is left alone.
            let is_there = shipping
                .iter()
                .all(|(field, value)| found["shipping"][*field].as_str().unwrap_or_default().trim() == value.trim());
            if !is_there {
                let shipping: Value = shipping
                    .into_iter()
                    .map(|(field, value)| (field.to_owned(), json!(value)))
                    .collect();
                rest::write(api, Method::PUT, &path, &json!({ "shipping": shipping })).await?;
            }
        }
        Operation::Return { items, instead } => return note(api, &found, &path, key, (&items, &instead)).await,
        Operation::Refund { amount } => return refund(api, &path, key, &amount).await,
        Operation::Coupon { .. } => {}
    }
    Ok(Some(order.to_owned()))
}

fn shipping(address: &Address) -> [(&'static str, &str); 6] {
    [
        ("address_1", &address.address1),
        ("address_2", &address.address2),
        ("city", &address.city),
        ("state", &address.state),
        ("postcode", &address.zip),
        ("country", &address.country),
    ]
}

/// A coupon that can be used once. WooCommerce limits no percentage by an amount, but the cart that a coupon is for: up to that, the
/// percentage takes off no more than the limit.
fn coupon(code: &str, discount: &Discount) -> Value {
    let mut coupon = json!({ "code": code, "individual_use": true, "usage_limit": 1, "usage_limit_per_user": 1 });
    match discount {
        Discount::Percent { percent, at_most } => {
            let cart = at_most.minor.saturating_mul(100) / i64::from(*percent).max(1);
            coupon["discount_type"] = json!("percent");
            coupon["amount"] = json!(percent.to_string());
            coupon["maximum_amount"] = json!(Money::new(cart, at_most.currency).amount());
        }
        Discount::Amount { amount } => {
            coupon["discount_type"] = json!("fixed_cart");
            coupon["amount"] = json!(amount.amount());
        }
    }
    coupon
}

/// The address of a customer, to whose account or bill a coupon is bound. Whoever has none there, such as a guest, gets a coupon for whoever
/// knows its code.
async fn email(api: &Api<'_>, customer: Option<&str>) -> Result<Option<String>, PlatformError> {
    let is_id = |it: &&str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let Some(customer) = customer.filter(is_id) else {
        return Ok(None);
    };
    let found = rest::find(api, &format!("customers/{customer}")).await?;
    Ok(found.and_then(|found| text(&found["email"])))
}

/// Refunds an amount to what the order was paid with. A payment's gateway that cannot do that makes WooCommerce answer an error, and record
/// nothing.
async fn refund(api: &Api<'_>, order: &str, key: &str, amount: &str) -> Result<Option<String>, PlatformError> {
    let path = format!("{order}/refunds");
    let made = rest::get(api, &path, &[("per_page", PAGE.to_string())]).await?;
    let refunds = list(&made.body);
    if let Some(refund) = refunds.iter().find(|refund| refund["reason"] == key) {
        // WooCommerce records a refund, has the gateway pay it, and marks it then, or takes the record back. Without the mark the gateway
        // is still at it, or it ended in between: whether it paid, only people can find out.
        return match refund["refunded_payment"] == true {
            true => Ok(id(&refund["id"])),
            false => Err(PlatformError::busy(
                "the shop has the refund on record, but not whether it was paid",
            )),
        };
    }
    if made.total.is_some_and(|total| total > PAGE) || refunds.len() as u64 >= PAGE {
        return Err(PlatformError::Refused(
            "the order has too many refunds to look through".into(),
        ));
    }
    let input = json!({ "amount": amount, "reason": key, "api_refund": true });
    let made = rest::write(api, Method::POST, &path, &input).await?;
    match made["refunded_payment"] == false {
        true => Err(PlatformError::Refused(
            "it recorded the refund without paying it".into(),
        )),
        false => Ok(id(&made["id"])),
    }
}

/// Tells staff of a return or an exchange by a note on the order: WooCommerce has no returns.
async fn note(
    api: &Api<'_>,
    order: &Value,
    path: &str,
    key: &str,
    (items, instead): (&[String], &[String]),
) -> Result<Option<String>, PlatformError> {
    let path = format!("{path}/notes");
    let mark = format!("({key})");
    let made = rest::get(api, &path, &[]).await?;
    let ours = |note: &&Value| note["note"].as_str().is_some_and(|text| text.contains(&mark));
    if let Some(made) = list(&made.body).iter().find(ours) {
        return Ok(id(&made["id"]));
    }
    let mut text = format!("A return was agreed in the chat: {}", named(order, items));
    if !instead.is_empty() {
        text = format!(
            "An exchange was agreed in the chat: {} come back, {} are sent instead",
            named(order, items),
            named(order, instead)
        );
    }
    let body = json!({ "note": format!("{text}. {mark}"), "customer_note": false });
    let made = rest::write(api, Method::POST, &path, &body).await?;
    Ok(id(&made["id"]))
}

/// Units by their names on the order, or by the ids of products and variations that are not on it.
fn named(order: &Value, items: &[String]) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for item in items {
        match counted.iter_mut().find(|(known, _)| known == item) {
            Some((_, units)) => *units += 1,
            None => counted.push((item, 1)),
        }
    }
    let label = |item: &str| {
        let is_it =
            |line: &&Value| id(&line["variation_id"]).or_else(|| id(&line["product_id"])).as_deref() == Some(item);
        let line = list(&order["line_items"]).iter().find(is_it);
        let named = line.and_then(|line| name(&line["name"], 120));
        named.map_or_else(|| format!("#{item}"), |name| format!("{name} (#{item})"))
    };
    let parts: Vec<String> = counted
        .into_iter()
        .map(|(item, units)| format!("{units} × {}", label(item)))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_of_percents_takes_off_at_most_its_limit() {
        for (percent, limit, currency, cart) in [
            (10, 5000, "USD", "500.00"),
            (15, 5000, "EUR", "333.33"),
            (7, 5000, "JPY", "71428"),
            (20, 5000, "KWD", "25.000"),
        ] {
            let at_most = Money::new(limit, currency.parse().expect("a currency"));
            let coupon = coupon("CODE", &Discount::Percent { percent, at_most });
            assert_eq!(coupon["maximum_amount"], cart, "{coupon}");
            assert_eq!(coupon["amount"], percent.to_string());
        }
        let amount = Money::new(500, "USD".parse().expect("a currency"));
        let coupon = coupon("CODE", &Discount::Amount { amount });
        assert_eq!(
            (&coupon["amount"], &coupon["discount_type"]),
            (&json!("5.00"), &json!("fixed_cart"))
        );
        assert_eq!(coupon.get("maximum_amount"), None);
    }

    #[test]
    fn units_are_counted_and_named_as_on_the_order() {
        let order = json!({ "line_items": [{ "product_id": 7, "variation_id": 0, "name": "Tea" }, { "product_id": 8, "variation_id": 9, "name": "Mug" }] });
        let items = ["7", "9", "7", "12"].map(str::to_owned);
        assert_eq!(named(&order, &items), "2 × Tea (#7), 1 × Mug (#9), 1 × #12");
    }
}
