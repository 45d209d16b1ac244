//! Changes at the store's system. The same key is the same change there, so each may be asked for again.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::call::call;
use crate::{
    integrations::{
        event_source::short,
        json_fields,
        platform::{self, Api, Operation, PlatformError, Request},
    },
    store::changes::Discount,
};

/// Makes a change. Returns the system's id of what was made. An answer that says neither that it was done nor that it was refused proves
/// nothing: the change is asked for again.
pub(super) async fn perform(api: &Api<'_>, request: Request<'_>) -> Result<Option<String>, PlatformError> {
    let answer = call(api, "changes", body(request)).await?;
    if !answer["refused"].is_null() {
        return Err(PlatformError::Refused(platform::short(&answer["refused"])));
    }
    match json_fields::text(&answer["reference"]).and_then(|reference| short(&reference)) {
        Some(reference) => Ok(Some(reference)),
        None => Err(PlatformError::Unreadable("it has neither `reference` nor `refused`")),
    }
}

fn body(request: Request<'_>) -> Value {
    let (key, order) = (request.key, request.order);
    match request.operation {
        Operation::Cancel => json!({ "key": key, "operation": "cancel", "order": order }),
        Operation::Address(address) => {
            json!({ "key": key, "operation": "set_address", "order": order, "address": address })
        }
        Operation::Return { items, instead } => {
            json!({ "key": key, "operation": "return", "order": order, "items": items, "instead": instead })
        }
        Operation::Refund { amount } => json!({ "key": key, "operation": "refund", "order": order, "amount": amount }),
        Operation::Coupon {
            code,
            discount,
            customer,
            expires_at,
        } => {
            json!({ "key": key, "operation": "coupon", "code": code, "discount": discount_of(&discount), "shopper": customer,
            "expires_at": expires_at.to_rfc3339_opts(SecondsFormat::Secs, true) })
        }
    }
}

fn discount_of(discount: &Discount) -> Value {
    match discount {
        Discount::Percent { percent, at_most } => json!({ "kind": "percent", "percent": percent,
            "at_most": at_most.amount(), "currency": at_most.currency.to_string() }),
        Discount::Amount { amount } => {
            json!({ "kind": "amount", "amount": amount.amount(), "currency": amount.currency.to_string() })
        }
    }
}
