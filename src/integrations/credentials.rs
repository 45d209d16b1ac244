//! The secrets that are shared with other systems, stored encrypted, each for one purpose.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    keyring::{Keyring, Purpose},
    tenancy::{Executor, Role, Tx},
};

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type, clap::ValueEnum)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// The key to Stripe's API, which moves money.
    Stripe,
    /// Signs the notes for the CRM; it comes with the CRM's address.
    Crm,
    /// The token for Shopify's Admin API.
    Shopify,
    /// The key of WooCommerce's REST API, `ck_…:cs_…`; it comes with the site's address.
    Woocommerce,
    /// Signs our calls to the store's own shop system; it comes with the system's address.
    Connector,
    /// Verifies Stripe's webhooks.
    StripeWebhook,
    /// Verifies Shopify's webhooks.
    ShopifyWebhook,
    /// Verifies WooCommerce's webhooks.
    WoocommerceWebhook,
    /// Verifies the webhooks of the store's own system.
    StoreWebhook,
    /// Verifies the webhooks of the mail relay.
    MailWebhook,
}

impl Kind {
    /// The credentials of shops' platforms. `integrations.is_platform` in the migrations names the same.
    pub const PLATFORMS: [Self; 3] = [Self::Shopify, Self::Woocommerce, Self::Connector];

    /// Whether an address goes with it.
    pub fn has_url(self) -> bool {
        self == Self::Crm || Self::PLATFORMS.contains(&self)
    }

    /// The word for it in commands and on pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Crm => "crm",
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
            Self::Connector => "connector",
            Self::StripeWebhook => "stripe_webhook",
            Self::ShopifyWebhook => "shopify_webhook",
            Self::WoocommerceWebhook => "woocommerce_webhook",
            Self::StoreWebhook => "store_webhook",
            Self::MailWebhook => "mail_webhook",
        }
    }
}

/// The fewest characters that a secret may have: 16 hexadecimal digits are 64 bits, which nobody guesses over a network.
const MIN_SECRET_CHARACTERS: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("this secret serves another purpose already; each needs one of its own")]
    UsedTwice,
    /// The secret is too short: somebody could guess it and sign in another's name.
    #[error(
        "the secret is too short: it must have at least {MIN_SECRET_CHARACTERS} characters; `openssl rand -hex 32` makes one"
    )]
    TooShort,
    #[error("cryptography failed")]
    Crypto,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A secret in use.
pub struct Credential {
    pub url: Option<String>,
    pub secret: SecretString,
}

/// A secret as the operator sees it.
pub struct Listed {
    pub id: Uuid,
    pub kind: Kind,
    pub created_at: DateTime<Utc>,
}

/// Adds a secret. Earlier ones stay valid until they are revoked, so that secrets can be rotated.
pub async fn add(
    tx: &mut Tx<Executor>,
    keyring: &Keyring,
    kind: Kind,
    url: Option<&str>,
    secret: &SecretString,
    now: DateTime<Utc>,
) -> Result<(), CredentialError> {
    let plain = secret.expose_secret().as_bytes();
    if secret.expose_secret().trim().chars().count() < MIN_SECRET_CHARACTERS {
        return Err(CredentialError::TooShort);
    }
    let sealed = keyring
        .seal(Purpose::Credential, plain)
        .ok_or(CredentialError::Crypto)?;
    sqlx::query!(
        "INSERT INTO integrations (tenant_id, id, kind, url, secret, mac, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tx.tenant_id().as_uuid(),
        Uuid::now_v7(),
        kind as Kind as _,
        url,
        sealed,
        &keyring.mac(Purpose::Credential, plain)[..],
        now
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error().and_then(|error| error.constraint()) {
        Some("integrations_tenant_id_mac_key") => CredentialError::UsedTwice,
        _ => error.into(),
    })?;
    Ok(())
}

/// The live secrets of a kind, newest first. One that no server key decrypts is left out, with a line in the log.
pub async fn of<R: Role>(tx: &mut Tx<R>, keyring: &Keyring, kind: Kind) -> Result<Vec<Credential>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT url, secret FROM integrations WHERE kind = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 5",
        kind as Kind as _
    )
    .fetch_all(&mut **tx)
    .await?;
    let open = rows.into_iter().filter_map(|row| {
        let plain = keyring
            .open(Purpose::Credential, &row.secret)
            .and_then(|plain| String::from_utf8(plain).ok());
        if plain.is_none() {
            tracing::error!(?kind, "a secret rests on a key that is gone; set it again");
        }
        Some(Credential {
            url: row.url,
            secret: plain?.into(),
        })
    });
    Ok(open.collect())
}

/// All live secrets.
pub async fn list(tx: &mut Tx<Executor>) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        r#"SELECT id, kind AS "kind: Kind", created_at FROM integrations WHERE revoked_at IS NULL ORDER BY kind, created_at"#
    )
    .fetch_all(&mut **tx)
    .await
}

/// Revokes a secret. False when there is no such live secret.
pub async fn revoke(tx: &mut Tx<Executor>, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let revoked = sqlx::query!(
        "UPDATE integrations SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(revoked.rows_affected() == 1)
}
