//! Every way in, and what a proof is worth afterwards.

mod assertions;
mod sessions;
mod sign_in;
pub mod staff_sign_in;
