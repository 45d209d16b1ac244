//! Identity: who a caller is.
//!
//! Law: identity comes from the session. [`Shopper`] and [`StaffMember`] are proofs of a live session; their fields are private and only
//! this room builds them, so a function that takes one cannot be called for somebody else.

pub mod after_restore;
pub mod api_keys;
pub mod assertion_keys;
mod assertions;
mod codes;
mod epoch;
mod guests;
pub mod members;
pub mod password;
mod password_link;
mod recovery;
mod scopes;
pub mod sessions;
pub mod shoppers;
pub mod staff;
mod staff_sessions;
mod throttle;
mod token;
mod totp;

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};

pub use guests::{GuestOrigin, take_conversation};
pub use scopes::ApiScope;
pub use sessions::{LoggedIn, Session, Shopper};
pub use shoppers::Registration;
pub use staff::{StaffMember, StaffRole};
pub use staff_sessions::{OpenedStaffSession, StaffNext};
pub use throttle::{mailbox, take_order_look_up};
pub use token::{ApiKeyToken, SessionToken, StaffToken};
pub use totp::NewSecondFactor;

use crate::{
    clock::Clock,
    ids::OrderId,
    keyring::Keyring,
    tenancy::{self, Executor, Pool, Scope, Tenant, Web},
};
use sessions::Lifetimes;

/// Signs people in and proves who they are. Every way to sign in shares these dependencies.
#[derive(Clone)]
pub struct Identity {
    web: Pool<Web>,
    keyring: Arc<Keyring>,
    clock: Clock,
    lifetimes: Lifetimes,
    /// Whether approvers and admins must have a second factor. Only the demo switches it off.
    staff_second_factor: bool,
}

impl Identity {
    pub fn new(
        web: Pool<Web>,
        keyring: Arc<Keyring>,
        clock: Clock,
        lifetimes: Lifetimes,
        staff_second_factor: bool,
    ) -> Self {
        Self {
            web,
            keyring,
            clock,
            lifetimes,
            staff_second_factor,
        }
    }

    pub fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// The device that a session is opened on, as far as the request tells.
#[derive(Clone, Debug)]
pub struct Device {
    pub address: IpAddr,
    /// The User-Agent, cut to 200 characters.
    pub name: Option<String>,
}

/// What else must stay valid for the session: the proof of an order or the assertion key that opened it.
enum Proof<'a> {
    Account,
    /// An order that a guest has proved.
    Order(OrderId),
    /// The key of the store's site that signed an assertion.
    Assertion {
        kid: &'a str,
    },
}

/// A visitor who signs in or registers at a store, and is not known yet.
pub struct Visit {
    pub store: Tenant,
    pub device: Device,
    /// The guest session that the visitor came with, if any: what was said in it is kept.
    pub guest: Option<Shopper>,
}

impl Visit {
    fn from(&self) -> (&Device, Option<&Shopper>) {
        (&self.device, self.guest.as_ref())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No session, or it is expired, revoked or another tenant's. The caller is not told which.
    #[error("no live session")]
    NoSession,
    #[error("no store key")]
    NoStoreKey,
    #[error("unknown store key")]
    UnknownStore,
    /// Wrong password, or no such account. The caller is not told which.
    #[error("wrong e-mail address or password")]
    WrongCredentials,
    /// The code is wrong, used, expired, or was never sent. The caller is not told which.
    #[error("wrong or expired code")]
    WrongCode,
    /// The assertion is forged, expired, used, or for another store. The caller is not told which.
    #[error("the assertion is invalid or has expired")]
    BadAssertion,
    #[error("a code of the second factor is needed")]
    SecondFactorNeeded,
    /// Too many attempts; the number is how many seconds to wait.
    #[error("too many attempts")]
    Throttled(u32),
    /// A field of the request is not valid, and why.
    #[error("`{0}` {1}")]
    Field(&'static str, &'static str),
    #[error("not found")]
    NotFound,
    /// More passwords wait to be checked than the processors can handle.
    #[error(transparent)]
    Busy(#[from] crate::cpu_pool::Busy),
    #[error("cryptography failed")]
    Crypto,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Deletes what has expired: codes, assertions and sessions, and throttles that are back at their full burst.
pub async fn delete_expired(pool: &Pool<Executor>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    // An expired session is kept for a month, for its owner and for investigating a theft.
    let month_ago = now - chrono::Duration::days(30);
    for tenant in tenancy::all(pool).await? {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        sqlx::query!("DELETE FROM codes WHERE expires_at < $1", now)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM assertion_uses WHERE expires_at < $1", now)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM throttles WHERE tat < $1", now)
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "DELETE FROM sessions WHERE least(expires_at, idle_until, revoked_at) < $1",
            month_ago
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "DELETE FROM staff_sessions WHERE least(expires_at, revoked_at) < $1",
            month_ago
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Trims an address and makes it lower case, because addresses are compared without case.
fn normalise(email: &str) -> String {
    email.trim().to_lowercase()
}
