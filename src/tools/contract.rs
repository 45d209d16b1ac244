//! A tool's contract as data, shared by the model, policies, the console and the docs.

use serde::{Deserialize, Serialize};

use crate::language::TextKey;

/// The most severe effect that a call of a tool can have.
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
    /// The name by which the model calls it.
    pub name: &'static str,
    /// What the model is told about its purpose.
    pub summary: &'static str,
    /// What it reads or changes.
    pub target: &'static str,
    /// An example of valid arguments, as JSON.
    pub example: &'static str,
    pub effect: Effect,
    /// The conditions that are checked when it is proposed and again when it is executed.
    pub requires: &'static [&'static str],
    /// Whether the effect may be tried again after a failure whose outcome is unknown.
    pub may_retry: bool,
    /// Further effects of a call.
    pub side_effects: &'static [&'static str],
    /// What the shopper reads while it runs, by language.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({ "en": "Looking up your order…", "de": "Ich sehe nach Ihrer Bestellung…" }))]
    pub activity: TextKey,
}

impl Contract {
    /// The contract of a read tool: it changes nothing, requires nothing and may always be retried.
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
