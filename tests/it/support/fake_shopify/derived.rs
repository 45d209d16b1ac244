//! Fields that follow from others: the sums and states of orders, what is left of lines, names and numbers.

use serde_json::{Value, json};

use super::{generated, money, world::number_of};

fn list<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object[name].as_array().into_iter().flatten()
}

/// The value of a field that the object does not have itself. `order` is the order that the object belongs to.
pub(super) fn field(ty: &str, object: &Value, order: &Value, name: &str) -> Option<Value> {
    let currency = order["currencyCode"].as_str().unwrap_or("USD");
    let amount = |thousandths: i64| Some(json!(money::text(thousandths, currency)));
    match (ty, name) {
        (_, "legacyResourceId") => Some(json!(number_of(object).to_string())),
        (_, "order") => Some(order["id"].clone()),
        (_, "processedAt") => Some(object["createdAt"].clone()),
        ("Order", name) => of_order(object, name),
        ("LineItem", name) => of_line(object, order, name),
        ("Fulfillment", "totalQuantity") => Some(json!(sum(list(object, "fulfillmentLineItems")))),
        ("Refund", "totalRefundedSet") => amount(refunded_by(order, object)),
        ("Return", "totalQuantity") => Some(json!(sum(list(object, "returnLineItems")))),
        ("Return", "refunds") => {
            let of = list(order, "refunds").filter(|refund| refund["return"] == object["id"]);
            Some(of.map(|refund| refund["id"].clone()).collect())
        }
        ("ReturnLineItem", "refundableQuantity" | "unprocessedQuantity" | "processableQuantity") => {
            Some(object["quantity"].clone())
        }
        ("ReturnLineItem", "refundedQuantity" | "processedQuantity") => Some(json!(0)),
        ("ReturnLineItem", "returnReasonNote") => Some(json!("")),
        ("ExchangeLineItem", "unprocessedQuantity" | "processableQuantity") => Some(object["quantity"].clone()),
        ("ExchangeLineItem", "processedQuantity") => Some(json!(0)),
        ("OrderTransaction", "formattedGateway") => Some(object["gateway"].clone()),
        ("OrderTransaction", "test") => Some(json!(true)),
        ("Customer", "displayName") => {
            let parts = [&object["firstName"], &object["lastName"]].map(|part| part.as_str().unwrap_or_default());
            Some(json!(parts.join(" ").trim()))
        }
        ("Customer", "defaultEmailAddress") => Some(given(&object["email"], |email| json!({ "emailAddress": email }))),
        ("Customer", "defaultPhoneNumber") => Some(given(&object["phone"], |phone| json!({ "phoneNumber": phone }))),
        ("Product", "totalInventory") => Some(json!(
            list(object, "variants")
                .filter_map(|variant| variant["inventoryQuantity"].as_i64())
                .sum::<i64>()
        )),
        ("ProductVariant", "sellableOnlineQuantity") => Some(object["inventoryQuantity"].clone()),
        ("ProductVariant", "availableForSale") => Some(json!(
            object["inventoryPolicy"] == "CONTINUE" || object["inventoryQuantity"].as_i64() > Some(0)
        )),
        ("ProductVariant", "inventoryItem") => Some(inventory_item(object)),
        _ => None,
    }
}

fn given(value: &Value, make: impl FnOnce(&Value) -> Value) -> Value {
    if value.is_null() { Value::Null } else { make(value) }
}

fn sum<'a>(lines: impl Iterator<Item = &'a Value>) -> i64 {
    lines.filter_map(|line| line["quantity"].as_i64()).sum()
}

fn inventory_item(variant: &Value) -> Value {
    let id = number_of(variant);
    let (created, updated) = (&variant["createdAt"], &variant["updatedAt"]);
    let location =
        json!({ "id": "gid://shopify/Location/1", "legacyResourceId": "1", "name": "Warehouse", "isActive": true });
    let quantities = ["available", "on_hand"].map(|name| {
        json!({ "id": format!("gid://shopify/InventoryQuantity/{id}?name={name}"), "name": name, "quantity": variant["inventoryQuantity"], "updatedAt": updated })
    });
    json!({ "id": format!("gid://shopify/InventoryItem/{id}"), "sku": variant["sku"], "tracked": true, "requiresShipping": true, "createdAt": created,
        "updatedAt": updated, "variant": variant["id"], "inventoryLevels": [{ "id": format!("gid://shopify/InventoryLevel/1?inventory_item_id={id}"),
            "quantities": quantities, "location": location, "createdAt": created, "updatedAt": updated }] })
}

/// What was paid with transactions of these kinds that succeeded.
pub(super) fn paid(order: &Value, kinds: &[&str]) -> i64 {
    let of = list(order, "transactions").filter(|payment| payment["status"] == "SUCCESS");
    let of = of.filter(|payment| kinds.iter().any(|kind| payment["kind"] == *kind));
    of.map(|payment| money::of(&payment["amountSet"])).sum()
}

pub(super) const RECEIVED: [&str; 2] = ["SALE", "CAPTURE"];

fn refunded_by(order: &Value, refund: &Value) -> i64 {
    let of =
        list(refund, "transactions").filter_map(|id| list(order, "transactions").find(|payment| payment["id"] == *id));
    of.filter(|payment| payment["status"] == "SUCCESS")
        .map(|payment| money::of(&payment["amountSet"]))
        .sum()
}

/// How many of a line were refunded.
fn refunded_quantity(order: &Value, line: &Value) -> i64 {
    let lines = list(order, "refunds").flat_map(|refund| list(refund, "refundLineItems"));
    sum(lines.filter(|refunded| refunded["lineItem"] == line["id"]))
}

pub(super) fn left_of(order: &Value, line: &Value) -> i64 {
    line["quantity"].as_i64().unwrap_or_default() - refunded_quantity(order, line)
}

/// How many of a line are in parcels.
fn fulfilled_quantity(order: &Value, line: &Value) -> i64 {
    let parcels = list(order, "fulfillments").filter(|parcel| parcel["status"] != "CANCELLED");
    sum(parcels
        .flat_map(|parcel| list(parcel, "fulfillmentLineItems"))
        .filter(|part| part["lineItem"] == line["id"]))
}

fn of_order(order: &Value, name: &str) -> Option<Value> {
    let currency = order["currencyCode"].as_str().expect("a currency");
    let amount = |thousandths: i64| Some(json!(money::text(thousandths, currency)));
    let (received, refunded) = (paid(order, &RECEIVED), paid(order, &["REFUND"]));
    let total = money::of(&order["totalPriceSet"]);
    let current = total - refunded;
    match name {
        "displayFinancialStatus" => Some(json!(match (received, refunded) {
            (0, _) if paid(order, &["AUTHORIZATION"]) > 0 => "AUTHORIZED",
            (0, _) if !order["cancelledAt"].is_null() => "VOIDED",
            (0, _) if total > 0 => "PENDING",
            (received, refunded) if refunded > 0 && refunded >= received => "REFUNDED",
            (_, refunded) if refunded > 0 => "PARTIALLY_REFUNDED",
            (received, _) if received < total => "PARTIALLY_PAID",
            _ => "PAID",
        })),
        "displayFulfillmentStatus" => {
            let all = sum(list(order, "lineItems"));
            let sent: i64 = list(order, "lineItems")
                .map(|line| fulfilled_quantity(order, line))
                .sum();
            Some(json!(match sent {
                0 => "UNFULFILLED",
                sent if sent >= all => "FULFILLED",
                _ => "PARTIALLY_FULFILLED",
            }))
        }
        "returnStatus" => Some(json!(
            match list(order, "returns").last().and_then(|last| last["status"].as_str()) {
                None => "NO_RETURN",
                Some("REQUESTED") => "RETURN_REQUESTED",
                Some("OPEN") => "IN_PROGRESS",
                Some(_) => "RETURNED",
            }
        )),
        "subtotalPriceSet" | "currentSubtotalPriceSet" => {
            let lines = list(order, "lineItems");
            let lines = lines
                .map(|line| money::of(&line["originalUnitPriceSet"]) * line["quantity"].as_i64().unwrap_or_default());
            amount(lines.sum::<i64>() - money::of(&order["totalDiscountsSet"]))
        }
        "originalTotalPriceSet" => amount(total),
        "currentTotalPriceSet" => amount(current),
        "currentTotalDiscountsSet" => Some(order["totalDiscountsSet"].clone()),
        "currentTotalTaxSet" => Some(order["totalTaxSet"].clone()),
        "currentShippingPriceSet" => Some(order["totalShippingPriceSet"].clone()),
        "totalReceivedSet" => amount(received),
        "totalRefundedSet" => amount(refunded),
        "totalRefundedShippingSet" => amount(0),
        "netPaymentSet" => amount(received - refunded),
        "totalOutstandingSet" => amount((total - received).max(0)),
        "closed" => Some(json!(!order["closedAt"].is_null())),
        "refundable" => Some(json!(received > refunded)),
        "paymentGatewayNames" => {
            let mut names: Vec<&Value> = list(order, "transactions").map(|payment| &payment["gateway"]).collect();
            names.dedup();
            Some(json!(names))
        }
        _ => None,
    }
}

fn of_line(line: &Value, order: &Value, name: &str) -> Option<Value> {
    let currency = order["currencyCode"].as_str().unwrap_or("USD");
    let amount = |thousandths: i64| Some(json!(money::text(thousandths, currency)));
    let quantity = line["quantity"].as_i64().unwrap_or_default();
    let price = money::of(&line["originalUnitPriceSet"]);
    let discount: i64 = list(line, "discountAllocations")
        .map(|part| money::of(&part["allocatedAmountSet"]))
        .sum();
    match name {
        "name" => Some(json!(
            [&line["title"], &line["variantTitle"]]
                .map(|part| part.as_str().unwrap_or_default())
                .join(" - ")
                .trim_end_matches(" - ")
        )),
        "currentQuantity" | "refundableQuantity" => Some(json!(left_of(order, line))),
        "unfulfilledQuantity" => Some(json!((left_of(order, line) - fulfilled_quantity(order, line)).max(0))),
        "nonFulfillableQuantity" => Some(json!(fulfilled_quantity(order, line))),
        "discountedUnitPriceSet" => amount(price),
        "originalTotalSet" | "discountedTotalSet" => amount(price * quantity),
        "discountedUnitPriceAfterAllDiscountsSet" => amount(price - discount / quantity.max(1)),
        "totalDiscountSet" => amount(discount),
        _ => None,
    }
}

/// What `Order.suggestedRefund` answers.
pub(super) fn suggested_refund(order: &Value, arguments: &Value) -> Value {
    let currency = order["currencyCode"].as_str().expect("a currency");
    let text = |thousandths: i64| json!(money::text(thousandths, currency));
    let most = paid(order, &RECEIVED) - paid(order, &["REFUND"]);
    let everything = arguments["suggestFullRefund"] == true;
    let mut lines = Vec::new();
    let mut wanted = 0;
    for line in list(order, "lineItems") {
        let asked = list(arguments, "refundLineItems").find(|asked| asked["lineItemId"] == line["id"]);
        let quantity = match asked {
            Some(asked) => asked["quantity"].as_i64().expect("a quantity"),
            None if everything => left_of(order, line),
            None => continue,
        };
        let all = line["quantity"].as_i64().expect("a quantity").max(1);
        let discount: i64 = list(line, "discountAllocations")
            .map(|part| money::of(&part["allocatedAmountSet"]))
            .sum();
        let tax = match order["taxesIncluded"] == true {
            true => 0,
            false => {
                list(line, "taxLines")
                    .map(|part| money::of(&part["priceSet"]))
                    .sum::<i64>()
                    * quantity
                    / all
            }
        };
        let price = money::of(&line["originalUnitPriceSet"]) * quantity - discount * quantity / all;
        wanted += price + tax;
        lines.push(
            json!({ "lineItem": line["id"], "quantity": quantity, "restockType": "NO_RESTOCK", "restocked": false,
            "priceSet": line["originalUnitPriceSet"], "subtotalSet": text(price), "totalTaxSet": text(tax) }),
        );
    }
    let shipping = match &arguments["shippingAmount"] {
        Value::Null if everything || arguments["refundShipping"] == true => money::of(&order["totalShippingPriceSet"]),
        amount => money::of(amount),
    };
    let amount = (wanted + shipping).min(most);
    let mut left = amount;
    let payments = list(order, "transactions")
        .filter(|payment| payment["status"] == "SUCCESS" && RECEIVED.iter().any(|kind| payment["kind"] == *kind));
    let payments: Vec<Value> = payments
        .filter_map(|payment| {
            let back = list(order, "transactions").filter(|other| other["kind"] == "REFUND" && other["status"] == "SUCCESS" && other["parentTransaction"] == payment["id"]);
            let refundable = money::of(&payment["amountSet"]) - back.map(|other| money::of(&other["amountSet"])).sum::<i64>();
            let share = left.min(refundable);
            left -= share;
            (share > 0).then(|| {
                json!({ "amountSet": text(share), "maximumRefundableSet": text(refundable), "gateway": payment["gateway"],
                    "formattedGateway": payment["gateway"], "kind": "SUGGESTED_REFUND", "parentTransaction": payment["id"] })
            })
        })
        .collect();
    let zero = text(0);
    json!({ "amountSet": text(amount), "maximumRefundableSet": text(most), "subtotalSet": text(wanted), "discountedSubtotalSet": text(wanted),
        "totalTaxSet": zero, "suggestedTransactions": payments, "refundLineItems": lines,
        "shipping": { "amountSet": text(shipping), "maximumRefundableSet": order["totalShippingPriceSet"], "taxSet": zero } })
}

/// The parcel line and its order that an id means, for returns.
pub(super) fn parcel_line<'a>(order: &'a Value, id: &Value) -> Option<&'a Value> {
    let parcels = list(order, "fulfillments").filter(|parcel| parcel["status"] != "CANCELLED");
    parcels
        .flat_map(|parcel| list(parcel, "fulfillmentLineItems"))
        .find(|part| part["id"] == *id)
}

/// How many of a parcel's line are in returns already.
pub(super) fn returned_quantity(order: &Value, parcel_line: &Value) -> i64 {
    let returns =
        list(order, "returns").filter(|known| !matches!(known["status"].as_str(), Some("CANCELED" | "DECLINED")));
    sum(returns
        .flat_map(|known| list(known, "returnLineItems"))
        .filter(|part| part["fulfillmentLineItem"] == parcel_line["id"]))
}

pub(super) const PARTS: u64 = generated::PARTS;
