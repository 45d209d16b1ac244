//! A plan: the exact effect of a write tool, as data.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{ids::OrderId, money::Money, store::changes::Change};

/// What would be done, down to the cent. Equal plans are equal effects. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// In plain words, for the decider and the shopper.
    #[schema(example = "Cancel order #1003 and refund 28.00 USD to gift-mia.")]
    pub summary: String,
    /// The order it is about, as it was when planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderRef>,
    /// The money at stake, which the limits of a policy count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    pub changes: Vec<Change>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderRef {
    pub id: OrderId,
    pub number: String,
    pub version: i64,
}

impl Plan {
    /// SHA-256 of the plan: what a decision is bound to.
    pub fn digest(&self) -> [u8; 32] {
        // Serialising a plan cannot fail: it holds strings, integers and lists of them.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

/// Why there is no plan. Told to the model in words it can act on.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("argument `{field}`: {reason}")]
    Argument { field: &'static str, reason: String },
    /// The store's rules do not allow it.
    #[error("{0}")]
    Rule(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl PlanError {
    pub fn rule(reason: impl Into<String>) -> Self {
        Self::Rule(reason.into())
    }
}
