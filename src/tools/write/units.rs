//! The units of an order that the shopper still has: those that came back are gone, whether the shop's platform took them off the order or not.

use std::collections::BTreeMap;

use crate::{
    approvals::PlanError,
    store::{
        changes::Swap,
        orders::{Line, Order},
    },
    tenancy::{Role, Tx},
};

pub(super) const UNDER_WAY: &str = "a return or exchange of this order is under way";

/// How many units of each item there are.
type Units = BTreeMap<String, u32>;

/// A return or exchange whose parcel came.
struct Ended {
    is_return: bool,
    /// The units of the order when it was asked for.
    ordered: Units,
    came_back: Units,
}

/// How many units of each line the shopper still has. Refuses while a return or exchange of the order is under way, whatever status the
/// shop's platform reports meanwhile.
pub(super) async fn units_left<R: Role>(tx: &mut Tx<R>, order: &Order) -> Result<Vec<u32>, PlanError> {
    let found = sqlx::query!(
        r#"SELECT kind, items, ordered, settled_at IS NULL AS "is_open!" FROM returns
        WHERE tenant_id = $2 AND order_id = $1 AND called_off_at IS NULL ORDER BY created_at, id"#,
        order.id.as_uuid(),
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    if found.iter().any(|row| row.is_open) {
        return Err(PlanError::rule(UNDER_WAY));
    }
    let unreadable = |error| PlanError::Database(sqlx::Error::Decode(Box::new(error)));
    let mut ended = Vec::new();
    for row in found {
        let is_return = row.kind == "return";
        let items: Vec<String> = match is_return {
            true => serde_json::from_value(row.items).map_err(unreadable)?,
            false => {
                let swaps: Vec<Swap> = serde_json::from_value(row.items).map_err(unreadable)?;
                // Where an item is replaced by another of the same, the order has as many as before.
                let swapped = swaps.into_iter().filter(|swap| swap.item_id != swap.new_item_id);
                swapped.map(|swap| swap.item_id).collect()
            }
        };
        ended.push(Ended {
            is_return,
            ordered: serde_json::from_value(row.ordered).map_err(unreadable)?,
            came_back: count(items.into_iter().map(|item| (item, 1))),
        });
    }
    Ok(left(&order.lines, &ended))
}

fn count(items: impl Iterator<Item = (String, u32)>) -> Units {
    let mut units = Units::new();
    for (item, quantity) in items {
        *units.entry(item).or_default() += quantity;
    }
    units
}

/// How many units of each line are left.
fn left(lines: &[Line], ended: &[Ended]) -> Vec<u32> {
    let ordered = count(lines.iter().map(|line| (line.item_id.clone(), line.quantity)));
    let mut left: Vec<u32> = lines.iter().map(|line| line.quantity).collect();
    for (item, quantity) in &ordered {
        for _ in 0..still_listed(item, *quantity, ended) {
            if let Some(at) = unit_of(lines, &left, item) {
                left[at] -= 1;
            }
        }
    }
    left
}

/// How many units of an item came back and are on the order all the same. Where the order has fewer of the item than before, the platform took
/// off what was exchanged or returned until then; exchanges come first, because a platform cannot leave their new items out.
fn still_listed(item: &str, ordered: u32, ended: &[Ended]) -> u32 {
    let of = |units: &Units| units.get(item).copied().unwrap_or(0);
    let (mut exchanged, mut returned) = (0, 0);
    for (at, this) in ended.iter().enumerate() {
        match this.is_return {
            true => returned += of(&this.came_back),
            false => exchanged += of(&this.came_back),
        }
        let next = ended.get(at + 1).map_or(ordered, |next| of(&next.ordered));
        let taken_off = of(&this.ordered).saturating_sub(next);
        let of_exchanges = taken_off.min(exchanged);
        exchanged -= of_exchanges;
        returned = returned.saturating_sub(taken_off - of_exchanges);
    }
    returned
}

/// The line from which a unit of an item can be taken.
pub(super) fn unit_of(lines: &[Line], left: &[u32], item: &str) -> Option<usize> {
    (0..left.len()).find(|&at| lines[at].item_id == item && left[at] > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(is_return: bool, ordered: u32, came_back: u32) -> Ended {
        let units = |quantity| Units::from([("mug".to_owned(), quantity)]);
        Ended {
            is_return,
            ordered: units(ordered),
            came_back: units(came_back),
        }
    }

    #[test]
    fn what_came_back_is_gone_whether_the_platform_took_it_off_or_not() {
        let (of_return, of_exchange) = (true, false);
        // Units on the order now, what came back before, units that are left.
        for (ordered, before, expected) in [
            (2, vec![], 2),
            // One of two came back.
            (2, vec![ended(of_return, 2, 1)], 1),
            (1, vec![ended(of_return, 2, 1)], 1),
            // Both came back one after the other; the platform took off none, the first, or both.
            (2, vec![ended(of_return, 2, 1), ended(of_return, 2, 1)], 0),
            (1, vec![ended(of_return, 2, 1), ended(of_return, 1, 1)], 0),
            (1, vec![ended(of_return, 2, 1), ended(of_return, 2, 1)], 0),
            (0, vec![ended(of_return, 2, 1), ended(of_return, 1, 1)], 0),
            // One was returned, one exchanged: what the platform took off first is the exchanged one.
            (3, vec![ended(of_return, 3, 1), ended(of_exchange, 3, 1)], 2),
            (2, vec![ended(of_return, 3, 1), ended(of_exchange, 3, 1)], 1),
            (1, vec![ended(of_return, 3, 1), ended(of_exchange, 3, 1)], 1),
            (1, vec![ended(of_return, 3, 1), ended(of_exchange, 2, 1)], 1),
            // The platform added some.
            (4, vec![ended(of_return, 2, 1)], 3),
        ] {
            let left = ordered - still_listed("mug", ordered, &before).min(ordered);
            assert_eq!(left, expected, "{ordered} on the order");
        }
        assert_eq!(still_listed("cup", 2, &[ended(of_return, 2, 1)]), 0, "another item");
    }
}
