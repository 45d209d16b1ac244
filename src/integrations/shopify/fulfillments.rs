//! Shopify's fulfilments: the parcels of an order, and what their carriers say.

use serde_json::Value;

use super::body::{id, order_reference};
use crate::{
    integrations::{
        event_source::Meaning,
        json_fields::{is_web_address, line, list, text, time},
    },
    store::orders::{Shipment, ShipmentStatus},
};

/// The parcels of an order that were not called off.
pub(super) fn shipments(fulfillments: &[Value]) -> Vec<Shipment> {
    fulfillments.iter().flat_map(parcels).take(100).collect()
}

/// Whether a fulfilment took place.
pub(super) fn is_live(fulfillment: &Value) -> bool {
    !matches!(fulfillment["status"].as_str(), Some("cancelled" | "error" | "failure"))
}

/// What the carrier says last of a fulfilment.
/// <https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillment> names the values of `shipment_status`.
pub(super) fn status(value: &Value) -> Option<ShipmentStatus> {
    Some(match value.as_str()? {
        "delivered" => ShipmentStatus::Delivered,
        "out_for_delivery" => ShipmentStatus::OutForDelivery,
        "in_transit" | "confirmed" | "label_printed" | "label_purchased" | "carrier_picked_up" => ShipmentStatus::Sent,
        "attempted_delivery" => ShipmentStatus::Attempted,
        "ready_for_pickup" => ShipmentStatus::ReadyForPickup,
        "delayed" => ShipmentStatus::Delayed,
        "failure" => ShipmentStatus::Failed,
        _ => return None,
    })
}

/// A fulfilment has one parcel for each of its tracking numbers, and one where it has none, because it has a status all the same. Which number
/// a unit went with is not told.
fn parcels(fulfillment: &Value) -> Vec<Shipment> {
    if !is_live(fulfillment) {
        return Vec::new();
    }
    let several = |all: &str, one: &str| -> Vec<&Value> {
        let all = list(&fulfillment[all]);
        match all.is_empty() {
            true => vec![&fulfillment[one]],
            false => all.iter().collect(),
        }
    };
    let numbers = several("tracking_numbers", "tracking_number");
    let urls = several("tracking_urls", "tracking_url");
    let items = list(&fulfillment["line_items"]);
    let item_ids: Vec<String> = items
        .iter()
        .filter_map(|item| id(&item["variant_id"]))
        .take(1000)
        .collect();
    let parcel = |at: usize, number: Option<String>| Shipment {
        carrier: line(&fulfillment["tracking_company"], 120),
        tracking_number: number,
        item_ids: item_ids.clone(),
        shipped_at: time(&fulfillment["created_at"]),
        url: urls.get(at).and_then(|url| text(url)).filter(|url| is_web_address(url)),
        status: status(&fulfillment["shipment_status"]),
        fulfillment: id(&fulfillment["id"]),
    };
    let numbered = numbers.iter().enumerate();
    let numbered: Vec<Shipment> = numbered
        .filter_map(|(at, number)| Some(parcel(at, Some(line(number, 120)?))))
        .collect();
    match numbered.is_empty() {
        true => vec![parcel(0, None)],
        false => numbered,
    }
}

pub(super) fn fulfillment(body: &Value) -> Meaning {
    let (Some(fulfillment), Some(order)) = (id(&body["id"]), id(&body["order_id"])) else {
        return Meaning::Unreadable("`id` or `order_id` is missing".into());
    };
    Meaning::Parcels {
        order: order_reference(&order),
        version: time(&body["updated_at"]).map_or(0, |at| at.timestamp_millis()),
        shipments: parcels(body),
        fulfillment,
    }
}

/// An event of a carrier: <https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillmentevent>.
pub(super) fn event(body: &Value) -> Meaning {
    let (Some(fulfillment), Some(order)) = (id(&body["fulfillment_id"]), id(&body["order_id"])) else {
        return Meaning::Unreadable("`fulfillment_id` or `order_id` is missing".into());
    };
    let Some(status) = status(&body["status"]) else {
        return Meaning::Unreadable("`status` is not one that is known".into());
    };
    let at = time(&body["happened_at"]).or_else(|| time(&body["created_at"]));
    Meaning::ParcelStatus {
        order: order_reference(&order),
        fulfillment,
        status,
        version: at.map_or(0, |at| at.timestamp_millis()),
    }
}
