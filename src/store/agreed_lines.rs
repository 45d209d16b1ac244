//! Lines of an order that were agreed here and that the shop's platform does not have yet: nothing tells the platform. They stay until the
//! platform's own lines differ from those at the time of the agreement.

use sqlx::types::Json;

use super::orders::{self, Line, Order};
use crate::{
    ids::{OrderId, ShopperId},
    tenancy::{Executor, Tx},
};

/// Replaces the lines of an order by those that were agreed, and keeps the platform's to compare with. The total follows.
pub(super) async fn agree(
    tx: &mut Tx<Executor>,
    (shopper, order): (ShopperId, OrderId),
    from: &[Line],
    to: &[Line],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE orders SET replaced_lines = coalesce(replaced_lines, $3),
            totals = jsonb_set(totals, '{total}', to_jsonb(greatest(0, (totals ->> 'total')::bigint + $4)))
        WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id().as_uuid(),
        order.as_uuid(),
        Json(from) as _,
        cost(to) - cost(from)
    )
    .execute(&mut **tx)
    .await?;
    orders::replace_lines(tx, shopper, order, to).await
}

/// Whether lines were agreed on the order, and the platform tells the same ones now as then.
pub(super) fn still_stand(known: &Order, told: &[Line]) -> bool {
    let goods = |lines: &[Line]| {
        let mut goods: Vec<(String, i64, u32)> = lines
            .iter()
            .map(|line| (line.item_id.clone(), line.price.minor, line.quantity))
            .collect();
        goods.sort();
        goods
    };
    known
        .replaced_lines
        .as_deref()
        .is_some_and(|replaced| goods(replaced) == goods(told))
}

/// What lines cost together, in minor units.
pub(super) fn cost(lines: &[Line]) -> i64 {
    let of = |line: &Line| match line.total {
        Some(total) => total.minor,
        None => line.price.minor.saturating_mul(line.quantity.into()),
    };
    lines.iter().map(of).fold(0, i64::saturating_add)
}
