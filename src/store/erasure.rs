//! Erases everything about a shopper. Which money was moved is kept, but not whose it was.
//!
//! What runs for the shopper at the same time comes before the erasure or is refused: the erasure locks the rows that a turn, a decision
//! and an execution lock first, and then the shopper's, which every insert for the shopper shares (`refuse_erased` in the migrations).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    about_person::{Person, is_about},
    forget_words::{ERASED, forget_plans, forget_words},
    mentions::mentions,
};
use crate::{
    ids::{ProposalId, ShopperId},
    ledger,
    tenancy::{
        Executor, Tx,
        audit::{self, Actor, Entry},
    },
};

/// Erases a shopper, with an audit entry that names nobody. Amounts, decisions and the order's number are kept.
pub async fn erase(
    tx: &mut Tx<Executor>,
    shopper: ShopperId,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let id = shopper.as_uuid();
    lock(tx, shopper).await?;
    let person = person(tx, shopper).await?;
    forget_codes(tx, shopper, &person).await?;
    forget_events_about(tx, &person).await?;
    forget_delivery_errors(tx, &person).await?;
    forget_profile(tx, shopper, now).await?;
    forget_orders(tx, shopper).await?;
    forget_conversations(tx, shopper, now).await?;
    end_proposals(tx, shopper, now).await?;
    sqlx::query!("DELETE FROM passwords WHERE shopper_id = $1", id)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "UPDATE sessions SET revoked_at = coalesce(revoked_at, $2), address = NULL, device = NULL WHERE shopper_id = $1",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    audit::append(tx, Entry::new(actor, "shopper.erase", ("shopper", shopper), now)).await
}

/// Locks the rows that a turn, a decision and an execution lock, in the same order, then the shopper's row, to avoid deadlocks.
async fn lock(tx: &mut Tx<Executor>, shopper: ShopperId) -> Result<(), sqlx::Error> {
    let id = shopper.as_uuid();
    sqlx::query!("SELECT id FROM turns WHERE shopper_id = $1 ORDER BY id FOR UPDATE", id)
        .fetch_all(&mut **tx)
        .await?;
    sqlx::query!(
        "SELECT id FROM proposals WHERE shopper_id = $1 ORDER BY id FOR UPDATE",
        id
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!(
        "SELECT id FROM conversations WHERE shopper_id = $1 ORDER BY id FOR UPDATE",
        id
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!("SELECT shopper_id FROM shoppers WHERE shopper_id = $1 FOR UPDATE", id)
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// What other systems call the shopper. Read before anything is erased.
async fn person(tx: &mut Tx<Executor>, shopper: ShopperId) -> Result<Person, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT external_id, array_remove(former_emails || email, NULL) AS "emails!",
            ARRAY(SELECT number FROM orders o WHERE (o.tenant_id, o.shopper_id) = (s.tenant_id, s.shopper_id)
                UNION SELECT reference FROM orders o WHERE (o.tenant_id, o.shopper_id) = (s.tenant_id, s.shopper_id) AND reference IS NOT NULL) AS "orders!",
            ARRAY(SELECT unnest(ARRAY[external_id, reference, customer]) FROM payment_methods m WHERE (m.tenant_id, m.shopper_id) = (s.tenant_id, s.shopper_id)
                UNION SELECT reference FROM money_movements m WHERE (m.tenant_id, m.shopper_id) = (s.tenant_id, s.shopper_id)) AS "references!: Vec<Option<String>>"
        FROM shoppers s WHERE s.tenant_id = $1 AND s.shopper_id = $2"#,
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Person {
        emails: found.emails,
        id: found.external_id,
        orders: found.orders,
        references: found.references.into_iter().flatten().collect(),
    })
}

/// The codes and links that were mailed to any of the addresses, asked for the shopper, or rest on an order of theirs; and the version that
/// the store's systems last told of the shopper, which is kept under their id there.
async fn forget_codes(tx: &mut Tx<Executor>, shopper: ShopperId, person: &Person) -> Result<(), sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    sqlx::query!(
        "DELETE FROM codes WHERE tenant_id = $1 AND (email = ANY ($2) OR shopper_id = $3
            OR order_id IN (SELECT id FROM orders WHERE tenant_id = $1 AND shopper_id = $3))",
        tenant,
        &person.emails,
        shopper.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM record_versions WHERE tenant_id = $1 AND kind = 'shopper' AND external_id = $2",
        tenant,
        person.id
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Erases delivery errors that contain one of the addresses, because mail relays repeat addresses in their answers.
async fn forget_delivery_errors(tx: &mut Tx<Executor>, person: &Person) -> Result<(), sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    let errors = sqlx::query!(
        r#"SELECT id, last_error AS "last_error!" FROM outbox WHERE tenant_id = $1 AND last_error IS NOT NULL"#,
        tenant
    )
    .fetch_all(&mut **tx)
    .await?;
    let about = errors.iter().filter(|row| {
        let error = json!(row.last_error);
        person.emails.iter().any(|email| mentions(&error, email))
    });
    let about: Vec<_> = about.map(|row| row.id).collect();
    sqlx::query!(
        "UPDATE outbox SET last_error = NULL WHERE tenant_id = $1 AND id = ANY ($2)",
        tenant,
        &about
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The profile and the payment methods.
async fn forget_profile(tx: &mut Tx<Executor>, shopper: ShopperId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let id = shopper.as_uuid();
    let nobody = format!("erased-{shopper}");
    sqlx::query!(
        "UPDATE shoppers SET email = $2 || '@erased.invalid', external_id = $2, first_name = '', last_name = '', address = NULL, erased_at = $3
        WHERE shopper_id = $1",
        id,
        nobody,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE payment_methods SET external_id = 'erased-' || id, brand = NULL, last_four = NULL, reference = NULL, customer = NULL WHERE shopper_id = $1",
        id
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The orders' addresses and parcels.
async fn forget_orders(tx: &mut Tx<Executor>, shopper: ShopperId) -> Result<(), sqlx::Error> {
    let id = shopper.as_uuid();
    let address =
        json!({ "address1": ERASED, "address2": "", "city": ERASED, "state": "", "zip": ERASED, "country": ERASED });
    sqlx::query!(
        "UPDATE orders SET address = $2, version = version + 1 WHERE shopper_id = $1",
        id,
        address
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE shipments SET tracking_number = CASE WHEN tracking_number IS NOT NULL THEN $2 END, carrier = NULL WHERE shopper_id = $1",
        id,
        ERASED
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The words of the shopper's conversations, and of those in which a guest had proved an order of the shopper: the order was looked up there.
/// The shopper waits for nobody any more.
async fn forget_conversations(
    tx: &mut Tx<Executor>,
    shopper: ShopperId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let conversations = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM conversations WHERE tenant_id = $1 AND shopper_id = $2
        UNION SELECT conversation_id FROM conversation_subjects WHERE tenant_id = $1 AND subject_id = $2"#,
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    forget_words(tx, &conversations, now).await?;
    sqlx::query!(
        "UPDATE conversations SET waiting_since = NULL, held_by = NULL WHERE tenant_id = $1 AND shopper_id = $2",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The plans. What waits ends here; what was approved already ends when it comes to its execution.
async fn end_proposals(tx: &mut Tx<Executor>, shopper: ShopperId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let id = shopper.as_uuid();
    let open = sqlx::query!(
        r#"SELECT id AS "id: ProposalId", state IN ('awaiting_payment', 'needs_payment') AS "unpaid!" FROM proposals
        WHERE shopper_id = $1 AND state IN ('pending', 'awaiting_payment', 'needs_payment')"#,
        id
    )
    .fetch_all(&mut **tx)
    .await?;
    for proposal in open {
        sqlx::query!(
            "UPDATE proposals SET state = 'expired', updated_at = $2 WHERE id = $1",
            proposal.id.as_uuid(),
            now
        )
        .execute(&mut **tx)
        .await?;
        if proposal.unpaid {
            ledger::give_up(tx, proposal.id, "erased", now).await?;
        }
    }
    // What was approved already keeps no plan either: its execution ends at the erasure.
    let all = sqlx::query_scalar!(
        "SELECT id FROM proposals WHERE tenant_id = $1 AND shopper_id = $2",
        tx.tenant_id().as_uuid(),
        id
    )
    .fetch_all(&mut **tx)
    .await?;
    forget_plans(tx, &all).await?;
    sqlx::query!("SELECT forget_reasons($1)", id)
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// How many events are loaded at a time.
const EVENTS_BATCH: i64 = 200;

/// Deletes the stored events of other systems that are about the person.
async fn forget_events_about(tx: &mut Tx<Executor>, person: &Person) -> Result<(), sqlx::Error> {
    let mut after = uuid::Uuid::nil();
    loop {
        let events = sqlx::query!(
            "SELECT id, topic, body FROM incoming_webhooks WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            tx.tenant_id().as_uuid(),
            after,
            EVENTS_BATCH
        )
        .fetch_all(&mut **tx)
        .await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.id;
        let about = events
            .iter()
            .filter(|event| is_about(&event.topic, &event.body, person));
        let about: Vec<_> = about.map(|event| event.id).collect();
        sqlx::query!(
            "DELETE FROM incoming_webhooks WHERE tenant_id = $1 AND id = ANY ($2)",
            tx.tenant_id().as_uuid(),
            &about
        )
        .execute(&mut **tx)
        .await?;
    }
}
