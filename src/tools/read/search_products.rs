//! `search_products`: finds products by words.

use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    identity::Shopper,
    language::TextKey,
    store::catalogue::{self, ProductSummary},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

/// The most products that one answer lists, so that it fits into a prompt.
const MAX_RESULTS: u32 = 20;

pub struct SearchProducts;

#[derive(Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Words that the product's name or description must contain.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    query: String,
}

#[derive(Serialize)]
pub struct Answer {
    products: Vec<ProductSummary>,
}

impl ReadTool for SearchProducts {
    const CONTRACT: Contract = Contract::read(
        "search_products",
        "Finds products whose name or description holds all the given words.",
        "the catalogue",
        r#"{"query": "water bottle"}"#,
        TextKey("activity-search-products"),
    );
    const FOR_GUESTS: bool = true;
    type Arguments = Arguments;
    type Answer = Answer;

    async fn run(arguments: Arguments, _: &Shopper, tx: &mut Tx<Reader>) -> Result<Answer, ToolError> {
        Ok(Answer {
            products: catalogue::search(tx, &arguments.query, MAX_RESULTS).await?,
        })
    }
}
