//! A store's data: orders, catalogue, shoppers' profiles. Each file is a type and the SQL that loads it.
//!
//! Law: these functions see only what their transaction is bound to. None takes a tenant or a shopper to choose whose data it reads.

mod about_person;
mod agreed_lines;
pub mod catalogue;
pub mod changes;
pub mod erasure;
mod forget_words;
pub mod from_export;
pub mod help;
mod mentions;
pub mod merge;
pub mod order_number;
pub mod orders;
pub mod parcels;
pub mod privacy;
pub mod profile;
pub mod record_state;
pub mod records;
mod renumber;
pub mod upsert;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use validator::Validate;

/// Option names and values of a variant: `{"color": "blue", "size": "M"}`.
pub type Options = BTreeMap<String, String>;

/// A postal address.
// No `Debug`: it holds private data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    pub address1: String,
    /// Flat or suite; may be empty.
    #[serde(default)]
    #[validate(length(max = 120), custom(function = crate::text::single_line))]
    pub address2: String,
    #[validate(length(min = 1, max = 80), custom(function = crate::text::single_line))]
    pub city: String,
    /// State, province or region; may be empty.
    #[serde(default)]
    #[validate(length(max = 80), custom(function = crate::text::single_line))]
    pub state: String,
    #[validate(length(min = 1, max = 20), custom(function = crate::text::single_line))]
    pub zip: String,
    #[validate(length(min = 1, max = 80), custom(function = crate::text::single_line))]
    pub country: String,
}

impl Address {
    /// Street, town and postal code: enough to tell two addresses apart.
    pub fn in_short(&self) -> String {
        format!("{}, {} {}", self.address1, self.city, self.zip)
    }
}

/// A payment method. `id` is the store's own reference; no card number is ever stored.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct PaymentMethod {
    pub id: String,
    /// `credit_card`, `paypal` or `gift_card`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
    /// The balance of a gift card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<crate::money::Money>,
}
