//! `countersign tenant`: manages stores, their publishable keys and their allowed origins.

use clap::Subcommand;

use super::{CliError, begin, pools};
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
            Ok(tx.commit().await?)
        }
        TenantCommand::MachineDecisions { slug, decide } => {
            let mut tx = begin(&pools()?, &slug).await?;
            tenancy::allow_machine_decisions(&mut tx, decide == OnOff::On).await?;
            Ok(tx.commit().await?)
        }
        TenantCommand::ForbidOrigin { slug, origin } => {
            let mut tx = begin(&pools()?, &slug).await?;
            match tenancy::origins::remove(&mut tx, &origin).await? {
                true => Ok(tx.commit().await?),
                false => Err(CliError::Argument(format!("the store does not let `{origin}`"))),
            }
        }
        TenantCommand::Create { slug, name, currency } => {
            let currency = currency.parse()?;
            let created = tenancy::create(&pools()?.executor, &slug, &name, currency).await;
            let (_, key) =
                created.map_err(
                    |error| match error.as_database_error().and_then(|error| error.constraint()) {
                        Some("tenants_slug_check" | "tenants_slug_key") => CliError::Slug,
                        _ => error.into(),
                    },
                )?;
            println!("{}", key.as_str());
            Ok(())
        }
        TenantCommand::AddKey { slug } => {
            let mut tx = begin(&pools()?, &slug).await?;
            let key = tenancy::store_keys::add(&mut tx).await?;
            tx.commit().await?;
            println!("{}", key.as_str());
            Ok(())
        }
    }
}
