//! Creates the demo's store with its data, shoppers and staff, and the key that its shop page signs assertions with.

use super::{CliError, import};
use crate::{
    config::Storefront,
    identity::{StaffRole, assertion_keys, shoppers, staff},
    keyring::Keyring,
    money::Currency,
    store::help,
    tenancy::{self, Pools, StoreKey, Tenant},
};

/// The demo store's data, in the format of `docs/import.md`.
const STORE: &str = include_str!("demo_store.jsonl");
const HELP: [(&str, &str); 3] = [
    ("returns", include_str!("demo_help/returns.md")),
    ("shipping", include_str!("demo_help/shipping.md")),
    ("lantern-care", include_str!("demo_help/lantern-care.md")),
];
const SLUG: &str = "demo";
/// The demo's staff: one person of each role.
const STAFF: [(&str, StaffRole); 3] = [
    ("staff@example.com", StaffRole::Admin),
    ("approver@example.com", StaffRole::Approver),
    ("viewer@example.com", StaffRole::Viewer),
];
/// The password of everybody in the demo. It is printed at the start.
pub const PASSWORD: &str = "demo-password";
/// The fixed store key of a new demo store, so that tests know it.
const KEY: &str = "pk_AAAAAAAAcACAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAE";

/// What tests need to know about the demo store.
pub fn facts() -> serde_json::Value {
    serde_json::json!({
        "store": SLUG,
        "store_key": KEY,
        "password": PASSWORD,
        "shoppers": [
            { "id": "mia", "email": "mia@example.com", "orders": ["#1001", "#1002", "#1003"] },
            { "id": "noah", "email": "noah@example.com", "orders": ["#2001"] },
        ],
        "staff": STAFF.map(|(email, role)| serde_json::json!({ "email": email, "role": role.name() })),
    })
}

/// Creates the demo store, or uses the one of an earlier demo, then imports its data and sets its passwords.
pub async fn seed(pools: &Pools) -> Result<StoreKey, CliError> {
    let (store, key) = match tenancy::find_by_slug(&pools.executor, SLUG).await? {
        Some(store) => {
            let key = add_store_key(pools, &store).await?;
            (store, key)
        }
        None => {
            let key = KEY.parse().map_err(|()| CliError::Slug)?;
            tenancy::create_as(&pools.executor, key, SLUG, "Harbour Goods", "USD".parse::<Currency>()?).await?
        }
    };
    tenancy::use_demo_payments(&pools.executor, store.id).await?;
    let lines: Vec<_> = STORE.lines().map(|line| Ok(line.to_owned())).collect();
    let report = import::from_lines(&pools.executor, &store, lines.into_iter()).await?;
    if !report.rejected.is_empty() {
        return Err(CliError::Rejected(report.rejected.len()));
    }
    let mut tx = pools.executor.begin(tenancy::Scope::tenant(store.id)).await?;
    for (name, text) in HELP {
        let (slug, language, article) = import::articles::article(name, text).map_err(CliError::Argument)?;
        help::write(&mut tx, slug, language, &article, crate::clock::now()).await?;
    }
    tx.commit().await?;
    for shopper in ["mia", "noah"] {
        shoppers::set_password(&pools.executor, &store, shopper, PASSWORD.into(), crate::clock::now()).await?;
    }
    for (email, role) in STAFF {
        staff::add(&pools.executor, &store, email, role, PASSWORD.into()).await?;
    }
    Ok(key)
}

async fn add_store_key(pools: &Pools, store: &Tenant) -> Result<StoreKey, CliError> {
    let mut tx = pools.executor.begin(tenancy::Scope::tenant(store.id)).await?;
    let key = tenancy::store_keys::add(&mut tx).await?;
    tx.commit().await?;
    Ok(key)
}

/// The shop page's settings, with a new assertion key that it signs its visitors in with.
pub async fn storefront(pools: &Pools, keyring: &Keyring, key: &StoreKey) -> Result<Storefront, CliError> {
    let mut tx = super::begin(pools, SLUG).await?;
    // A key of an earlier demo cannot be used, because it is sealed with a secret that is gone.
    let kid = format!("demo-{}", hex::encode(rand::random::<[u8; 4]>()));
    let secret = assertion_keys::add_shared_secret(&mut tx, keyring, &kid, crate::clock::now()).await?;
    tx.commit().await?;
    Ok(Storefront {
        store: SLUG.into(),
        store_key: key.as_str().into(),
        kid,
        secret: secret.into(),
    })
}
