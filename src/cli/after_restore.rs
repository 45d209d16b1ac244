//! `countersign after-restore`: ends every proof of before, so that nothing which was revoked since the dump lets anybody in.

use sqlx::{Connection, PgConnection};

use super::{CliError, terminal::say};
use crate::{
    clock::Clock,
    config::{Settings, environment},
    identity::after_restore::end_proofs,
    tenancy::{self, Scope, bootstrap},
};

pub async fn run() -> Result<(), CliError> {
    let (admin, database) = Settings::for_migrate(&environment)?;
    let pools = tenancy::connect(&database);
    let stores = tenancy::all(&pools.executor).await?;
    for store in &stores {
        let mut tx = pools.executor.begin(Scope::tenant(*store)).await?;
        end_proofs(&mut tx, Clock::system().now()).await?;
        tx.commit().await?;
    }
    let mut connection = PgConnection::connect_with(&admin).await?;
    bootstrap::clear_restored(&mut connection).await?;
    say(format_args!(
        "all sessions, API keys, invitations and codes of {} stores have ended",
        stores.len()
    ))
}
