//! The epoch of an account: proofs rest on it.

use crate::{
    ids::{ShopperId, StaffId},
    tenancy::{Tx, Web},
};

/// An account that has an epoch.
#[derive(Clone, Copy)]
pub(super) enum Account {
    Shopper(ShopperId),
    Staff(StaffId),
}

/// Whether an account is unchanged since a proof of it was checked, and a member of staff is not disabled. It cannot change until the
/// transaction ends. So a login does not succeed with an old password that was changed while its hash was computed.
pub(super) async fn epoch_unchanged(tx: &mut Tx<Web>, account: Account, epoch: i32) -> Result<bool, sqlx::Error> {
    let now = match account {
        Account::Shopper(id) => {
            sqlx::query_scalar!(
                "SELECT epoch FROM shoppers WHERE shopper_id = $1 FOR NO KEY UPDATE",
                id.as_uuid()
            )
            .fetch_optional(&mut **tx)
            .await?
        }
        Account::Staff(id) => {
            sqlx::query_scalar!(
                "SELECT epoch FROM staff WHERE id = $1 AND disabled_at IS NULL FOR NO KEY UPDATE",
                id.as_uuid()
            )
            .fetch_optional(&mut **tx)
            .await?
        }
    };
    Ok(now == Some(epoch))
}
