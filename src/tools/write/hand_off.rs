//! `hand_off`: calls a person of the staff.

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::WriteTool;
use crate::{
    approvals::{
        Plan, PlanError,
        policy::{Mode, Policy},
    },
    ids::ShopperId,
    language::TextKey,
    store::changes::Change,
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct HandOff;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What the person needs to know.
    #[validate(length(min = 1, max = 1000), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    summary: String,
}

impl WriteTool for HandOff {
    const CONTRACT: Contract = Contract {
        name: "hand_off",
        summary: "Asks a person of the store's staff to take the conversation over.",
        target: "the conversation",
        example: r#"{"summary": "Wants to change a delivered order's invoice."}"#,
        effect: Effect::ChangesStore,
        requires: &[],
        may_retry: true,
        side_effects: &["a notice to staff"],
        activity: TextKey("activity-hand-off"),
    };
    const POLICY: Policy = Policy {
        automatic_per_day: Some(20),
        ..Policy::new(Mode::Automatic)
    };
    const FOR_GUESTS: bool = true;
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, _: ShopperId, _: &mut Tx<R>) -> Result<Plan, PlanError> {
        let changes = vec![Change::HandOff {
            summary: arguments.summary.clone(),
        }];
        let summary = TextKey("plan-hand-off").everywhere();
        Ok(Plan::new(summary, None, None, changes))
    }
}
