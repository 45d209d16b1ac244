//! `check_stock`: whether a variant can be ordered.

use serde::Deserialize;
use validator::Validate;

use crate::{
    identity::Shopper,
    language::TextKey,
    store::catalogue::{self, StockLevel},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

pub struct CheckStock;

#[derive(Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The variant's id, from an order line or a product.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    item_id: String,
}

impl ReadTool for CheckStock {
    const CONTRACT: Contract = Contract::read(
        "check_stock",
        "Tells whether one variant of a product can be ordered now, and its price.",
        "the stock of one variant",
        r#"{"item_id": "6469567736"}"#,
        TextKey("activity-check-stock"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = Arguments;
    type Answer = StockLevel;

    async fn run(arguments: Arguments, _: &Shopper, tx: &mut Tx<Reader>) -> Result<StockLevel, ToolError> {
        catalogue::stock(tx, &arguments.item_id)
            .await?
            .ok_or(ToolError::NotFound("item"))
    }
}
