//! The units of an order that the shopper still has: those that came back are gone, whether the shop's platform took them off the order or not.

use std::collections::BTreeMap;

use crate::{
    approvals::PlanError,
    money::Money,
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

/// What the next of the `left` units of a line cost. The parts of all units add up to what the line cost, to the cent.
pub(super) fn unit_cost(line: &Line, left: u32) -> Money {
    let Some(total) = line.total else { return line.price };
    let gone = line.quantity.saturating_sub(left);
    let until = |units: u32| share(total.minor, units.into(), line.quantity.into());
    Money::new(until(gone + 1) - until(gone), total.currency)
}

/// What a unit costs that replaces one of a line at the list price `new`: with the discount and the tax of the line in proportion, so that a
/// unit of the same price is no difference.
pub(super) fn replacement_cost(line: &Line, old_cost: Money, new: Money) -> Money {
    match line.total {
        Some(_) if line.price.minor > 0 => Money::new(share(new.minor, old_cost.minor, line.price.minor), new.currency),
        _ => new,
    }
}

/// `part` of `whole` equal parts of an amount, without the fraction.
fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let share = i128::from(amount) * i128::from(part) / i128::from(whole.max(1));
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(price: i64, quantity: u32, total: Option<i64>) -> Line {
        let money = |minor| Money::new(minor, "USD".parse().expect("a currency"));
        Line {
            item_id: "mug".into(),
            product_id: "mug".into(),
            name: "Mug".into(),
            options: BTreeMap::new(),
            price: money(price),
            quantity,
            total: total.map(money),
        }
    }

    #[test]
    fn the_units_of_a_line_cost_together_what_it_cost() {
        for (line, expected) in [
            // Three of 20.00 with 10.00 off.
            (line(2000, 3, Some(5000)), vec![1666, 1667, 1667]),
            (line(2000, 3, Some(5001)), vec![1667; 3]),
            (line(2000, 2, Some(4321)), vec![2160, 2161]),
            (line(2000, 2, Some(1)), vec![0, 1]),
            (line(2000, 2, Some(0)), vec![0, 0]),
            (line(2000, 2, None), vec![2000, 2000]),
        ] {
            let left = (1..=line.quantity).rev();
            let costs: Vec<i64> = left.map(|left| unit_cost(&line, left).minor).collect();
            assert_eq!(costs, expected);
            assert_eq!(
                costs.iter().sum::<i64>(),
                line.total.map_or(4000, |total| total.minor),
                "no more and no less than the line"
            );
        }
    }

    #[test]
    fn a_replacement_has_the_discount_of_what_it_replaces() {
        // Half the price was paid: one of the same price costs nothing more, one of half the price gives half of it back.
        for (line, new, expected) in [
            (line(2000, 1, Some(1000)), 2000, 1000),
            (line(2000, 1, Some(1000)), 1000, 500),
            (line(2000, 1, Some(2140)), 3000, 3210),
            (line(2000, 1, None), 3000, 3000),
            (line(0, 1, Some(0)), 3000, 3000),
        ] {
            let new = Money::new(new, line.price.currency);
            let cost = replacement_cost(&line, unit_cost(&line, 1), new);
            assert_eq!(cost.minor, expected, "{new}");
        }
    }

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
