//! `add_crm_note`: adds a note about this shopper to the store's own records.

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

pub struct AddCrmNote;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(length(min = 1, max = 1000), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    text: String,
}

impl WriteTool for AddCrmNote {
    const CONTRACT: Contract = Contract {
        name: "add_crm_note",
        summary: "Notes something about the shopper for the store's staff.",
        target: "the store's notes on the shopper",
        example: r#"{"text": "Prefers delivery after 5 pm."}"#,
        effect: Effect::External,
        requires: &[],
        may_retry: true,
        side_effects: &["a write to the store's CRM"],
        activity: TextKey("activity-add-crm-note"),
    };
    const POLICY: Policy = Policy {
        automatic_per_day: Some(20),
        ..Policy::new(Mode::Automatic)
    };
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, _: ShopperId, _: &mut Tx<R>) -> Result<Plan, PlanError> {
        let changes = vec![Change::CrmNote {
            text: arguments.text.clone(),
        }];
        let summary = TextKey("plan-add-crm-note").everywhere();
        Ok(Plan::new(summary, None, None, changes))
    }
}
