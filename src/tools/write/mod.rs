//! Write tools: each only plans. From the rules and the current data it makes the exact changes, as data. The same plan is made when it is
//! proposed and again when it is executed.

pub mod add_crm_note;
pub mod cancel_order;
pub mod change_order_address;
pub mod change_order_items;
pub mod change_order_payment;
pub mod change_profile_address;
pub mod create_coupon;
pub mod exchange_items;
pub mod hand_off;
pub mod request_refund;
pub mod return_items;
mod units;
mod wording;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use validator::Validate;

use self::units::{UNDER_WAY, replacement_cost, unit_cost, unit_of, units_left};
use super::Contract;
use crate::{
    approvals::{Names, OrderRef, Plan, PlanError, policy::Policy, returns},
    ids::ShopperId,
    ledger,
    money::{Currency, Money},
    store::{
        PaymentMethod, catalogue,
        changes::{Change, Swap},
        orders::{self, Line, Order, OrderStatus, PaymentKind},
        profile,
    },
    tenancy::{Role, Tx},
};

/// A tool that proposes changes.
pub trait WriteTool: Send + Sync + 'static {
    const CONTRACT: Contract;
    /// The policy where the store has set none.
    const POLICY: Policy;
    /// Whether guests may use it.
    const FOR_GUESTS: bool = false;
    type Arguments: super::Arguments + Serialize + Sync;

    /// Plans the exact effect, or says why there is none. Deterministic, because the executor plans again and compares.
    fn plan<R: Role>(
        arguments: &Self::Arguments,
        shopper: ShopperId,
        tx: &mut Tx<R>,
    ) -> impl Future<Output = Result<Plan, PlanError>> + Send;
}

/// One unit of an ordered item, and the variant that replaces it.
#[derive(Clone, Serialize, Deserialize, Validate, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemChange {
    /// The ordered item.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    pub item_id: String,
    /// The variant that is wanted instead.
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line))]
    pub new_item_id: String,
}

/// An order. What is promised to returns and exchanges under way is set aside: it counts as left of no payment.
async fn order<R: Role>(tx: &mut Tx<R>, number: &str) -> Result<Order, PlanError> {
    let mut order = orders::by_number(tx, number)
        .await?
        .ok_or(PlanError::NotFound("order"))?;
    for (method, promised) in returns::promised(tx, order.id).await? {
        set_aside(&mut order, &method, promised);
    }
    Ok(order)
}

/// Sets aside what will be paid out to a method, as the ledger takes it: from that method's payments first, then from the others.
fn set_aside(order: &mut Order, method: &str, promised: i64) {
    let (own, others): (Vec<_>, Vec<_>) = order
        .payments
        .iter_mut()
        .partition(|payment| payment.payment_method_id == method);
    let mut rest = promised;
    for payment in own.into_iter().chain(others) {
        let part = rest.min(payment.left.minor);
        payment.left.minor -= part;
        rest -= part;
    }
    let before = order.promised.map_or(0, |before| before.minor);
    let set_aside = before + promised - rest;
    order.promised = (set_aside > 0).then(|| Money::new(set_aside, order.total.currency));
}

/// Refuses to move money that a return or exchange under way will pay out.
fn must_promise_nothing(order: &Order) -> Result<(), PlanError> {
    match order.promised {
        Some(_) => Err(PlanError::rule(UNDER_WAY)),
        None => Ok(()),
    }
}

/// Refuses to plan on an order in any other state.
fn must_be(order: &Order, status: OrderStatus, what: &str) -> Result<(), PlanError> {
    if order.status == status {
        Ok(())
    } else {
        Err(PlanError::rule(format!("only a {what} order can be changed this way")))
    }
}

/// Goods come back once they were sent. Not every carrier says that they arrived.
fn must_be_sent(order: &Order) -> Result<(), PlanError> {
    match order.status {
        OrderStatus::Delivered | OrderStatus::Shipped => Ok(()),
        _ => Err(PlanError::rule("only a delivered order can be changed this way")),
    }
}

/// The shopper's payment methods, by id.
async fn methods<R: Role>(tx: &mut Tx<R>, shopper: ShopperId) -> Result<BTreeMap<String, PaymentMethod>, PlanError> {
    let profile = profile::of(tx, shopper).await?.ok_or(PlanError::NotFound("profile"))?;
    Ok(profile
        .payment_methods
        .into_iter()
        .map(|method| (method.id.clone(), method))
        .collect())
}

/// What people call the shopper's payment methods and the goods in `lines`.
fn names<'a>(methods: &BTreeMap<String, PaymentMethod>, lines: impl IntoIterator<Item = &'a Line>) -> Names {
    Names::of(methods.values()).with_goods(lines)
}

fn method<'a>(methods: &'a BTreeMap<String, PaymentMethod>, id: &str) -> Result<&'a PaymentMethod, PlanError> {
    methods.get(id).ok_or(PlanError::NotFound("payment method"))
}

/// A charge to a gift card must be covered by its balance, less what is set aside for changes of other orders.
async fn must_cover<R: Role>(
    tx: &mut Tx<R>,
    (order, shopper): (&Order, ShopperId),
    method: &PaymentMethod,
    charge: Money,
) -> Result<(), PlanError> {
    match ledger::gift_card_left(tx, shopper, &method.id, order.id).await? {
        Some(left) if left < charge.minor => Err(PlanError::rule(format!(
            "{} is left on the gift card, which does not cover {charge}",
            Money::new(left.max(0), charge.currency)
        ))),
        _ => Ok(()),
    }
}

/// Refuses where all payments for the order were refunded: its goods can no longer be changed, exchanged or returned.
fn must_be_paid(order: &Order) -> Result<(), PlanError> {
    let has_refund = order.payments.iter().any(|payment| payment.kind == PaymentKind::Refund);
    if has_refund && unrefunded(order).is_empty() {
        Err(PlanError::rule("everything that was paid for this order was refunded"))
    } else {
        Ok(())
    }
}

/// The money of a plan: its payments for the order, and their effect on gift cards.
struct Ledger<'a> {
    methods: &'a BTreeMap<String, PaymentMethod>,
    changes: Vec<Change>,
    balances: BTreeMap<String, (Money, Money)>,
}

impl<'a> Ledger<'a> {
    fn new(methods: &'a BTreeMap<String, PaymentMethod>) -> Self {
        Self {
            methods,
            changes: Vec::new(),
            balances: BTreeMap::new(),
        }
    }

    /// Books a positive amount that is taken from, or given back to, a payment method.
    fn book(&mut self, kind: PaymentKind, amount: Money, method: &str) -> Result<(), PlanError> {
        self.changes.push(Change::Payment {
            kind,
            amount,
            payment_method_id: method.to_owned(),
        });
        if let Some(before) = self.methods.get(method).and_then(|method| method.balance) {
            let signed = if kind == PaymentKind::Payment {
                -amount.minor
            } else {
                amount.minor
            };
            let (_, now) = self.balances.entry(method.to_owned()).or_insert((before, before));
            *now = now
                .checked_add(Money::new(signed, amount.currency))
                .map_err(|error| PlanError::rule(error.to_string()))?;
        }
        Ok(())
    }

    fn into_changes(self) -> Vec<Change> {
        let balances = self.balances.into_iter().filter(|(_, (from, to))| from != to);
        let balances = balances.map(|(payment_method_id, (from, to))| Change::Balance {
            payment_method_id,
            from,
            to,
        });
        self.changes.into_iter().chain(balances).collect()
    }
}

/// What was paid, can still be refunded and is not promised, for each method that has any, in the order of their first payment.
fn unrefunded(order: &Order) -> Vec<(String, Money)> {
    let mut left: Vec<(String, Money)> = Vec::new();
    for payment in order.payments.iter().filter(|payment| payment.left.minor > 0) {
        match left.iter_mut().find(|(method, _)| *method == payment.payment_method_id) {
            Some((_, sum)) => sum.minor += payment.left.minor,
            None => left.push((payment.payment_method_id.clone(), payment.left)),
        }
    }
    left
}

fn total(amounts: &[(String, Money)], currency: Currency) -> Money {
    Money::new(amounts.iter().map(|(_, amount)| amount.minor).sum(), currency)
}

/// The order's lines after swapping units one by one, the difference in price, and the value of the goods that come in.
async fn swap<R: Role>(
    tx: &mut Tx<R>,
    order: &Order,
    changes: &[ItemChange],
) -> Result<(Vec<Line>, Money, Money), PlanError> {
    let mut lines = order.lines.clone();
    // Only units that are there now can be swapped, not those that come in by a swap.
    let mut left = units_left(tx, order).await?;
    let mut difference = Money::new(0, order.total.currency);
    let mut goods = difference;
    for change in changes {
        let at = unit_of(&lines, &left, &change.item_id).ok_or(PlanError::NotFound("item in this order"))?;
        let new = catalogue::stock(tx, &change.new_item_id)
            .await?
            .ok_or(PlanError::NotFound("item"))?;
        if new.product_id != lines[at].product_id {
            return Err(PlanError::rule(
                "an item can only be exchanged for another variant of the same product",
            ));
        }
        if !new.available {
            return Err(PlanError::rule(format!("item {} is not available", new.item_id)));
        }
        let old = &mut lines[at];
        let cost = unit_cost(old, left[at]);
        let new_cost = replacement_cost(old, cost, new.price);
        difference = difference
            .checked_add(Money::new(new_cost.minor - cost.minor, new.price.currency))
            .map_err(|error| PlanError::rule(error.to_string()))?;
        old.quantity -= 1;
        let has_total = old.total.is_some();
        old.total = old
            .total
            .map(|total| Money::new(total.minor - cost.minor, total.currency));
        goods = goods
            .checked_add(new.price)
            .map_err(|error| PlanError::rule(error.to_string()))?;
        left[at] -= 1;
        let line = Line {
            item_id: new.item_id,
            product_id: new.product_id,
            name: new.name,
            options: new.options,
            price: new.price,
            quantity: 1,
            total: has_total.then_some(new_cost),
        };
        lines.push(line);
    }
    // Empty lines are removed, and equal lines merged.
    let mut merged: Vec<Line> = Vec::new();
    for line in lines.into_iter().filter(|line| line.quantity > 0) {
        let is_equal = |known: &&mut Line| {
            (&known.item_id, known.price, &known.options, known.total.is_some())
                == (&line.item_id, line.price, &line.options, line.total.is_some())
        };
        match merged.iter_mut().find(is_equal) {
            Some(known) => {
                known.quantity += line.quantity;
                let both = known.total.zip(line.total);
                known.total = both.map(|(known, line)| Money::new(known.minor + line.minor, known.currency));
            }
            None => merged.push(line),
        }
    }
    Ok((merged, difference, goods))
}

fn swaps(changes: &[ItemChange]) -> Vec<Swap> {
    changes
        .iter()
        .map(|change| Swap {
            item_id: change.item_id.clone(),
            new_item_id: change.new_item_id.clone(),
        })
        .collect()
}

/// Books a difference in price: a positive one is taken from the method, a negative one given back to it.
fn book_difference(ledger: &mut Ledger<'_>, difference: Money, method: &str) -> Result<(), PlanError> {
    let amount = Money::new(difference.minor.abs(), difference.currency);
    match difference.minor {
        0 => Ok(()),
        1.. => ledger.book(PaymentKind::Payment, amount, method),
        _ => ledger.book(PaymentKind::Refund, amount, method),
    }
}

fn order_ref(order: &Order) -> Option<OrderRef> {
    let refunds = order
        .payments
        .iter()
        .filter(|payment| payment.kind == PaymentKind::Refund);
    let refunded: i64 = refunds.map(|payment| payment.amount.minor).sum();
    Some(OrderRef {
        id: order.id,
        number: order.number.clone(),
        version: order.version,
        refunded: (refunded > 0).then(|| Money::new(refunded, order.total.currency)),
        promised: order.promised,
    })
}
