//! Parcels of an order. WooCommerce itself knows none; these are the fields of the plug-ins Shipment Tracking, Advanced Shipment Tracking
//! (which has its fields) and TrackShip.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use super::body::{entries, meta, name, time};
use crate::{
    integrations::json_fields::{is_web_address, text},
    store::orders::{Shipment, ShipmentStatus},
};

/// The parcels that have a tracking number, `items` being the ids of the order's goods. Which of them is in which parcel is not told.
pub(super) fn shipments(order: &Value, items: &[String]) -> Vec<Shipment> {
    let statuses = [meta(order, "ts_shipment_status"), meta(order, "shipment_status")];
    let parcel = |(key, tracking): (String, &Value)| {
        let first = |fields: &[&str]| fields.iter().find_map(|field| name(&tracking[*field], 120));
        let link = [
            "custom_tracking_link",
            "tracking_link",
            "formatted_tracking_link",
            "ast_tracking_link",
        ];
        let status = statuses
            .iter()
            .flat_map(|all| entries(all))
            .find_map(|(at, said)| status(&said["status"]).filter(|_| at == key));
        Some(Shipment {
            carrier: first(&[
                "formatted_tracking_provider",
                "custom_tracking_provider",
                "tracking_provider",
            ]),
            tracking_number: Some(first(&["tracking_number"])?),
            item_ids: items.to_vec(),
            shipped_at: shipped_at(&tracking["date_shipped"]),
            url: link
                .iter()
                .find_map(|field| text(&tracking[*field]).filter(|url| is_web_address(url))),
            status,
            fulfillment: text(&tracking["tracking_id"]).map(|id| id.chars().take(100).collect()),
        })
    };
    let told = entries(meta(order, "_wc_shipment_tracking_items"));
    told.into_iter().filter_map(parcel).take(100).collect()
}

/// Seconds since 1970, as the plug-ins store it, or a date or time, as their APIs write it.
fn shipped_at(value: &Value) -> Option<DateTime<Utc>> {
    let text = text(value)?;
    if let Ok(seconds) = text.parse::<i64>() {
        return DateTime::from_timestamp(seconds, 0).filter(|_| seconds > 0);
    }
    let date = || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
    time(value).or_else(|| Some(date()?.and_time(NaiveTime::MIN).and_utc()))
}

/// What TrackShip says of a parcel.
fn status(value: &Value) -> Option<ShipmentStatus> {
    Some(match value.as_str()? {
        "delivered" => ShipmentStatus::Delivered,
        "out_for_delivery" => ShipmentStatus::OutForDelivery,
        "in_transit" | "pre_transit" | "shipped" => ShipmentStatus::Sent,
        "delivery_attempt" | "attempted_delivery" => ShipmentStatus::Attempted,
        "available_for_pickup" => ShipmentStatus::ReadyForPickup,
        "exception" | "on_hold" => ShipmentStatus::Delayed,
        "failure" | "return_to_sender" => ShipmentStatus::Failed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_day_of_shipping_is_read_as_the_plug_ins_write_it() {
        let expected = "2026-11-21T00:00:00Z".parse::<DateTime<Utc>>().ok();
        for given in [
            json!("1795219200"),
            json!(1_795_219_200),
            json!("2026-11-21"),
            json!("2026-11-21T00:00:00"),
        ] {
            assert_eq!(shipped_at(&given), expected, "{given}");
        }
        for odd in [json!("0"), json!("soon"), json!(null), json!("99999999999999")] {
            assert_eq!(shipped_at(&odd), None, "{odd}");
        }
    }
}
