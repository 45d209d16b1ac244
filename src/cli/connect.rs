//! `countersign connect`: connects a store with the platform of its shop and fetches its products, customers and orders.
//!
//! Safe to run again at any time: a fetch that was cut off goes on where it ended, and one that is complete fetches what has changed.

use std::io::{IsTerminal, stderr};

use reqwest::Url;
use secrecy::SecretString;

use super::{
    CliError, tenant,
    terminal::{ask_secret, say},
};
use crate::{
    clock::Clock,
    config::{ConnectSettings, Settings, environment},
    integrations::{
        self,
        credentials::Kind,
        outbound_http,
        platform::{self, Connection},
        platform_connect::{self, Connect},
        platform_sync::{Progress, Sync},
    },
    tenancy::{self, Scope, Tenant},
};

/// The platforms that a shop can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ShopPlatform {
    Shopify,
    Woocommerce,
    Connector,
}

impl ShopPlatform {
    fn kind(self) -> Kind {
        match self {
            Self::Shopify => Kind::Shopify,
            Self::Woocommerce => Kind::Woocommerce,
            Self::Connector => Kind::Connector,
        }
    }

    /// What its API's credentials and the secret of its webhooks are called there.
    fn asks_for(self) -> (&'static str, &'static str) {
        match self {
            Self::Shopify => ("Admin API access token (shpat_…)", "API secret key of the app"),
            Self::Woocommerce => ("REST API key (ck_…:cs_…)", "secret of the webhooks"),
            Self::Connector => (
                "Secret that your system shares with this server (whsec_…)",
                "Secret of its events",
            ),
        }
    }
}

#[derive(clap::Args)]
pub struct Options {
    #[arg(value_enum)]
    platform: ShopPlatform,
    /// The store's slug here.
    #[arg(long, alias = "tenant")]
    store: String,
    /// The shop: NAME.myshopify.com, the address of a WooCommerce site, or the one below which the connector's calls are. Left out, the shop that
    /// the store is connected with already.
    #[arg(long)]
    shop: Option<String>,
    /// Only connect: the worker fetches the history.
    #[arg(long)]
    no_history: bool,
}

/// The secrets are read from standard input: the API's credentials, then, where the platform does not let us choose it, the secret of its
/// webhooks.
pub async fn run(options: Options) -> Result<(), CliError> {
    let settings = Settings::for_connect(&environment)?;
    let pools = tenancy::connect(&settings.database);
    let store = tenant(&pools, &options.store).await?;
    let client = integrations::guarded_client(&settings.outbound).map_err(|error| wrong(error.to_string()))?;
    match &options.shop {
        Some(shop) => connect(&settings, &pools, &client, &store, options.platform, shop).await?,
        None => {
            let mut tx = pools.executor.begin(Scope::tenant(store.id)).await?;
            let known = platform::connection(&mut tx, &settings.keyring).await?;
            if known.is_none_or(|known| known.kind != options.platform.kind()) {
                return Err(wrong(
                    "the store is not connected yet: name its shop with --shop".into(),
                ));
            }
        }
    }
    let sync = Sync {
        pool: &pools.executor,
        keyring: &settings.keyring,
        client: &client,
        clock: &Clock::system(),
        take_over: true,
    };
    if options.no_history {
        let mut tx = pools.executor.begin(Scope::tenant(store.id)).await?;
        integrations::platform_sync::request(&mut tx).await?;
        tx.commit().await?;
        return say(
            "the worker fetches the records; `countersign doctor` and the console's page Shop show how far it is",
        );
    }
    let is_terminal = stderr().is_terminal();
    let fetched = sync.run(store.id, |progress| show(progress, is_terminal)).await;
    if is_terminal {
        eprintln!();
    }
    for progress in fetched.map_err(|error| wrong(format!("{error}; run the same command without --shop to go on")))? {
        say(summary(&progress))?;
    }
    Ok(())
}

fn wrong(text: String) -> CliError {
    CliError::Argument(text)
}

async fn connect(
    settings: &ConnectSettings,
    pools: &tenancy::Pools,
    client: &reqwest::Client,
    store: &Tenant,
    platform: ShopPlatform,
    shop: &str,
) -> Result<(), CliError> {
    let kind = platform.kind();
    let url = platform_connect::api_url(kind, shop)
        .ok_or_else(|| wrong(format!("--shop: `{shop}` is not the name or address of such a shop")))?;
    let url: Url = outbound_http::check(&url, settings.outbound.allow_loopback)
        .map_err(|mend| wrong(format!("--shop: the shop's address {mend}")))?;
    let (credentials, signing) = platform.asks_for();
    let secret = ask_secret(&format!("{credentials}: "))?;
    let webhook_secret = if platform_connect::chooses_secret(kind) {
        SecretString::from(hex::encode(rand::random::<[u8; 32]>()))
    } else {
        ask_secret(&format!("{signing}: "))?
    };
    // A platform cannot reach a server on loopback; tests can.
    let is_reachable = outbound_http::check(&settings.public_url, settings.outbound.allow_loopback).is_ok();
    let connected = platform_connect::connect(
        Connect {
            pool: &pools.executor,
            keyring: &settings.keyring,
            client,
            store,
            connection: Connection { kind, url, secret },
            webhook_secret,
            public_url: is_reachable.then_some(settings.public_url.as_str()),
        },
        crate::clock::now(),
    )
    .await
    .map_err(|error| wrong(error.to_string()))?;
    let name = &connected.shop.name;
    say(format_args!("{} is connected with the shop {name}", store.slug))?;
    if let Some(currency) = connected.shop.currency.filter(|currency| *currency != store.currency) {
        say(format_args!(
            "note: the shop's currency is {currency}, the store's here is {}; orders keep their own",
            store.currency
        ))?;
    }
    match connected.webhooks {
        Some((address, 0)) => say(format_args!("its events come to {address} already")),
        Some((address, added)) => say(format_args!(
            "its events come to {address}: {added} webhooks were added"
        )),
        None => say(
            "note: the shop cannot reach this server at PUBLIC_URL, so its events do not come; what has changed is fetched every night",
        ),
    }
}

/// Shows the progress: one line that changes in a terminal, else a line for each 10,000 records.
fn show(progress: &Progress, is_terminal: bool) {
    let of = progress.total.map(|total| format!(" of {total}")).unwrap_or_default();
    let line = format!("{}: {}{of}", progress.entity.name(), progress.fetched);
    if is_terminal {
        let bar = progress.total.filter(|total| *total > 0).map(|total| {
            let filled = (progress.fetched * 30 / total).clamp(0, 30) as usize;
            format!(" [{}{}]", "#".repeat(filled), ".".repeat(30 - filled))
        });
        eprint!("\r{line}{}\x1b[K", bar.unwrap_or_default());
    } else if progress.finished_at.is_some() || progress.fetched % 10_000 < 200 && progress.fetched > 0 {
        eprintln!("{line}");
    }
}

fn summary(progress: &Progress) -> String {
    let what = progress.entity.name();
    let failed = match progress.failed {
        0 => String::new(),
        failed => format!(", {failed} could not be stored (the console's page Incoming events says why)"),
    };
    format!(
        "{what}: {} fetched, {} new or changed{failed}",
        progress.fetched, progress.changed
    )
}
