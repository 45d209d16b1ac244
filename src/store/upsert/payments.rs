//! Compares the payments of a record with the ledger.

use uuid::Uuid;

use super::{UpsertError, minor};
use crate::{
    ids::MovementId,
    ledger::{Direction, Known, Provider},
    money::Currency,
    store::{
        orders::PaymentKind,
        records::{OrderRecord, PaymentRecord},
    },
};

pub(super) fn direction(kind: PaymentKind) -> Direction {
    match kind {
        PaymentKind::Payment => Direction::In,
        PaymentKind::Refund => Direction::Out,
    }
}

/// What is new in a record about an order's money.
pub(super) struct Reconciliation<'a> {
    /// New payments and refunds, with their amounts in minor units.
    pub(super) new: Vec<(&'a PaymentRecord, i64)>,
    /// Requests of ours that the store reports as carried out.
    pub(super) confirmed: Vec<Uuid>,
}

/// Compares the record's payments with the ledger. A refund of ours that the store's system carried out is in its records too and must not
/// count twice; one that the records do not show yet is kept. Where the records only say what has moved so far, a larger payment is one that
/// grew, and a smaller or missing one stays as it was told: what was paid does not become unpaid.
pub(super) fn reconcile<'a>(
    known: &[Known],
    order: &'a OrderRecord,
    currency: Currency,
) -> Result<Reconciliation<'a>, UpsertError> {
    let mut open: Vec<&Known> = known.iter().collect();
    let mut told = Reconciliation {
        new: Vec::new(),
        confirmed: Vec::new(),
    };
    for payment in &order.payments {
        let amount = minor("payments.amount", &payment.amount, currency)?;
        if order.from_platform && payment.kind == PaymentKind::Payment {
            let paid = known.iter().filter(|known| known.direction == Direction::In);
            let more = amount - paid.map(|known| known.amount_minor).sum::<i64>();
            if more > 0 {
                told.new.push((payment, more));
            }
            continue;
        }
        // A refund that the platform made for us names its movement, and may be told in the customer's currency.
        let is_named = |known: &Known| {
            let named = payment.movement.map(MovementId::as_uuid);
            named.is_some_and(|movement| known.movements.contains(&movement))
        };
        if known.iter().any(is_named) {
            open.retain(|known| !is_named(known));
            continue;
        }
        // A platform does not say which method money went to: the same sum in the same direction is the same movement.
        let is_same = |known: &&Known| {
            (known.direction, known.amount_minor) == (direction(payment.kind), amount)
                && (order.from_platform || known.payment_method == payment.payment_method)
        };
        let found = open.iter().position(is_same);
        match found.map(|at| open.remove(at)) {
            // Stripe itself reports the results of its movements.
            Some(known) if !known.confirmed && known.provider != Provider::Stripe => told.confirmed.push(known.request),
            Some(_) => {}
            None => told.new.push((payment, amount)),
        }
    }
    let is_missing = open.iter().any(|known| known.provider == Provider::Store);
    match is_missing && !order.from_platform {
        true => Err(UpsertError::PaymentsChanged),
        false => Ok(told),
    }
}
