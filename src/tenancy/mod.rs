//! Tenants, and the only access to their data.
//!
//! Law: a tenant table is only accessed through a [`Tx`]. A `Tx` is bound to a tenant (and a shopper, where there is one) before its first
//! statement, and belongs to one database role. Row-level security in Postgres enforces the same law again.

pub mod audit;
pub mod bootstrap;
pub mod origins;
mod pools;
pub mod schema;
pub mod store_keys;
mod tenants;
mod tx;

pub use pools::{DatabaseSettings, Pool, Pooler, Pools, connect};
pub use tenants::{
    StoreKey, Tenant, all, allow_machine_decisions, create, create_as, current, find_by_slug, find_by_store_key, list,
    time_zone, use_demo_payments,
};
pub use tx::{Executor, Reader, Role, Scope, Tx, Web};
