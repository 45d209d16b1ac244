//! Tenants, and the only way to their data.
//!
//! Law: a tenant table is reached through a [`Tx`] and in no other way. A `Tx` is bound to a tenant (and a shopper,
//! where there is one) before the first statement, and belongs to one database role. Row-level security in Postgres
//! holds the same law again from below.

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
    use_demo_payments,
};
pub use tx::{Executor, Reader, Role, Scope, Tx, Web};
