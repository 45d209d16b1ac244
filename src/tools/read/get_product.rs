//! `get_product`: a product and its variants.

use serde::Deserialize;
use validator::Validate;

use crate::{
    identity::Shopper,
    language::TextKey,
    store::catalogue::{self, Product},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

pub struct GetProduct;

#[derive(Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The product's id, from an order line or a search.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    product_id: String,
}

impl ReadTool for GetProduct {
    const CONTRACT: Contract = Contract::read(
        "get_product",
        "Looks up a product by its id: every variant with options, price and whether it can be ordered now.",
        "the catalogue",
        r#"{"product_id": "8310926033"}"#,
        TextKey("activity-get-product"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = Arguments;
    type Answer = Product;

    async fn run(arguments: Arguments, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Product, ToolError> {
        catalogue::product(tx, &arguments.product_id)
            .await?
            .ok_or(ToolError::NotFound("product"))
    }
}
