//! The ledger: the money that moves for orders.
//!
//! A movement is requested first, and confirmed or failed by whoever moves the money. Only the database functions that are called here can
//! write the tables, and a constraint refuses to let more money out of an order than was confirmed in. No row says that money moved unless
//! its provider said so.

mod read;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use read::{
    Collection, Known, ManualPayment, Movement, Payout, by_reference, collection, get, gift_card_left, known,
    payment_link, payout, provider_for, staff_tasks,
};

use crate::{
    ids::{MovementId, OrderId, PaymentMethodId, ProposalId},
    money::Money,
    tenancy::{Executor, Role, Tx, Web},
};

/// Who moves the money of a movement, and confirms it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Provider {
    /// The store's own system, which reported a movement that it made.
    Store,
    Stripe,
    /// The shop's platform, such as Shopify.
    Platform,
    /// A member of the store's staff, where no system can move the money.
    Staff,
    /// The demo's provider, which moves no real money.
    Demo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Direction {
    In,
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MovementState {
    Requested,
    Confirmed,
    Failed,
}

/// Why the ledger refused a change.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// More would be paid out for an order than came in, or a gift card's balance is too low.
    #[error("more money would move than there is")]
    NotCovered,
    /// A member of staff may not report on the money of their own order.
    #[error("somebody else must say so: it is their own order")]
    OwnOrder,
    /// Only a person in a live session may report on money and parcels.
    #[error("only a person who is signed in may say so")]
    NoSession,
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|error| error.constraint());
        match constraint {
            Some(
                "paid_out_at_most_paid_in"
                | "only_confirmed_money_goes_out"
                | "at_most_what_came_in_goes_back"
                | "only_what_is_held_goes_back"
                | "gift_card_covers",
            ) => Self::NotCovered,
            Some("not_their_own_order") => Self::OwnOrder,
            Some("said_in_a_live_session") => Self::NoSession,
            _ => Self::Database(error),
        }
    }
}

/// Cancels the money that a proposal requested and that has not come in. If it comes in after all, it is given back.
pub async fn give_up<R: Role>(
    tx: &mut Tx<R>,
    proposal: ProposalId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT cancel_money_in($1, $2, $3)", proposal.as_uuid(), reason, now)
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// Requests money for a proposal; once it is in, it is held until [`settle`] or [`give_back`].
pub async fn request_in(
    tx: &mut Tx<Executor>,
    (order, method): (OrderId, PaymentMethodId),
    amount: Money,
    provider: Provider,
    proposal: ProposalId,
    now: DateTime<Utc>,
) -> Result<MovementId, LedgerError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT request_money_in($1, $2, $3, $4, $5, $6) AS "id!: MovementId""#,
        order.as_uuid(),
        method.as_uuid(),
        amount.minor,
        provider as Provider as _,
        proposal.as_uuid(),
        now
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Requests a payout to a method, taken from what came in: one movement for each payment that it is taken from.
pub async fn request_out(
    tx: &mut Tx<Executor>,
    (order, method): (OrderId, PaymentMethodId),
    amount: Money,
    provider: Provider,
    proposal: ProposalId,
    now: DateTime<Utc>,
) -> Result<Vec<MovementId>, LedgerError> {
    // A provider that refunds a charge can only send the money to where it came from.
    let same_method = provider == Provider::Stripe;
    Ok(sqlx::query_scalar!(
        r#"SELECT request_money_out($1, $2, $3, $4, $5, $6, $7) AS "id!: MovementId""#,
        order.as_uuid(),
        method.as_uuid(),
        amount.minor,
        provider as Provider as _,
        same_method,
        proposal.as_uuid(),
        now
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Requests that the money held for a proposal goes back, because its change is not made. This is always possible: the balance counts held
/// money apart.
pub async fn give_back(
    tx: &mut Tx<Executor>,
    proposal: ProposalId,
    now: DateTime<Utc>,
) -> Result<Vec<MovementId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT give_back_money($1, $2) AS "id!: MovementId""#,
        proposal.as_uuid(),
        now
    )
    .fetch_all(&mut **tx)
    .await
}

/// Called when the change is made: the money held for it counts as paid on the order.
pub async fn settle(tx: &mut Tx<Executor>, proposal: ProposalId, now: DateTime<Utc>) -> Result<(), LedgerError> {
    sqlx::query!("SELECT settle_money_in($1, $2)", proposal.as_uuid(), now)
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// Records that the provider has moved the money. False when that was known. A job continues a proposal that waits for it.
pub async fn confirm(
    tx: &mut Tx<Executor>,
    movement: MovementId,
    reference: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT confirm_money($1, $2, $3) AS "done!""#,
        movement.as_uuid(),
        reference,
        now
    )
    .fetch_one(&mut **tx)
    .await
}

/// Records that the provider did not move the money, or that it came back. False when that was known.
pub async fn fail(
    tx: &mut Tx<Executor>,
    movement: MovementId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT fail_money($1, $2, $3) AS "done!""#,
        movement.as_uuid(),
        reason,
        now
    )
    .fetch_one(&mut **tx)
    .await
}

/// The same for every payout with the provider's reference `reference`.
pub async fn fail_by_reference(
    tx: &mut Tx<Executor>,
    reference: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let failed = sqlx::query_scalar!(
        r#"SELECT fail_money(id, $3, $4) AS "done!" FROM money_movements WHERE tenant_id = $2 AND reference = $1 AND direction = 'out'"#,
        reference,
        tx.tenant_id().as_uuid(),
        reason,
        now
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(failed.contains(&true))
}

/// Confirms every payout with the provider's reference `reference`. False when that was known.
pub async fn confirm_by_reference(
    tx: &mut Tx<Executor>,
    reference: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let confirmed = sqlx::query_scalar!(
        r#"SELECT confirm_money(id, NULL, $3) AS "done!" FROM money_movements WHERE tenant_id = $2 AND reference = $1 AND direction = 'out'"#,
        reference,
        tx.tenant_id().as_uuid(),
        now
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(confirmed.contains(&true))
}

/// Reserves the amount of a failed payout again. False when it has not failed.
pub async fn retry_out(tx: &mut Tx<Executor>, movement: MovementId, now: DateTime<Utc>) -> Result<bool, LedgerError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT retry_money_out($1, $2) AS "done!""#, movement.as_uuid(), now)
            .fetch_one(&mut **tx)
            .await?,
    )
}

/// Raises a payout to the attempt that its provider speaks of, where this database knows only an earlier one. An error when its amount has
/// gone out otherwise.
pub async fn reach_attempt(
    tx: &mut Tx<Executor>,
    movement: MovementId,
    (attempt, reference): (u16, &str),
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    sqlx::query!(
        "SELECT reach_attempt($1, $2, $3, $4)",
        movement.as_uuid(),
        i32::from(attempt),
        reference,
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// Records the provider's reference of a movement that is not confirmed yet, or the page where the shopper pays.
pub async fn note(
    tx: &mut Tx<Executor>,
    movement: MovementId,
    (reference, link): (Option<&str>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT note_money($1, $2, $3, $4)",
        movement.as_uuid(),
        reference,
        link,
        now
    )
    .fetch_one(&mut **tx)
    .await
    .map(drop)
}

/// Records a movement of money that the store's own system reports.
pub async fn record(
    tx: &mut Tx<Executor>,
    (order, method): (OrderId, PaymentMethodId),
    direction: Direction,
    amount_minor: i64,
    reference: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    sqlx::query!(
        "SELECT record_money($1, $2, $3, $4, $5, $6)",
        order.as_uuid(),
        direction as Direction as _,
        method.as_uuid(),
        amount_minor,
        reference,
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// What became of the news of a refund that somebody made at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Elsewhere {
    Recorded,
    /// The store had reported it, or it was a task of the staff's: that movement has the provider's reference now.
    Matched,
    Known,
    /// No payment has the reference that the refund names.
    NoPayment,
    /// It is in another currency than its payment, so that nobody can say how much of the payment it is.
    OtherCurrency,
}

/// Records a refund of a payment that somebody made at its provider, once.
pub async fn record_refund_of(
    tx: &mut Tx<Executor>,
    payment: &str,
    amount: Money,
    (provider, reference): (Provider, &str),
    now: DateTime<Utc>,
) -> Result<Elsewhere, LedgerError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT record_refund($1, $2, $3, $4, $5, $6) AS "done!: Elsewhere""#,
        payment,
        amount.minor,
        amount.currency.to_string(),
        provider as Provider as _,
        reference,
        now
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Records what a bank took back of a payment by a dispute, or as much of it as has not gone out otherwise. Told again it changes nothing, or
/// takes the rest when more is left by then.
pub async fn record_dispute_of(
    tx: &mut Tx<Executor>,
    payment: &str,
    amount: Money,
    reference: &str,
    now: DateTime<Utc>,
) -> Result<Elsewhere, LedgerError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT record_dispute($1, $2, $3, $4, $5, $6) AS "done!: Elsewhere""#,
        payment,
        amount.minor,
        amount.currency.to_string(),
        Provider::Stripe as Provider as _,
        reference,
        now
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Locks the money of an order until the transaction ends, so that what is compared with it is not recorded by another meanwhile.
pub async fn lock(tx: &mut Tx<Executor>, order: OrderId) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT lock_balance($1)", order.as_uuid())
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// In which session a member of staff speaks about money, a parcel or the store's rules, as the audit names it.
#[derive(Clone, Copy)]
pub struct Statement<'a> {
    /// The session that makes the statement. None for an API key, which may make none.
    pub session: Option<Uuid>,
    /// The id of the HTTP request.
    pub request: Option<&'a str>,
    pub at: DateTime<Utc>,
}

/// Records the answer of a member of staff: whether money moved that only people can move. The database notes it in the audit. False when no
/// such movement waits.
pub async fn settle_by_staff(
    tx: &mut Tx<Web>,
    movement: MovementId,
    moved: bool,
    said: Statement<'_>,
) -> Result<bool, LedgerError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT settle_by_staff($1, $2, $3, $4, $5) AS "done!""#,
        movement.as_uuid(),
        moved,
        said.session,
        said.request,
        said.at
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Called when staff dropped a delivery that was to move money. Staff must report what happens to the money from now on.
pub async fn hand_to_staff(tx: &mut Tx<Web>, delivery: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT hand_money_to_staff($1, $2)", delivery, now)
        .fetch_one(&mut **tx)
        .await
        .map(drop)
}

/// Confirms all movements of a request.
pub async fn confirm_request(tx: &mut Tx<Executor>, request: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT confirm_money(id, NULL, $3) FROM money_movements WHERE tenant_id = $2 AND request_id = $1 AND state = 'requested'",
        request,
        tx.tenant_id().as_uuid(),
        now
    )
    .fetch_all(&mut **tx)
    .await
    .map(drop)
}
