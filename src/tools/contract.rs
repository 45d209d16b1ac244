//! What a tool promises, as data: the model, the policy, the console and the docs all show this one.

use serde::{Deserialize, Serialize};

use crate::language::TextKey;

/// What the worst call of a tool can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Reads,
    ChangesStore,
    MovesMoney,
    External,
}

/// A tool's contract.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct Contract {
    /// What the model calls it by.
    pub name: &'static str,
    /// What the model is told it is for.
    pub summary: &'static str,
    /// What it looks at or changes.
    pub target: &'static str,
    /// Arguments that fit, as JSON.
    pub example: &'static str,
    pub effect: Effect,
    /// Checked when proposed and again when executed.
    pub requires: &'static [&'static str],
    /// Whether the effect may be tried again after a failure whose outcome is unknown.
    pub may_retry: bool,
    /// What else happens because of it.
    pub side_effects: &'static [&'static str],
    /// What the shopper reads while it runs, by language.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({ "en": "Looking up your order…", "de": "Ich sehe nach Ihrer Bestellung…" }))]
    pub activity: TextKey,
}

impl Contract {
    /// The contract of a read tool: it changes nothing, needs nothing and may always be retried.
    pub const fn read(
        name: &'static str,
        summary: &'static str,
        target: &'static str,
        example: &'static str,
        activity: TextKey,
    ) -> Self {
        Self {
            name,
            summary,
            target,
            example,
            effect: Effect::Reads,
            requires: &[],
            may_retry: true,
            side_effects: &[],
            activity,
        }
    }
}
