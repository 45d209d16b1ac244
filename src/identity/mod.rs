//! Who is speaking.
//!
//! Law: identity comes from the session. [`Shopper`] is proof of a live session; its fields are private and only
//! [`sessions`] builds it, so a function that takes one cannot be called for somebody else.

pub mod password;
pub mod sessions;
pub mod shoppers;
pub mod staff;
mod token;

pub use sessions::{Session, Shopper};
pub use staff::{StaffMember, StaffRole};
pub use token::{SessionToken, StaffToken};

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No session, or one that is expired, revoked or another tenant's: never said which.
    #[error("no live session")]
    NoSession,
    #[error("unknown store key")]
    UnknownStore,
    /// Wrong password or no such account: never said which.
    #[error("wrong e-mail address or password")]
    WrongCredentials,
    #[error("an account with this e-mail address exists")]
    EmailTaken,
    #[error("the password hasher failed")]
    Hasher,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
