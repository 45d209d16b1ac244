//! Converts the tasks of the public retail data set to scripts. The state that each must end in is computed here from the data set's own
//! JSON and the rules of the tools. This test oracle shares no code with the service that it checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Decision, Script, ScriptedCall, ScriptedTurn};

#[derive(Deserialize)]
struct Task {
    id: String,
    user_id: String,
    #[serde(default)]
    instruction: String,
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Action {
    name: String,
    arguments: Value,
}

/// Converts the tasks in `text` to scripts for the data set in `folder`.
pub fn scripts(folder: &Path, text: &str) -> Result<Vec<Script>, serde_json::Error> {
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name))
            .map_err(serde_json::Error::io)
            .and_then(|text| serde_json::from_str::<Value>(&text))
    };
    let data = DataSet {
        orders: read("orders.json")?,
        users: read("users.json")?,
        products: read("products.json")?,
        touched: BTreeSet::new(),
    };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| script(&data, serde_json::from_str(line)?))
        .collect()
}

fn script(data: &DataSet, task: Task) -> Result<Script, serde_json::Error> {
    let mut after = data.clone();
    let mut turns = Vec::new();
    for action in task.actions {
        // The script approves every proposal. What the oracle refuses, the service must refuse by itself.
        let _ = after.act(&task.user_id, &action);
        if let Some(call) = call(&action) {
            let text = if turns.is_empty() && !task.instruction.is_empty() {
                task.instruction.chars().take(4000).collect()
            } else {
                "And this, please.".into()
            };
            turns.push(ScriptedTurn {
                text,
                calls: vec![call],
                decision: Decision::Approve,
            });
        }
    }
    Ok(Script {
        id: task.id,
        expected: serde_json::from_value(after.expected(&task.user_id))?,
        shopper: task.user_id,
        turns,
    })
}

fn pairs(arguments: &Value) -> Vec<(String, String)> {
    let list = |name: &str| {
        arguments[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    list("item_ids").into_iter().zip(list("new_item_ids")).collect()
}

fn address(arguments: &Value) -> Value {
    let field = |name: &str| arguments[name].clone();
    json!({ "address1": field("address1"), "address2": field("address2"), "city": field("city"), "state": field("state"), "zip": field("zip"), "country": field("country") })
}

/// Converts an action of the data set to a call of our tool.
fn call(action: &Action) -> Option<ScriptedCall> {
    let from = &action.arguments;
    let changes = || {
        pairs(from)
            .into_iter()
            .map(|(old, new)| json!({ "item_id": old, "new_item_id": new }))
            .collect::<Vec<_>>()
    };
    let (tool, arguments) = match action.name.as_str() {
        "cancel_pending_order" => (
            "cancel_order",
            json!({ "order_number": from["order_id"], "reason": from["reason"].as_str().unwrap_or_default().replace(' ', "_") }),
        ),
        "modify_pending_order_address" => (
            "change_order_address",
            json!({ "order_number": from["order_id"], "address": address(from) }),
        ),
        "modify_user_address" => ("change_profile_address", json!({ "address": address(from) })),
        "modify_pending_order_payment" => (
            "change_order_payment",
            json!({ "order_number": from["order_id"], "payment_method_id": from["payment_method_id"] }),
        ),
        "modify_pending_order_items" => (
            "change_order_items",
            json!({ "order_number": from["order_id"], "changes": changes(), "payment_method_id": from["payment_method_id"] }),
        ),
        "exchange_delivered_order_items" => (
            "exchange_items",
            json!({ "order_number": from["order_id"], "changes": changes(), "payment_method_id": from["payment_method_id"] }),
        ),
        "return_delivered_order_items" => (
            "return_items",
            json!({ "order_number": from["order_id"], "item_ids": from["item_ids"], "payment_method_id": from["payment_method_id"] }),
        ),
        "transfer_to_human_agents" => ("hand_off", json!({ "summary": from["summary"] })),
        // Look-ups change nothing, and some have no equivalent here.
        _ => return None,
    };
    Some(ScriptedCall {
        tool: tool.into(),
        arguments,
    })
}

/// The data set, with the changes of the actions so far.
#[derive(Clone)]
struct DataSet {
    orders: Value,
    users: Value,
    products: Value,
    touched: BTreeSet<String>,
}

fn cents(value: &Value) -> i64 {
    // The number is read from its decimal text, to avoid float arithmetic.
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    whole.parse::<i64>().unwrap_or_default() * 100 + format!("{fraction:0<2}")[..2].parse::<i64>().unwrap_or_default()
}

fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl DataSet {
    /// Applies an action. Returns `None`, and changes nothing, if a rule forbids it.
    fn act(&mut self, user: &str, action: &Action) -> Option<()> {
        let arguments = &action.arguments;
        if action.name == "modify_user_address" {
            self.users[user]["address"] = address(arguments);
            return Some(());
        }
        if action.name == "transfer_to_human_agents" {
            return Some(());
        }
        let id = arguments["order_id"].as_str()?.to_owned();
        let order = self.orders.get(&id)?.clone();
        let pending = (order["status"] == "pending").then_some(());
        let delivered = (order["status"] == "delivered").then_some(());
        if order["user_id"] != user {
            return None;
        }
        match action.name.as_str() {
            "cancel_pending_order" => {
                pending?;
                self.orders[&id]["status"] = json!("cancelled");
                for (method, paid) in net(&order) {
                    self.book(user, &id, "refund", paid, &method);
                }
            }
            "modify_pending_order_address" => {
                pending?;
                if order["address"] == address(arguments) {
                    return None;
                }
                self.orders[&id]["address"] = address(arguments);
            }
            "modify_pending_order_payment" => {
                pending?;
                let history = order["payment_history"].as_array()?;
                let new = arguments["payment_method_id"].as_str()?;
                let old = history[0]["payment_method_id"].as_str()?.to_owned();
                let amount = cents(&history[0]["amount"]);
                if history.len() != 1 || old == new || !self.covers(user, new, amount)? {
                    return None;
                }
                self.book(user, &id, "payment", amount, new);
                self.book(user, &id, "refund", amount, &old);
            }
            "modify_pending_order_items" => {
                pending?;
                let method = arguments["payment_method_id"].as_str()?.to_owned();
                let (items, difference) = self.swap_items(&order, arguments)?;
                if !self.covers(user, &method, difference)? {
                    return None;
                }
                self.orders[&id]["items"] = items;
                self.orders[&id]["status"] = json!("pending_items_modified");
                match difference {
                    0 => {}
                    1.. => self.book(user, &id, "payment", difference, &method),
                    _ => self.book(user, &id, "refund", -difference, &method),
                }
            }
            "exchange_delivered_order_items" => {
                delivered?;
                let method = arguments["payment_method_id"].as_str()?;
                let (_, difference) = self.swap_items(&order, arguments)?;
                if !self.covers(user, method, difference)? {
                    return None;
                }
                self.orders[&id]["status"] = json!("exchange_requested");
            }
            "return_delivered_order_items" => {
                delivered?;
                let method = arguments["payment_method_id"].as_str()?;
                self.users[user]["payment_methods"].get(method)?;
                let original = order["payment_history"]
                    .as_array()?
                    .iter()
                    .any(|payment| payment["payment_method_id"] == method);
                if !original && !method.starts_with("gift_card") {
                    return None;
                }
                let mut left: Vec<&str> = order["items"]
                    .as_array()?
                    .iter()
                    .filter_map(|item| item["item_id"].as_str())
                    .collect();
                for item in arguments["item_ids"].as_array()? {
                    let at = left.iter().position(|known| item == known)?;
                    left.remove(at);
                }
                self.orders[&id]["status"] = json!("return_requested");
            }
            _ => return None,
        }
        self.touched.insert(id);
        Some(())
    }

    fn covers(&self, user: &str, method: &str, amount: i64) -> Option<bool> {
        let method = self.users[user]["payment_methods"].get(method)?;
        Some(method["source"] != "gift_card" || cents(&method["balance"]) >= amount)
    }

    fn book(&mut self, user: &str, order: &str, kind: &str, amount: i64, method: &str) {
        let row = json!({ "transaction_type": kind, "amount": serde_json::from_str::<Value>(&decimal(amount)).unwrap_or_default(), "payment_method_id": method });
        if let Some(history) = self.orders[order]["payment_history"].as_array_mut() {
            history.push(row);
        }
        let card = &mut self.users[user]["payment_methods"][method];
        if card["source"] == "gift_card" {
            let balance = cents(&card["balance"]) + if kind == "payment" { -amount } else { amount };
            card["balance"] = serde_json::from_str(&decimal(balance)).unwrap_or_default();
        }
    }

    /// The order's items after a swap, and the price difference.
    fn swap_items(&self, order: &Value, arguments: &Value) -> Option<(Value, i64)> {
        let mut left = order["items"].as_array()?.clone();
        let (mut new_items, mut difference) = (Vec::new(), 0);
        for (old, new) in pairs(arguments) {
            let at = left.iter().position(|item| item["item_id"] == old)?;
            let item = left.remove(at);
            let variant = self.products[item["product_id"].as_str()?]["variants"].get(&new)?;
            if variant["available"] != true {
                return None;
            }
            difference += cents(&variant["price"]) - cents(&item["price"]);
            new_items.push(json!({ "item_id": new, "product_id": item["product_id"], "price": variant["price"] }));
        }
        left.extend(new_items);
        Some((Value::Array(left), difference))
    }

    fn expected(&self, user: &str) -> Value {
        let orders: BTreeMap<&str, Value> = self
            .touched
            .iter()
            .map(|id| (id.as_str(), expected_order(&self.orders[id.as_str()])))
            .collect();
        let methods = self.users[user]["payment_methods"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let balances: BTreeMap<String, String> = methods
            .into_iter()
            .filter(|(_, method)| method["source"] == "gift_card")
            .map(|(id, method)| (id, decimal(cents(&method["balance"]))))
            .collect();
        json!({ "orders": orders, "balances": balances, "address": self.users[user]["address"] })
    }
}

/// The amount paid minus the amount refunded, for each payment method, in the order of its first payment.
fn net(order: &Value) -> Vec<(String, i64)> {
    let mut sums: Vec<(String, i64)> = Vec::new();
    for payment in order["payment_history"].as_array().into_iter().flatten() {
        let method = payment["payment_method_id"].as_str().unwrap_or_default();
        let signed = if payment["transaction_type"] == "payment" {
            cents(&payment["amount"])
        } else {
            -cents(&payment["amount"])
        };
        match sums.iter_mut().find(|(known, _)| known == method) {
            Some((_, sum)) => *sum += signed,
            None => sums.push((method.to_owned(), signed)),
        }
    }
    sums.into_iter().filter(|(_, sum)| *sum > 0).collect()
}

fn expected_order(order: &Value) -> Value {
    let list = |name: &str| order[name].as_array().cloned().unwrap_or_default();
    json!({
        "status": order["status"],
        "address": order["address"],
        "items": list("items").iter().map(|item| json!([item["item_id"], decimal(cents(&item["price"]))])).collect::<Vec<_>>(),
        "payments": list("payment_history").iter().map(|payment| json!({ "kind": payment["transaction_type"],
            "amount": decimal(cents(&payment["amount"])), "payment_method": payment["payment_method_id"] })).collect::<Vec<_>>(),
    })
}
