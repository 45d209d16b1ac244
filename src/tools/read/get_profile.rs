//! `get_profile`: the shopper's own name, address and payment methods.

use super::NoArguments;
use crate::{
    identity::Shopper,
    language::TextKey,
    store::profile::{self, Profile},
    tenancy::{Reader, Tx},
    tools::{Contract, ReadTool, ToolError},
};

pub struct GetProfile;

impl ReadTool for GetProfile {
    const CONTRACT: Contract = Contract::read(
        "get_profile",
        "Looks up the shopper's own name, e-mail address, default address and payment methods.",
        "the shopper's profile",
        "{}",
        TextKey("activity-get-profile"),
    );
    type Arguments = NoArguments;
    type Answer = Profile;

    async fn run(_: NoArguments, shopper: &Shopper, tx: &mut Tx<Reader>) -> Result<Profile, ToolError> {
        profile::of(tx, shopper.id())
            .await?
            .ok_or(ToolError::NotFound("profile"))
    }
}
