//! Stores one record of an import completely or not at all, and says what that did.

use crate::{
    store::{
        from_export, record_state,
        records::Record,
        upsert::{self, UpsertError},
    },
    telemetry,
    tenancy::{Executor, Tenant, Tx},
};

/// Whose record it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The store's own: it is complete, and replaces what is stored.
    Store,
    /// A shop's export: what it does not tell stays.
    Export { has_ids: bool },
}

/// What became of a record.
pub(super) enum Outcome {
    New(Vec<String>),
    Changed(Vec<String>),
    /// What is stored equals it.
    Unchanged(Vec<String>),
    /// It is older or poorer than what is stored, and why.
    Skipped(&'static str),
    Rejected(String),
}

/// The error is the database's; one about the record is in the outcome.
pub(super) async fn apply(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    record: &mut Record,
    origin: Origin,
) -> Result<Outcome, sqlx::Error> {
    sqlx::query("SAVEPOINT line").execute(&mut **tx).await?;
    let outcome = attempt(tx, store, record, origin).await.unwrap_or_else(|error| {
        Outcome::Rejected(match &error {
            UpsertError::Database(cause) => format!("{error}: {}", telemetry::cause(cause)),
            _ => error.to_string(),
        })
    });
    if matches!(outcome, Outcome::Skipped(_) | Outcome::Rejected(_)) {
        sqlx::query("ROLLBACK TO SAVEPOINT line").execute(&mut **tx).await?;
    }
    sqlx::query("RELEASE SAVEPOINT line").execute(&mut **tx).await?;
    Ok(outcome)
}

async fn attempt(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    record: &mut Record,
    origin: Origin,
) -> Result<Outcome, UpsertError> {
    if let Origin::Export { has_ids } = origin
        && let Some(reason) = from_export::fit(tx, record, has_ids).await?
    {
        return Ok(Outcome::Skipped(reason));
    }
    let before = record_state::of(tx, record).await?;
    if let (Record::Shopper(shopper), Origin::Export { .. }) = (&mut *record, origin)
        && shopper.id.is_empty()
    {
        from_export::create_by_email(tx, shopper).await?;
    }
    let notes = upsert::apply(tx, store, record).await?;
    if origin != Origin::Store && from_export::is_told_by_events(tx, record).await? {
        return Ok(Outcome::Skipped(from_export::told_meanwhile()));
    }
    let after = record_state::of(tx, record).await?;
    Ok(match before {
        None => Outcome::New(notes),
        Some(_) if before == after => Outcome::Unchanged(notes),
        Some(_) => Outcome::Changed(notes),
    })
}
