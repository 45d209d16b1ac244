//! Attacks, and the limits and access rules that must hold against them.

mod access;
mod adversary;
mod erasure;
mod injection;
mod limits;
mod logs;
mod privacy;
mod proofs;
mod shares;
