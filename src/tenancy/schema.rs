//! The database schema that this binary was built for.

use std::sync::LazyLock;

use sqlx::migrate::Migrator;

/// Every migration, compiled in.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!();
    // After a rollback the schema is newer than the release, which still works with it: migrations only add.
    migrations.set_ignore_missing(true);
    migrations
});

/// The newest migration this binary knows, for `/health` and the doctor.
pub fn newest_migration() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}
