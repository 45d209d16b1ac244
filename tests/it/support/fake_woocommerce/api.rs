//! What the fake store answers to each call.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    world::{Kind, World, read},
    writes,
};

pub(super) type Params = HashMap<String, String>;

pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
    /// How many objects a list has in all, and how many pages.
    pub pages: Option<(usize, usize)>,
}

pub(super) fn ok(status: u16, body: Value) -> Answer {
    Answer {
        status,
        body,
        pages: None,
    }
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    ok(
        status,
        json!({ "code": code, "message": message, "data": { "status": status } }),
    )
}

pub(super) fn invalid(name: &str, message: &str) -> Answer {
    let params = json!({ name: message });
    ok(
        400,
        json!({ "code": "rest_invalid_param", "message": format!("Invalid parameter(s): {name}"), "data": { "status": 400, "params": params } }),
    )
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn answer(world: &mut World, method: &str, path: &[&str], params: &Params, body: &Value) -> Answer {
    let id = path.get(1).and_then(|id| id.parse::<u64>().ok()).unwrap_or_default();
    match (method, path) {
        ("GET", ["orders"]) => list(world, Kind::Order, params),
        ("GET", ["customers"]) => list(world, Kind::Customer, params),
        ("GET", ["products"]) => list(world, Kind::Product, params),
        ("GET", ["orders", _]) => one(world, Kind::Order, id),
        ("GET", ["customers", _]) => one(world, Kind::Customer, id),
        ("GET", ["products", _]) => one(world, Kind::Product, id),
        ("GET", ["products", _, "variations"]) => match world.get(Kind::Product, id) {
            Some(product) => {
                let found = product["variations"].as_array().cloned().unwrap_or_default();
                page(
                    found.into_iter().map(|variation| world.answered(variation)).collect(),
                    params,
                )
            }
            None => not_found(Kind::Product),
        },
        ("PUT" | "POST", ["orders", _]) => writes::update(world, id, body),
        ("POST", ["orders", _, "refunds"]) => writes::refund(world, id, body),
        ("GET", ["orders", _, "refunds"]) => page(of_order(&world.books.refund_objects, id), params),
        ("POST", ["orders", _, "notes"]) => writes::note(world, id, body),
        ("GET", ["orders", _, "notes"]) => ok(200, json!(of_order(&world.books.note_objects, id))),
        ("POST", ["coupons"]) => writes::coupon(world, body),
        ("GET", ["coupons"]) => {
            let code = params.get("code");
            let found = world
                .books
                .coupons
                .iter()
                .filter(|coupon| code.is_none_or(|code| coupon["code"] == code.to_lowercase()));
            page(found.cloned().collect(), params)
        }
        ("POST", ["webhooks"]) => writes::subscribe(world, body),
        ("GET", ["webhooks"]) => {
            let found = world.books.webhooks.iter().cloned().map(writes::without_secret);
            page(found.collect(), params)
        }
        ("PUT" | "POST", ["webhooks", _]) => writes::change_subscription(world, id, body),
        ("DELETE", ["webhooks", _]) => writes::unsubscribe(world, id, params),
        ("GET", ["settings", "general"]) => {
            let setting = |id: &str, value: &str| json!({ "id": id, "label": id, "type": "select", "value": value, "group_id": "general" });
            ok(
                200,
                json!([
                    setting("woocommerce_currency", &world.currency),
                    setting("woocommerce_default_country", "DE:DE-BE")
                ]),
            )
        }
        ("GET", ["data", "currencies", "current"]) => ok(
            200,
            json!({ "code": world.currency, "name": world.currency, "symbol": "" }),
        ),
        ("GET", ["system_status"]) => ok(
            200,
            json!({ "environment": { "site_url": "https://store.example", "version": "10.2.1", "wp_version": "6.8.3" },
            "settings": { "api_enabled": false, "currency": world.currency, "number_of_decimals": 2 } }),
        ),
        _ => error(
            404,
            "rest_no_route",
            "No route was found matching the URL and request method.",
        ),
    }
}

pub(super) fn not_found(kind: Kind) -> Answer {
    match kind {
        Kind::Order => error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
        Kind::Product => error(404, "woocommerce_rest_product_invalid_id", "Invalid ID."),
        Kind::Customer => error(404, "woocommerce_rest_invalid_id", "Invalid resource ID."),
    }
}

pub(super) fn one(world: &World, kind: Kind, id: u64) -> Answer {
    world
        .get(kind, id)
        .map_or_else(|| not_found(kind), |object| ok(200, world.answered(object)))
}

fn of_order(objects: &[Value], order: u64) -> Vec<Value> {
    objects
        .iter()
        .filter(|object| object["order"] == order)
        .cloned()
        .collect()
}

/// How many objects come before the page, and how many it has. An offset counts in place of a page's number.
fn place(params: &Params) -> Result<(usize, usize), Answer> {
    let number = |name: &str, default: usize| {
        params
            .get(name)
            .map_or(Some(default), |text| text.parse().ok())
            .unwrap_or_default()
    };
    match (number("page", 1), number("per_page", 10)) {
        (0, _) => Err(invalid("page", "page must be greater than or equal to 1")),
        (_, length) if !(1..=100).contains(&length) => Err(invalid(
            "per_page",
            "per_page must be between 1 (inclusive) and 100 (inclusive)",
        )),
        (page, length) => Ok((number("offset", (page - 1) * length), length)),
    }
}

fn page(all: Vec<Value>, params: &Params) -> Answer {
    let (before, length) = match place(params) {
        Ok(place) => place,
        Err(answer) => return answer,
    };
    let pages = Some((all.len(), all.len().div_ceil(length)));
    let shown: Vec<Value> = all.into_iter().skip(before).take(length).collect();
    Answer {
        status: 200,
        body: json!(shown),
        pages,
    }
}

fn list(world: &World, kind: Kind, params: &Params) -> Answer {
    let (before, length) = match place(params) {
        Ok(place) => place,
        Err(answer) => return answer,
    };
    let mut found = world.times(kind);
    // As in the real API, customers have no such parameter. Times are the store's own unless the call says otherwise, and the bound is left out.
    if kind != Kind::Customer {
        let in_gmt = params
            .get("dates_are_gmt")
            .is_some_and(|value| matches!(value.as_str(), "true" | "1"));
        let shift = if in_gmt { chrono::Duration::zero() } else { world.offset };
        let bound = |name: &str| params.get(name).map(|text| read(&json!(text)) - shift);
        if let Some(after) = bound("modified_after") {
            found.retain(|(_, _, modified)| *modified > after);
        }
        if let Some(before) = bound("modified_before") {
            found.retain(|(_, _, modified)| *modified < before);
        }
        if let Some(after) = bound("after") {
            found.retain(|(_, created, _)| *created > after);
        }
    }
    let statuses: Vec<&str> = params
        .get("status")
        .map(|list| list.split(',').collect())
        .unwrap_or_default();
    let fields: Vec<(&str, &String)> = ["search", "email", "customer", "sku"]
        .into_iter()
        .filter_map(|name| Some((name, params.get(name)?)))
        .collect();
    if !fields.is_empty() || statuses.iter().any(|status| *status != "any") {
        found.retain(|(id, _, _)| {
            let object = world.get(kind, *id).expect("listed");
            let status_fits = statuses.is_empty()
                || statuses
                    .iter()
                    .any(|status| *status == "any" || object["status"] == *status);
            status_fits && fields.iter().all(|(name, value)| fits(kind, &object, name, value))
        });
    }
    match params.get("orderby").map_or("date", String::as_str) {
        "modified" => found.sort_by_key(|(id, _, modified)| (*modified, *id)),
        "id" | "include" => found.sort_by_key(|(id, _, _)| *id),
        _ => found.sort_by_key(|(id, created, _)| (*created, *id)),
    }
    if params.get("order").is_none_or(|order| order != "asc") {
        found.reverse();
    }
    let pages = Some((found.len(), found.len().div_ceil(length)));
    let shown = found.into_iter().skip(before).take(length);
    let shown: Vec<Value> = shown
        .map(|(id, _, _)| world.answered(world.get(kind, id).expect("listed")))
        .collect();
    Answer {
        status: 200,
        body: json!(shown),
        pages,
    }
}

fn fits(kind: Kind, object: &Value, name: &str, value: &str) -> bool {
    let value = value.to_lowercase();
    let has = |text: &Value| text.as_str().is_some_and(|text| text.to_lowercase().contains(&value));
    match (kind, name) {
        (Kind::Order, "search") => {
            object["id"].as_u64() == value.parse().ok()
                || [
                    &object["billing"]["email"],
                    &object["billing"]["last_name"],
                    &object["number"],
                ]
                .into_iter()
                .any(has)
        }
        (_, "search") => ["name", "email", "first_name", "last_name", "sku"]
            .iter()
            .any(|name| has(&object[name])),
        (Kind::Order, "customer") => object["customer_id"].as_u64() == value.parse().ok(),
        (Kind::Customer, "email") | (Kind::Product, "sku") => text(&object[name]).to_lowercase() == value,
        _ => true,
    }
}
