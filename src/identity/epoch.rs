//! The epoch of a shopper's account: proofs rest on it.

use crate::{
    ids::ShopperId,
    tenancy::{Tx, Web},
};

/// Whether an account is unchanged since a proof of it was checked. It cannot change until the transaction ends. So a login does not
/// succeed with an old password that was changed while its hash was computed.
pub(super) async fn is_still(tx: &mut Tx<Web>, shopper: ShopperId, epoch: i32) -> Result<bool, sqlx::Error> {
    let now = sqlx::query_scalar!(
        "SELECT epoch FROM shoppers WHERE shopper_id = $1 FOR NO KEY UPDATE",
        shopper.as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(now == Some(epoch))
}
