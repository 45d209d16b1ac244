//! Refunds at the fake shop: by its API, and by its staff.

use serde_json::{Value, json};

use super::{
    books::{RefundOutcome, ShopRefund},
    derived, generated, money,
    mutations::{order_of, text, user_error},
    world::{World, find},
};

pub(super) fn refund(world: &mut World, input: &Value) -> Value {
    let Some(order) = order_of(world, &input["orderId"]) else {
        return json!({ "order": null, "refund": null, "userErrors": user_error(json!(["orderId"]), "Order does not exist") });
    };
    let refuse = |field: Value, message: &str| json!({ "order": order["id"], "refund": null, "userErrors": user_error(field, message) });
    let currency = text(&order["currencyCode"]);
    let none = Vec::new();
    let payments = input["transactions"].as_array().unwrap_or(&none);
    let lines = input["refundLineItems"].as_array().unwrap_or(&none);
    if payments.is_empty() && lines.is_empty() && input["shipping"].is_null() {
        return refuse(
            Value::Null,
            "Refund must have at least one line item, shipping, duty or transaction",
        );
    }
    let mut wanted = 0;
    for payment in payments {
        let kind = text(&payment["kind"]).to_lowercase();
        if kind != "refund" {
            return refuse(Value::Null, &format!("Kind {kind} is not a valid transaction"));
        }
        let parent = payment["parentId"]
            .as_str()
            .and_then(|parent| find(&order["transactions"], parent));
        let Some(parent) = parent.filter(|parent| {
            parent["status"] == "SUCCESS" && derived::RECEIVED.iter().any(|kind| parent["kind"] == *kind)
        }) else {
            return refuse(
                json!(["transactions"]),
                "Transactions require a parent_id associated with the order",
            );
        };
        let amount = money::of(&payment["amount"]);
        if amount <= 0 {
            return refuse(
                json!(["transactions", "0", "amount"]),
                "Amount must be greater than zero",
            );
        }
        if amount > money::of(&parent["amountSet"]) {
            return refuse(
                json!(["transactions"]),
                "Amount is greater than the parent transaction's",
            );
        }
        wanted += amount;
    }
    // As in the real shop, a refund that is pending counts.
    let back = order["transactions"].as_array().into_iter().flatten();
    let back = back.filter(|payment| {
        payment["kind"] == "REFUND" && matches!(payment["status"].as_str(), Some("SUCCESS" | "PENDING"))
    });
    let left =
        derived::paid(&order, &derived::RECEIVED) - back.map(|payment| money::of(&payment["amountSet"])).sum::<i64>();
    if wanted > left && input["allowOverRefunding"] != true {
        let [wanted, left] = [wanted, left].map(|amount| money::text(amount, &currency));
        return refuse(
            Value::Null,
            &format!("Refund amount ${wanted} is greater than net payment received ${left}"),
        );
    }
    for line in lines {
        let known = line["lineItemId"].as_str().and_then(|id| find(&order["lineItems"], id));
        let Some(known) = known else {
            return refuse(json!(["refundLineItems"]), "Line item does not exist");
        };
        if line["quantity"].as_i64() > Some(derived::left_of(&order, known)) {
            return refuse(
                json!(["refundLineItems", "0", "quantity"]),
                "Quantity cannot refund more items than were purchased",
            );
        }
    }
    let refund = book_refund(world, order["id"].as_str().expect("an id"), input);
    json!({ "order": order["id"], "refund": refund, "userErrors": [] })
}

/// Refunds without a question, and returns the refund's id.
pub(super) fn book_refund(world: &mut World, order: &str, input: &Value) -> String {
    let outcome = world.books.next_refunds.pop_front().unwrap_or(RefundOutcome::Succeeds);
    let status = match outcome {
        RefundOutcome::Succeeds => "SUCCESS",
        RefundOutcome::Pending => "PENDING",
        RefundOutcome::Fails => "FAILURE",
    };
    let mut known = world.node(order).expect("an order");
    let currency = text(&known["currencyCode"]);
    let number = world.new_id();
    let now = world.tick();
    let (mut sum, mut payments, mut made) = (
        0,
        known["transactions"].as_array().cloned().unwrap_or_default(),
        Vec::new(),
    );
    for (place, payment) in input["transactions"].as_array().into_iter().flatten().enumerate() {
        let amount = money::of(&payment["amount"]);
        sum += amount;
        let id = format!(
            "gid://shopify/OrderTransaction/{}",
            number * derived::PARTS + place as u64
        );
        let parent = find(&known["transactions"], payment["parentId"].as_str().expect("a parent")).expect("checked");
        payments.push(json!({ "id": id, "kind": "REFUND", "status": status, "gateway": parent["gateway"], "amountSet": money::text(amount, &currency),
            "createdAt": now, "processedAt": now, "parentTransaction": parent["id"], "test": true,
            "errorCode": (status == "FAILURE").then_some("GENERIC_ERROR") }));
        made.push(json!(id));
    }
    let note = text(&input["note"]);
    let mut refund = generated::refund_of(number, &note, &now, &made);
    let lines = input["refundLineItems"].as_array().into_iter().flatten().enumerate().map(|(place, line)| {
        let of = find(&known["lineItems"], line["lineItemId"].as_str().expect("an id")).expect("checked");
        let price = money::of(&of["originalUnitPriceSet"]) * line["quantity"].as_i64().expect("a quantity");
        json!({ "id": format!("gid://shopify/RefundLineItem/{}", number * derived::PARTS + place as u64), "lineItem": line["lineItemId"],
            "quantity": line["quantity"], "restockType": line["restockType"].as_str().unwrap_or("NO_RESTOCK"),
            "priceSet": of["originalUnitPriceSet"], "subtotalSet": money::text(price, &currency), "totalTaxSet": "0.00" })
    });
    refund["refundLineItems"] = lines.collect();
    if input["note"].is_null() {
        refund["note"] = Value::Null;
    }
    let id = text(&refund["id"]);
    let mut refunds = known["refunds"].take();
    refunds.as_array_mut().expect("a list").push(refund);
    world.edit(order, json!({ "transactions": payments, "refunds": refunds }));
    world.books.refunds.push(ShopRefund {
        id: id.clone(),
        order: order.to_owned(),
        amount: money::text(sum, &currency),
        note,
        status: status.into(),
        notify: input["notify"] == true,
    });
    id
}

impl World {
    /// The payments of a refund that is pending end with this status, `SUCCESS` or `FAILURE`.
    pub fn end_refund(&mut self, refund: &str, status: &str) {
        let booked = self
            .books
            .refunds
            .iter_mut()
            .find(|known| known.id == refund)
            .expect("a refund");
        booked.status = status.into();
        let order = booked.order.clone();
        let mut known = self.node(&order).expect("an order");
        let of = find(&known["refunds"], refund).expect("a refund")["transactions"].clone();
        let mut payments = known["transactions"].take();
        for payment in payments.as_array_mut().expect("a list") {
            if of.as_array().is_some_and(|of| of.contains(&payment["id"])) {
                payment["status"] = json!(status);
            }
        }
        self.edit(&order, json!({ "transactions": payments }));
    }

    /// Staff of the shop refund an amount of an order's first payment. Returns the refund's id.
    pub fn refund_by_staff(&mut self, order: &str, amount: &str, note: &str) -> String {
        let parent = self.node(order).expect("an order")["transactions"][0]["id"].clone();
        book_refund(
            self,
            order,
            &json!({ "note": note, "transactions": [{ "amount": amount, "parentId": parent }] }),
        )
    }
}
