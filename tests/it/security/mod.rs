//! What strangers try, and what must hold.

mod access;
mod adversary;
mod erasure;
mod injection;
mod limits;
mod logs;
mod privacy;
mod proofs;
mod shares;
