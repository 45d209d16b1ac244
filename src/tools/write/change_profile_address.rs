//! `change_profile_address`: changes the shopper's default address.

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
    store::{Address, changes::Change, profile},
    tenancy::{Role, Tx},
    tools::{Contract, Effect},
};

pub struct ChangeProfileAddress;

#[derive(Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    #[validate(nested)]
    address: Address,
}

impl WriteTool for ChangeProfileAddress {
    const CONTRACT: Contract = Contract {
        name: "change_profile_address",
        summary: "Asks to change the shopper's default address. Orders keep theirs.",
        target: "the shopper's profile",
        example: r#"{"address": {"address1": "4 Quay Street", "address2": "", "city": "Portland", "state": "ME", "zip": "04101", "country": "USA"}}"#,
        effect: Effect::ChangesStore,
        requires: &[],
        may_retry: true,
        side_effects: &["a notice by mail"],
        activity: TextKey("activity-change-profile-address"),
    };
    const POLICY: Policy = Policy::new(Mode::Shopper);
    type Arguments = Arguments;

    async fn plan<R: Role>(arguments: &Arguments, shopper: ShopperId, tx: &mut Tx<R>) -> Result<Plan, PlanError> {
        let profile = profile::of(tx, shopper).await?.ok_or(PlanError::NotFound("profile"))?;
        let to = arguments.address.clone();
        if profile.address.as_ref() == Some(&to) {
            return Err(PlanError::rule("that is the address already"));
        }
        let summary = TextKey("plan-profile-address").everywhere_with(&[("address", to.in_short().into())]);
        let change = Change::ProfileAddress {
            from: profile.address,
            to,
        };
        Ok(Plan::new(summary, None, None, vec![change]))
    }
}
