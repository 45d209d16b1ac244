//! Objects as the fake shop makes them: what `add_…` starts from, and orders, customers and products that follow from a number alone.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{
    money,
    world::{Kind, SortKey, time},
};

/// Ids of parts (variants, lines, payments) are their object's times this, plus their place.
pub(super) const PARTS: u64 = 100;
const FIRST_ID: u64 = 1_000_000_000;
/// 2026-01-01T00:00:00Z. Generated order number n is of n minutes later.
const FIRST_TIME: i64 = 1_767_225_600;
const MOST_PRODUCTS: u64 = 200;

pub(super) fn id(index: u64) -> u64 {
    FIRST_ID + index
}

/// How many orders are generated, and the number in the first one's name.
#[derive(Clone, Copy, Default)]
pub(super) struct Generated {
    pub orders: u64,
    pub first_number: u64,
}

pub(super) fn count(kind: Kind, orders: u64) -> u64 {
    match kind {
        Kind::Order => orders,
        Kind::Customer => orders.div_ceil(4),
        Kind::Product | Kind::ProductVariant => orders.min(MOST_PRODUCTS),
    }
}

pub(super) fn time_of(id: u64) -> i64 {
    FIRST_TIME + 60 * (id - FIRST_ID) as i64
}

/// Where the generated objects begin whose key is at least this.
pub(super) fn place_of(key: SortKey, value: i64) -> u64 {
    let place = match key {
        SortKey::Id => value - FIRST_ID as i64,
        SortKey::Created | SortKey::Updated => (value - FIRST_TIME) / 60,
    };
    place.max(0) as u64
}

/// The few fields of a generated object that are searched for most.
pub(super) fn sketch(kind: Kind, id: u64, of: Generated) -> Value {
    let index = id - FIRST_ID;
    let owner = index / 4;
    match kind {
        Kind::Order => {
            json!({ "id": kind.gid(id), "name": format!("#{}", of.first_number + index), "email": email_of(owner), "customer": Kind::Customer.gid(FIRST_ID + owner) })
        }
        Kind::Customer => json!({ "id": kind.gid(id), "email": email_of(index) }),
        Kind::Product | Kind::ProductVariant => json!({ "id": kind.gid(id) }),
    }
}

fn email_of(index: u64) -> String {
    format!("customer{index}@shop.example")
}

pub(super) fn make(kind: Kind, id: u64, of: Generated, currency: &str) -> Option<Value> {
    let index = id
        .checked_sub(FIRST_ID)
        .filter(|index| *index < count(kind, of.orders))?;
    let now = time(DateTime::from_timestamp(time_of(id), 0).expect("a time"));
    Some(match kind {
        Kind::Order => order(index, of, currency, &now),
        Kind::Customer => customer_of(id, "Customer", &format!("Number {index}"), &email_of(index), &now),
        Kind::Product | Kind::ProductVariant => product(index, &now),
    })
}

fn price(product: u64) -> String {
    format!("{}.{:02}", 3 + product % 97, (product * 7) % 100)
}

fn product(index: u64, now: &str) -> Value {
    let title = format!("Product {index}");
    let mut product = product_of(id(index), &title, now);
    product["variants"] = json!([variant_of(id(index), 0, &title, &price(index), now)]);
    product
}

fn order(index: u64, of: Generated, currency: &str, now: &str) -> Value {
    let customer = make(Kind::Customer, id(index / 4), of, currency);
    let mut order = order_of(id(index), of.first_number + index, currency, customer.as_ref(), now);
    let lines = (0..1 + index % 3).map(|place| {
        let product = (index + place * 5) % count(Kind::Product, of.orders);
        let mut line = line_of(
            id(index),
            place,
            make(Kind::Product, id(product), of, currency)
                .map(|product| product["variants"][0].clone())
                .as_ref(),
        );
        line["quantity"] = json!(1 + (index + place) % 2);
        line
    });
    order["lineItems"] = lines.collect();
    complete_order(id(index), &mut order);
    if !index.is_multiple_of(3) {
        order["fulfillments"] = json!([fulfillment_of(id(index), 0, &order, now)]);
    }
    if index % 10 == 9 {
        let paid = order["transactions"][0].clone();
        let amount = money::text(money::of(&paid["amountSet"]) / 2, currency);
        let payment = json!({ "id": format!("gid://shopify/OrderTransaction/{}", id(index) * PARTS + 50), "kind": "REFUND", "status": "SUCCESS",
            "gateway": "bogus", "amountSet": amount, "createdAt": now, "processedAt": now, "parentTransaction": paid["id"], "test": true });
        order["refunds"] = json!([refund_of(id(index) * PARTS, "Generated", now, &[payment["id"].clone()])]);
        order["transactions"].as_array_mut().expect("a list").push(payment);
    }
    if index % 20 == 7 {
        order["cancelledAt"] = json!(now);
        order["cancelReason"] = json!("CUSTOMER");
    }
    order
}

pub(super) fn address_of(id: u64, first: &str, last: &str) -> Value {
    json!({ "id": format!("gid://shopify/MailingAddress/{id}?model_name=Address"), "address1": format!("{} Main Street", 1 + id % 400), "address2": null,
        "city": "Ottawa", "company": null, "province": "Ontario", "provinceCode": "ON", "zip": "K2P 0V6", "country": "Canada", "countryCodeV2": "CA",
        "firstName": first, "lastName": last, "name": format!("{first} {last}"), "phone": null })
}

pub(super) fn customer_of(id: u64, first: &str, last: &str, email: &str, now: &str) -> Value {
    json!({ "id": Kind::Customer.gid(id), "firstName": first, "lastName": last, "email": email, "phone": null,
        "defaultAddress": address_of(id, first, last), "createdAt": now, "updatedAt": now, "state": "DISABLED", "verifiedEmail": true,
        "locale": "en", "note": null, "tags": [] })
}

pub(super) fn product_of(id: u64, title: &str, now: &str) -> Value {
    json!({ "id": Kind::Product.gid(id), "title": title, "handle": title.to_lowercase().replace(' ', "-"), "description": format!("About {title}."),
        "descriptionHtml": format!("<p>About {title}.</p>"), "status": "ACTIVE", "productType": "Things", "vendor": "Countersign", "tags": [],
        "createdAt": now, "updatedAt": now, "publishedAt": now, "onlineStoreUrl": null, "isGiftCard": false, "tracksInventory": true })
}

pub(super) fn variant_of(product: u64, place: u64, title: &str, price: &str, now: &str) -> Value {
    let id = product * PARTS + place;
    json!({ "id": Kind::ProductVariant.gid(id), "title": "Default Title", "displayName": format!("{title} - Default Title"),
        "sku": format!("SKU-{id}"), "barcode": null, "price": price, "compareAtPrice": null, "position": place + 1, "inventoryQuantity": 10,
        "inventoryPolicy": "DENY", "taxable": true, "createdAt": now, "updatedAt": now,
        "selectedOptions": [{ "name": "Title", "value": "Default Title" }], "product": Kind::Product.gid(product) })
}

pub(super) fn line_of(order: u64, place: u64, variant: Option<&Value>) -> Value {
    let title = variant.and_then(|variant| {
        variant["displayName"]
            .as_str()?
            .rsplit_once(" - ")
            .map(|(title, _)| title.to_owned())
    });
    let field = |name: &str| variant.map_or(Value::Null, |variant| variant[name].clone());
    let variant_title = Some(field("title"))
        .filter(|title| title != "Default Title")
        .unwrap_or_default();
    let price = Some(field("price"))
        .filter(|price| !price.is_null())
        .unwrap_or_else(|| json!("10.00"));
    json!({ "id": format!("gid://shopify/LineItem/{}", order * PARTS + place), "title": title.unwrap_or_else(|| "Something".into()),
        "variantTitle": variant_title, "sku": field("sku"), "vendor": "Countersign", "quantity": 1, "originalUnitPriceSet": price,
        "discountAllocations": [], "taxLines": [], "variant": field("id"), "product": field("product"), "isGiftCard": false,
        "requiresShipping": true, "taxable": true, "restockable": true })
}

pub(super) fn order_of(id: u64, number: u64, currency: &str, customer: Option<&Value>, now: &str) -> Value {
    let field = |name: &str| customer.map_or(Value::Null, |customer| customer[name].clone());
    json!({ "id": Kind::Order.gid(id), "name": format!("#{number}"), "number": number, "email": field("email"), "phone": field("phone"),
        "createdAt": now, "processedAt": now, "updatedAt": now, "cancelledAt": null, "cancelReason": null, "closedAt": null, "confirmed": true,
        "test": false, "currencyCode": currency, "presentmentCurrencyCode": currency, "taxesIncluded": false, "totalDiscountsSet": "0.00",
        "totalTaxSet": "0.00", "totalShippingPriceSet": "0.00", "totalTipReceivedSet": "0.00", "originalTotalDutiesSet": null,
        "currentTotalDutiesSet": null, "customer": field("id"), "shippingAddress": field("defaultAddress"), "billingAddress": field("defaultAddress"),
        "lineItems": [], "fulfillments": [], "refunds": [], "returns": [], "tags": [], "note": null, "discountCodes": [], "customerLocale": "en" })
}

/// Fills in an order's sum and payment, where it has none.
pub(super) fn complete_order(id: u64, order: &mut Value) {
    let currency = order["currencyCode"].as_str().expect("a currency").to_owned();
    let lines = order["lineItems"].as_array().expect("lines").iter();
    let subtotal: i64 = lines
        .map(|line| money::of(&line["originalUnitPriceSet"]) * line["quantity"].as_i64().expect("a quantity"))
        .sum();
    if order["totalPriceSet"].is_null() {
        let tax = if order["taxesIncluded"] == true {
            0
        } else {
            money::of(&order["totalTaxSet"])
        };
        let extra = money::of(&order["totalShippingPriceSet"]) + money::of(&order["totalTipReceivedSet"]) + tax;
        order["totalPriceSet"] = json!(money::text(
            subtotal - money::of(&order["totalDiscountsSet"]) + extra,
            &currency
        ));
    }
    if order["transactions"].is_null() {
        let (amount, now) = (&order["totalPriceSet"], &order["createdAt"]);
        order["transactions"] = json!([{ "id": format!("gid://shopify/OrderTransaction/{}", id * PARTS), "kind": "SALE", "status": "SUCCESS",
            "gateway": "bogus", "amountSet": amount, "createdAt": now, "processedAt": now, "parentTransaction": null, "test": true }]);
    }
}

/// A parcel with all of an order's lines.
pub(super) fn fulfillment_of(order: u64, place: u64, of: &Value, now: &str) -> Value {
    let id = order * PARTS + place;
    let lines = of["lineItems"].as_array().expect("lines").iter().enumerate().map(|(place, line)| {
        json!({ "id": format!("gid://shopify/FulfillmentLineItem/{}", id * PARTS + place as u64), "lineItem": line["id"], "quantity": line["quantity"] })
    });
    let name = of["name"].as_str().expect("a name");
    json!({ "id": format!("gid://shopify/Fulfillment/{id}"), "name": format!("{name}-F{}", place + 1), "status": "SUCCESS", "displayStatus": "IN_TRANSIT",
        "createdAt": now, "updatedAt": now, "deliveredAt": null, "estimatedDeliveryAt": null, "inTransitAt": now, "order": of["id"],
        "trackingInfo": [{ "company": "UPS", "number": format!("1Z{id}"), "url": format!("https://www.ups.com/track?tracknum=1Z{id}") }],
        "fulfillmentLineItems": lines.collect::<Vec<_>>() })
}

pub(super) fn refund_of(id: u64, note: &str, now: &str, payments: &[Value]) -> Value {
    json!({ "id": format!("gid://shopify/Refund/{id}"), "note": note, "createdAt": now, "updatedAt": now, "refundLineItems": [],
        "transactions": payments, "return": null })
}
