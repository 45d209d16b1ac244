//! Stores the records of the import format.
//!
//! A record describes its thing completely: sent again it changes nothing, sent changed it replaces what was stored.

mod orders;
mod payments;
mod products;
mod shoppers;

pub use products::variant;
use validator::Validate;

use super::records::Record;
use crate::{
    ledger::LedgerError,
    money::{Currency, Money, MoneyError},
    tenancy::{Executor, Tenant, Tx},
    validation,
};

/// Why a record was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UpsertError {
    #[error("`{0}` {1}")]
    Field(String, String),
    #[error("`{0}`: {1}")]
    Money(&'static str, MoneyError),
    #[error("no shopper `{0}`; shoppers must come before their orders")]
    NoShopper(String),
    #[error("no payment method `{0}` of this shopper")]
    NoPaymentMethod(String),
    #[error("{0} belongs to another shopper")]
    Foreign(&'static str),
    #[error("the e-mail address belongs to another shopper")]
    EmailTaken,
    #[error("`payments`: one that was told before is missing; a correction is a new entry")]
    PaymentsChanged,
    #[error("`payments`: more would be refunded than was paid")]
    RefundedMoreThanPaid,
    #[error("the database refused it")]
    Database(#[from] sqlx::Error),
}

impl From<LedgerError> for UpsertError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotCovered | LedgerError::OwnOrder | LedgerError::NoSession => Self::RefundedMoreThanPaid,
            LedgerError::Database(error) => Self::Database(error),
        }
    }
}

/// Stores one record. Returns what of a platform's record could not be taken. After an error the caller rolls back, and nothing of it is kept.
pub async fn apply(tx: &mut Tx<Executor>, store: &Tenant, record: &Record) -> Result<Vec<String>, UpsertError> {
    match record {
        Record::Product(product) => products::store(tx, store, valid(product)?).await.map(|()| Vec::new()),
        Record::Shopper(shopper) => shoppers::store(tx, store, valid(shopper)?).await,
        Record::Order(order) => orders::store(tx, store, valid(order.as_ref())?).await,
    }
}

fn valid<T: Validate>(record: &T) -> Result<&T, UpsertError> {
    record.validate().map(|()| record).map_err(|errors| {
        let (field, reason) = validation::first(&errors);
        UpsertError::Field(field, reason)
    })
}

fn minor(field: &'static str, text: &str, currency: Currency) -> Result<i64, UpsertError> {
    let money = Money::parse(text, currency).map_err(|error| UpsertError::Money(field, error))?;
    if money.minor < 0 {
        Err(UpsertError::Field(field.into(), "must not be negative".into()))
    } else {
        Ok(money.minor)
    }
}
