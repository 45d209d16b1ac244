//! Processes the events of other systems: each is turned into records of the import format and stored like them.

use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use futures::FutureExt;

use super::{
    event_source::{Event, Meaning, Outcome},
    incoming_webhooks, vendors, webhook_delivery,
};
use crate::{
    keyring::Keyring,
    mail,
    store::{
        catalogue, erasure, merge, parcels, privacy,
        records::Record,
        upsert::{self, UpsertError},
    },
    telemetry,
    tenancy::{
        self, Executor, Pool, Scope, Tenant, Tx,
        audit::{self, Actor, Entry},
    },
};

/// How many events are claimed at once. Each is a savepoint; they are committed together.
const BATCH: i64 = 50;

/// Processes a tenant's events until none is due. Returns how many.
pub async fn process_due(
    pool: &Pool<Executor>,
    keyring: &Keyring,
    tenant: crate::ids::TenantId,
    now: impl Fn() -> DateTime<Utc> + Send + Sync,
) -> Result<usize, sqlx::Error> {
    let mut done = 0;
    loop {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        let events = incoming_webhooks::claim(&mut tx, BATCH, now()).await?;
        if events.is_empty() {
            return Ok(done);
        }
        let store = tenancy::current(&mut tx).await?;
        for event in &events {
            sqlx::query("SAVEPOINT event").execute(&mut *tx).await?;
            // An event that makes the code panic is put off like one that does not fit; the store's others go on.
            let applied = AssertUnwindSafe(apply(&mut tx, keyring, &store, event, now())).catch_unwind();
            let Ok(applied) = applied.await else {
                sqlx::query("ROLLBACK TO SAVEPOINT event").execute(&mut *tx).await?;
                let reason = "this server failed at it; the log says where".to_owned();
                incoming_webhooks::finish(&mut tx, event, Outcome::Later(reason), now()).await?;
                continue;
            };
            let outcome = match applied {
                Ok(outcome) => outcome,
                Err(UpsertError::Database(error)) if !is_about_the_event(&error) => return Err(error),
                Err(error) => Outcome::Later(describe(&error)),
            };
            let end = if matches!(outcome, Outcome::Done | Outcome::DoneWith(_)) {
                "RELEASE SAVEPOINT event"
            } else {
                "ROLLBACK TO SAVEPOINT event"
            };
            sqlx::query(end).execute(&mut *tx).await?;
            incoming_webhooks::finish(&mut tx, event, outcome, now()).await?;
        }
        tx.commit().await?;
        done += events.len();
    }
}

async fn apply(
    tx: &mut Tx<Executor>,
    keyring: &Keyring,
    store: &Tenant,
    event: &Event,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    match vendors::of(event.source).read(tx, store, event, now).await? {
        Meaning::Applied(outcome) => Ok(outcome),
        Meaning::Unknown => Ok(Outcome::Ignored("nothing here is about this topic")),
        Meaning::Unreadable(reason) => Ok(Outcome::Later(reason)),
        Meaning::Suppress { email, reason } => {
            mail::suppress(tx, keyring, &email, reason, now).await?;
            Ok(Outcome::Done)
        }
        Meaning::Privacy { shopper, erase } => privacy_request(tx, &shopper, erase, event, now).await,
        Meaning::Variant {
            product,
            variant,
            version,
        } => {
            if !incoming_webhooks::is_newer(tx, "product", &variant.id, version).await? {
                return Ok(Outcome::Ignored("older than what is known"));
            }
            let found = upsert::variant(tx, store, &product, &variant).await?;
            Ok(found_or_later(found, "no such product yet"))
        }
        Meaning::Stock {
            item_id,
            available,
            version,
        } => {
            if !incoming_webhooks::is_newer(tx, "stock", &item_id, version).await? {
                return Ok(Outcome::Ignored("older than what is known"));
            }
            match catalogue::set_available(tx, &item_id, available).await? {
                true => Ok(Outcome::Done),
                false => Ok(Outcome::Later("no such variant yet".into())),
            }
        }
        Meaning::Parcels {
            order,
            fulfillment,
            version,
            shipments,
        } => {
            if !incoming_webhooks::is_newer(tx, "fulfillment", &fulfillment, version).await? {
                return Ok(Outcome::Ignored("older than what is known"));
            }
            let found = parcels::replace(tx, &order, &fulfillment, &shipments).await?;
            Ok(found_or_later(found, "no such order yet"))
        }
        Meaning::ParcelStatus {
            order,
            fulfillment,
            status,
            version,
        } => {
            let event = format!("{fulfillment} event");
            if !incoming_webhooks::is_newer(tx, "fulfillment", &event, version).await? {
                return Ok(Outcome::Ignored("older than what is known"));
            }
            let found = parcels::set_status(tx, &order, &fulfillment, status).await?;
            Ok(found_or_later(found, "no such parcel yet"))
        }
        Meaning::Merge { kept, deleted } => Ok(taken(&merge::shoppers(tx, &kept, &deleted).await?)),
        Meaning::OrderDeleted { reference } => match parcels::order_deleted(tx, &reference).await? {
            true => Ok(Outcome::DoneWith(
                "the shop deleted the order; it is told as cancelled".into(),
            )),
            false => Ok(Outcome::Ignored("there is no such order")),
        },
        Meaning::ProductDeleted { product } => match catalogue::withdraw(tx, &product).await? {
            true => Ok(Outcome::Done),
            false => Ok(Outcome::Ignored("there is no such product")),
        },
        Meaning::Records {
            kind,
            id,
            version,
            records,
        } => {
            if !incoming_webhooks::is_newer(tx, kind, &id, version).await? {
                return Ok(Outcome::Ignored("older than what is known"));
            }
            Ok(taken(&store_records(tx, store, &records).await?))
        }
    }
}

/// Stores records. Returns what of them could not be taken.
pub(super) async fn store_records(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    records: &[Record],
) -> Result<Vec<String>, UpsertError> {
    let mut notes = Vec::new();
    for record in records {
        notes.extend(upsert::apply(tx, store, record).await?);
    }
    Ok(notes)
}

fn found_or_later(found: bool, reason: &str) -> Outcome {
    if found {
        Outcome::Done
    } else {
        Outcome::Later(reason.to_owned())
    }
}

fn taken(notes: &[String]) -> Outcome {
    match notes.is_empty() {
        true => Outcome::Done,
        false => Outcome::DoneWith(notes.join("; ")),
    }
}

/// Erases at once. A request for data is announced to the store, whose staff sends it (`countersign shopper export`).
async fn privacy_request(
    tx: &mut Tx<Executor>,
    shopper: &str,
    erase: bool,
    event: &Event,
    now: DateTime<Utc>,
) -> Result<Outcome, UpsertError> {
    let Some(id) = privacy::find(tx, shopper).await? else {
        return Ok(Outcome::Ignored("nobody is known by that id"));
    };
    if erase {
        erasure::erase(tx, id, &Actor::system(), now).await?;
        return Ok(Outcome::Done);
    }
    let data = serde_json::json!({ "shopper_id": id });
    webhook_delivery::announce(
        tx,
        "privacy.data_requested",
        &format!("privacy:{}", event.id),
        data,
        now,
    )
    .await?;
    audit::append(
        tx,
        Entry::new(&Actor::system(), "shopper.data_requested", ("shopper", id), now),
    )
    .await?;
    Ok(Outcome::Done)
}

/// Whether the error is the event's fault: constraints and values are, connections and grants are not.
fn is_about_the_event(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// Why a record cannot be stored; none where the fault is the database's, which another try may mend.
pub(super) fn fault_of_record(error: &UpsertError) -> Option<String> {
    match error {
        UpsertError::Database(cause) if !is_about_the_event(cause) => None,
        error => Some(describe(error)),
    }
}

fn describe(error: &UpsertError) -> String {
    match error {
        UpsertError::Database(cause) => telemetry::cause(cause),
        error => error.to_string(),
    }
}
