//! Read tools: they look things up. Each runs with the reader role in a READ ONLY transaction bound to one shopper.

pub mod check_stock;
pub mod get_order;
pub mod get_product;
pub mod get_profile;
pub mod get_refund_status;
pub mod list_orders;
pub mod search_help;
pub mod search_products;

use serde::Deserialize;
use validator::Validate;

/// The arguments of a tool that takes none.
#[derive(Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// The arguments of a tool about one order.
#[derive(Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderNumber {
    /// The order number as the shopper writes it, such as #W2611340.
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    pub order_number: String,
}
