//! `countersign integration`: manages the secrets of integrations. A secret is read from standard input and stored sealed.

use clap::Subcommand;
use uuid::Uuid;

use super::{
    CliError, tenant,
    terminal::{read_secret, say},
};
use crate::{
    config::{Settings, environment},
    integrations::{
        credentials::{self, CredentialError, Kind},
        outbound_http, payments,
    },
    tenancy::{self, Scope},
};

#[derive(Subcommand)]
pub enum IntegrationCommand {
    /// Add a secret, read from standard input. Earlier secrets stay in use until they are revoked.
    Add {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
        /// The URL of the CRM, of a site with WooCommerce, of a connector's calls, or of Shopify's Admin GraphQL API:
        /// https://SHOP.myshopify.com/admin/api/VERSION/graphql.json
        #[arg(long)]
        url: Option<String>,
        #[arg(value_enum)]
        kind: Kind,
    },
    /// List the secrets in use, without their values.
    List {
        #[arg(long)]
        tenant: String,
    },
    /// Revoke a secret.
    Revoke {
        #[arg(long)]
        tenant: String,
        id: Uuid,
    },
}

pub async fn run(command: IntegrationCommand) -> Result<(), CliError> {
    let (database, keyring) = Settings::for_keys(&environment)?;
    let pools = tenancy::connect(&database);
    let wrong = |error: String| CliError::Argument(error);
    match command {
        IntegrationCommand::Add {
            tenant: slug,
            url,
            kind,
        } => {
            if url.is_some() != kind.has_url() {
                return Err(wrong(
                    "--url goes with crm and a shop's platform, and only with them".into(),
                ));
            }
            if let Some(url) = &url {
                outbound_http::check(url, false).map_err(|mend| wrong(format!("--url {mend}")))?;
            }
            let store = tenant(&pools, &slug).await?;
            if let Some(reason) = payments::refused_currency(kind, store.currency) {
                return Err(wrong(reason));
            }
            let secret = read_secret()?;
            let mut tx = pools.executor.begin(Scope::tenant(store.id)).await?;
            match credentials::add(&mut tx, &keyring, kind, url.as_deref(), &secret, crate::clock::now()).await {
                Ok(()) => {
                    tx.commit().await?;
                    say(format_args!(
                        "the secret of {slug} is added; earlier ones stay in use until they are revoked"
                    ))
                }
                Err(CredentialError::Database(error)) => Err(error.into()),
                Err(error) => Err(wrong(error.to_string())),
            }
        }
        IntegrationCommand::List { tenant: slug } => {
            let mut tx = super::begin(&pools, &slug).await?;
            for secret in credentials::list(&mut tx).await? {
                say(format_args!(
                    "{}\t{:?}\t{}",
                    secret.id,
                    secret.kind,
                    secret.created_at.format("%Y-%m-%d")
                ))?;
            }
            Ok(())
        }
        IntegrationCommand::Revoke { tenant: slug, id } => {
            let mut tx = super::begin(&pools, &slug).await?;
            match credentials::revoke(&mut tx, id, crate::clock::now()).await? {
                true => {
                    tx.commit().await?;
                    say(format_args!("the secret {id} of {slug} is revoked"))
                }
                false => Err(wrong(format!("the store has no secret {id} in use"))),
            }
        }
    }
}
