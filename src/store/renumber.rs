//! Orders whose number a platform changed: a plug-in may give an order its number after the order was told.

use super::order_number;
use crate::tenancy::{Executor, Tx};

/// Gives the order with a platform's id the number that it has now, unless another order has that number.
pub(super) async fn order(tx: &mut Tx<Executor>, reference: &str, number: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE orders o SET number = $3, folded_number = $4, version = version + 1
        WHERE tenant_id = $1 AND reference = $2 AND bare_number <> ltrim($3, '#')
            AND NOT EXISTS (SELECT FROM orders other WHERE other.tenant_id = o.tenant_id AND other.bare_number = ltrim($3, '#'))",
        tx.tenant_id().as_uuid(),
        reference,
        number,
        order_number::fold(number)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
