//! `countersign tenant`: manages stores, their publishable keys and their allowed origins.

use clap::Subcommand;

use super::{CliError, begin, pools, terminal::say};
use crate::tenancy;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnOff {
    On,
    Off,
}

#[derive(Subcommand)]
pub enum TenantCommand {
    /// Create a store and print its publishable key.
    Create {
        /// Short name: small letters, digits and hyphens.
        slug: String,
        /// The name that shoppers read.
        #[arg(long)]
        name: String,
        /// ISO 4217 code of the store's currency.
        #[arg(long)]
        currency: String,
    },
    /// Create another publishable key for a store and print it.
    AddKey { slug: String },
    /// Let a web page call the API from a browser.
    AllowOrigin {
        slug: String,
        /// The website's origin, such as https://shop.example
        origin: String,
    },
    /// Set whether API keys may decide on proposals.
    MachineDecisions {
        slug: String,
        #[arg(value_enum)]
        decide: OnOff,
    },
    /// Stop letting a web page call the API from a browser.
    ForbidOrigin { slug: String, origin: String },
}

pub async fn run(command: TenantCommand) -> Result<(), CliError> {
    match command {
        TenantCommand::AllowOrigin { slug, origin } => {
            let origin =
                tenancy::origins::parse(&origin).map_err(|mend| CliError::Argument(format!("`{origin}` {mend}")))?;
            let mut tx = begin(&pools()?, &slug).await?;
            tenancy::origins::add(&mut tx, &origin).await?;
            tx.commit().await?;
            say(format_args!("pages of {origin} may call the API for {slug}"))
        }
        TenantCommand::MachineDecisions { slug, decide } => {
            let mut tx = begin(&pools()?, &slug).await?;
            tenancy::allow_machine_decisions(&mut tx, decide == OnOff::On).await?;
            tx.commit().await?;
            let may = if decide == OnOff::On { "may" } else { "may not" };
            say(format_args!("API keys of {slug} {may} decide on proposals"))
        }
        TenantCommand::ForbidOrigin { slug, origin } => {
            let mut tx = begin(&pools()?, &slug).await?;
            match tenancy::origins::remove(&mut tx, &origin).await? {
                true => {
                    tx.commit().await?;
                    say(format_args!("pages of {origin} may no longer call the API for {slug}"))
                }
                false => Err(CliError::Argument(format!("{slug} does not allow `{origin}`"))),
            }
        }
        TenantCommand::Create { slug, name, currency } => {
            let currency = currency.parse()?;
            let created = tenancy::create(&pools()?.executor, &slug, &name, currency).await;
            let (_, key) =
                created.map_err(
                    |error| match error.as_database_error().and_then(|error| error.constraint()) {
                        Some("tenants_slug_check") => CliError::Slug,
                        Some("tenants_slug_key") => CliError::SlugTaken(slug.clone()),
                        _ => error.into(),
                    },
                )?;
            say(key.as_str())
        }
        TenantCommand::AddKey { slug } => {
            let mut tx = begin(&pools()?, &slug).await?;
            let key = tenancy::store_keys::add(&mut tx).await?;
            tx.commit().await?;
            say(key.as_str())
        }
    }
}
