//! Events of the store's own system: `product.upserted`, `shopper.upserted`, `order.upserted` with a record of the import format as `data`,
//! and `stock.changed`. Each has a `version` that rises.

use serde::Deserialize;
use serde_json::Value;

use super::{credentials::Kind, event_source::Meaning, standard_webhooks::StandardWebhooks};
use crate::{store::records::Record, validation};

pub(super) const STORE_API: StandardWebhooks = StandardWebhooks {
    secrets: Kind::StoreWebhook,
    meaning,
};

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
    if !data.is_object() {
        return Meaning::Unreadable("`data` is no object".into());
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
