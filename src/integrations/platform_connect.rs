//! Connects a store with the platform of its shop: the credentials are tried before they are stored, and the platform is told where its events
//! go.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{
    credentials::{self, CredentialError, Kind},
    platform::{Api, Connection, PlatformError, Shop, Throttle},
    vendors,
};
use crate::{
    keyring::Keyring,
    tenancy::{Executor, Pool, Scope, Tenant},
};

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("these are no credentials of a shop's platform")]
    NoPlatform,
    #[error("the credentials lack these permissions: {}; add them at the shop, where you made the credentials, and repeat this command", .0.join(", "))]
    MissingScopes(Vec<String>),
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("the database: {}", crate::telemetry::cause(.0))]
    Database(#[from] sqlx::Error),
}

/// A store that is to be connected.
pub struct Connect<'a> {
    pub pool: &'a Pool<Executor>,
    pub keyring: &'a Keyring,
    pub client: &'a reqwest::Client,
    pub store: &'a Tenant,
    pub connection: Connection,
    /// Verifies the platform's events. One that is stored already is kept where we choose it.
    pub webhook_secret: SecretString,
    /// The address of this server that the platform reaches, or none where it cannot: then no events come.
    pub public_url: Option<&'a str>,
}

/// A store that was connected.
pub struct Connected {
    pub shop: Shop,
    /// Where the platform sends its events, and how many kinds of them are new.
    pub webhooks: Option<(String, usize)>,
}

/// Whether the platform lets us choose the secret that signs its events. Otherwise its own is asked for.
pub fn chooses_secret(kind: Kind) -> bool {
    vendors::platform(kind).is_some_and(super::platform::Platform::takes_our_secret)
}

/// The address of a platform's API, by the shop's name or address as people know it.
pub fn api_url(kind: Kind, shop: &str) -> Option<String> {
    vendors::platform(kind)?.api_url(shop)
}

/// Tries the credentials, has the platform send its events here and stores the credentials. What is stored already stays.
pub async fn connect(connect: Connect<'_>, now: DateTime<Utc>) -> Result<Connected, ConnectError> {
    let platform = vendors::platform(connect.connection.kind).ok_or(ConnectError::NoPlatform)?;
    let throttle = Throttle::default();
    let api = Api {
        client: connect.client,
        connection: &connect.connection,
        throttle: &throttle,
    };
    let shop = platform.shop(&api).await?;
    if !shop.missing_scopes.is_empty() {
        return Err(ConnectError::MissingScopes(shop.missing_scopes));
    }
    let mut tx = connect.pool.begin(Scope::tenant(connect.store.id)).await?;
    let url = connect.connection.url.as_str();
    let of_webhooks = vendors::of(platform.source()).secrets();
    let webhook_secret = match platform.takes_our_secret() {
        true => credentials::of(&mut tx, connect.keyring, of_webhooks)
            .await?
            .into_iter()
            .next(),
        false => None,
    };
    let webhook_secret = webhook_secret.map_or(connect.webhook_secret, |known| known.secret);
    let secrets = [
        (connect.connection.kind, Some(url), &connect.connection.secret),
        (of_webhooks, None, &webhook_secret),
    ];
    for (kind, url, secret) in secrets {
        let known = credentials::of(&mut tx, connect.keyring, kind).await?;
        let same = |it: &credentials::Credential| {
            use secrecy::ExposeSecret;
            it.url.as_deref() == url && it.secret.expose_secret() == secret.expose_secret()
        };
        if !known.iter().any(same) {
            credentials::add(&mut tx, connect.keyring, kind, url, secret, now).await?;
        }
    }
    let key = sqlx::query_scalar!(
        "SELECT key FROM store_keys WHERE tenant_id = $1 AND revoked_at IS NULL ORDER BY id LIMIT 1",
        connect.store.id.as_uuid()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    // The secret is stored before the first event can come.
    let webhooks = match (connect.public_url, key) {
        (Some(public_url), Some(key)) => {
            let source = serde_json::to_value(platform.source()).unwrap_or_default();
            let address = format!("{public_url}/v1/webhooks/{key}/{}", source.as_str().unwrap_or_default());
            let added = platform.register_webhooks(&api, &address, &webhook_secret).await?;
            Some((address, added))
        }
        _ => None,
    };
    Ok(Connected { shop, webhooks })
}
