//! Events of the store's own system: `product.upserted`, `shopper.upserted`, `order.upserted` with a record of the import format as `data`,
//! and `stock.changed`. Each has a `version` that rises.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{
    credentials::{Credential, Kind},
    event_source::{EventSource, Meaning, Name, standard_name},
    signatures,
};
use crate::{store::records::Record, validation};

pub(super) struct StoreApi;

impl EventSource for StoreApi {
    fn secrets(&self) -> Kind {
        Kind::StoreWebhook
    }

    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
        signatures::standard(secrets, headers, body, now)
    }

    fn name(&self, headers: &HeaderMap, _: &[u8], json: &Value) -> Option<Name> {
        standard_name(headers, json)
    }

    fn meaning(&self, topic: &str, body: &Value) -> Meaning {
        meaning(topic, body)
    }
}

#[derive(Deserialize)]
struct Envelope {
    version: i64,
    data: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stock {
    item_id: String,
    available: bool,
}

fn meaning(topic: &str, body: &Value) -> Meaning {
    let kind = match topic {
        "product.upserted" => "product",
        "shopper.upserted" => "shopper",
        "order.upserted" => "order",
        "stock.changed" => "stock",
        _ => return Meaning::Unknown,
    };
    let unreadable = |error: serde_json::Error| Meaning::Unreadable(validation::json_fault(&error));
    let Envelope { version, mut data } = match Envelope::deserialize(body) {
        Ok(envelope) => envelope,
        Err(error) => return unreadable(error),
    };
    if kind == "stock" {
        return match serde_json::from_value::<Stock>(data) {
            Ok(Stock { item_id, available }) => Meaning::Stock {
                item_id,
                available,
                version,
            },
            Err(error) => unreadable(error),
        };
    }
    data["type"] = kind.into();
    match serde_json::from_value::<Record>(data) {
        Ok(record) => {
            let id = match &record {
                Record::Product(product) => product.id.clone(),
                Record::Shopper(shopper) => shopper.id.clone(),
                Record::Order(order) => order.number.clone(),
            };
            Meaning::Records {
                kind,
                id,
                version,
                records: vec![record],
            }
        }
        Err(error) => unreadable(error),
    }
}
