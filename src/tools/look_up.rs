//! A tool that does not find an order of a known shopper is given another try after the shop's platform was asked for it.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{
    identity::{self, IdentityError, Shopper},
    integrations::order_look_up::OrderLookUp,
    tenancy::{Pool, Web},
};

/// The number of the order that a call is about.
#[derive(Deserialize)]
struct Numbered {
    order_number: String,
}

/// Asks the platform for the order that the arguments name. True when it may be there now. A guest's call asks nobody, and a shopper has a
/// small budget: numbers are easily made up.
pub(super) async fn fetch(
    look_up: &OrderLookUp,
    web: &Pool<Web>,
    arguments: &str,
    shopper: &Shopper,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let Ok(Numbered { order_number }) = serde_json::from_str(arguments) else {
        return Ok(false);
    };
    if shopper.is_guest() {
        return Ok(false);
    }
    let mut tx = web.begin(shopper.scope()).await?;
    let Some(connection) = look_up.connection(&mut tx).await? else {
        return Ok(false);
    };
    match identity::take_order_look_up(&mut tx, look_up.keyring(), shopper.id(), now).await {
        Ok(()) => tx.commit().await?,
        Err(IdentityError::Database(error)) => return Err(error),
        Err(_) => return Ok(false),
    }
    look_up.fetch(shopper.tenant(), &connection, &order_number, now).await
}
