//! Attacks, and the limits and access rules that must hold against them.

mod access;
mod adversary;
mod credential_epochs;
mod erasure;
mod injection;
mod limits;
mod logs;
mod privacy;
mod quotas;
