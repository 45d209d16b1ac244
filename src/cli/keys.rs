//! `countersign keys`: manages the keys that stores sign assertions with, and the rotation of the server's secret.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Subcommand;

use super::{CliError, terminal::say};
use crate::{
    config::{Settings, environment},
    identity::{
        assertion_keys::{self, Algorithm},
        staff,
    },
    tenancy::{self, Executor, Scope, Tx},
};

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Add a key with which a store's site signs assertions for its visitors. The secret of an hs256 key is printed, only once.
    Add {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
        #[arg(long, value_enum)]
        algorithm: Algorithm,
        /// With eddsa: the raw 32-byte public key, base64url without padding (the `x` of its JWK).
        #[arg(long)]
        public_key: Option<String>,
        /// The key's name, which assertions carry as `kid`.
        kid: String,
    },
    /// List a store's keys, and which of them are still sealed with SECRET_KEY_OLD.
    List {
        #[arg(long)]
        tenant: String,
    },
    /// Revoke a key at once.
    Revoke {
        #[arg(long)]
        tenant: String,
        kid: String,
    },
    /// Seal everything that is sealed with SECRET_KEY_OLD with the new SECRET_KEY, after it was changed.
    Reseal,
}

pub async fn run(command: KeysCommand) -> Result<(), CliError> {
    let (database, keyring) = Settings::for_keys(&environment)?;
    let pools = tenancy::connect(&database);
    let now = crate::clock::now();
    match command {
        KeysCommand::Add {
            tenant,
            algorithm,
            public_key,
            kid,
        } => {
            let mut tx = super::begin(&pools, &tenant).await?;
            match (algorithm, public_key) {
                (Algorithm::Hs256, None) => {
                    let secret = assertion_keys::add_shared_secret(&mut tx, &keyring, &kid, now).await?;
                    tx.commit().await?;
                    say(secret)?;
                }
                (Algorithm::EdDsa, Some(text)) => {
                    let key = BASE64_URL_SAFE_NO_PAD
                        .decode(text)
                        .ok()
                        .and_then(|key| key.try_into().ok());
                    let key: [u8; 32] = key.ok_or_else(|| {
                        CliError::Argument("--public-key must be 32 bytes in base64url without padding".into())
                    })?;
                    assertion_keys::add_public_key(&mut tx, &kid, &key, now).await?;
                    tx.commit().await?;
                    say(format_args!("the key {kid} of {tenant} is added"))?;
                }
                _ => {
                    let mend =
                        "--public-key goes with eddsa, and only with it; the secret of an hs256 key is made here";
                    return Err(CliError::Argument(mend.into()));
                }
            }
            Ok(())
        }
        KeysCommand::List { tenant } => {
            let mut tx = super::begin(&pools, &tenant).await?;
            for key in assertion_keys::list(&mut tx, &keyring).await? {
                let state = match (key.revoked_at, key.current) {
                    (Some(at), _) => format!("revoked {}", at.format("%Y-%m-%d")),
                    (None, true) => "in use".into(),
                    (None, false) => "in use, rests on SECRET_KEY_OLD: run `countersign keys reseal`".into(),
                };
                say(format_args!(
                    "{}\t{:?}\t{}\t{state}",
                    key.kid,
                    key.algorithm,
                    key.created_at.format("%Y-%m-%d")
                ))?;
            }
            Ok(())
        }
        KeysCommand::Revoke { tenant, kid } => {
            let mut tx = super::begin(&pools, &tenant).await?;
            match assertion_keys::revoke(&mut tx, &kid, now).await? {
                true => {
                    tx.commit().await?;
                    say(format_args!("the key {kid} of {tenant} is revoked"))
                }
                false => Err(CliError::Argument(format!("the store has no key `{kid}` in use"))),
            }
        }
        KeysCommand::Reseal => {
            let (mut factors, mut secrets) = (0, 0);
            for store in tenancy::all(&pools.executor).await? {
                let mut tx: Tx<Executor> = pools.executor.begin(Scope::tenant(store)).await?;
                factors += staff::reseal(&mut tx, &keyring).await?;
                secrets += assertion_keys::reseal(&mut tx, &keyring).await?;
                tx.commit().await?;
            }
            say(format_args!(
                "{factors} second factors and {secrets} assertion secrets resealed; sessions under SECRET_KEY_OLD end within SESSION_MAX_DAYS"
            ))
        }
    }
}
