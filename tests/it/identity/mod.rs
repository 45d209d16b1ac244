//! Signing in, and how long sessions and other credentials are valid.

mod assertions;
mod sessions;
mod sign_in;
pub mod staff_sign_in;
