//! `countersign shopper`: sets passwords, and exports or erases what is stored about a shopper.

use clap::Subcommand;

use super::{
    CliError, begin, pools, tenant,
    terminal::{read_password, say},
};
use crate::{
    identity::shoppers,
    store::{erasure, privacy},
    tenancy::audit::{self, Actor, Entry},
};

#[derive(Subcommand)]
pub enum ShopperCommand {
    /// Set a shopper's password, read from standard input.
    SetPassword {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
        /// The shopper's e-mail address, or the store's own id for the shopper.
        shopper: String,
    },
    /// Print everything that is stored about a shopper, as JSON.
    Export {
        #[arg(long)]
        tenant: String,
        shopper: String,
    },
    /// Erase a shopper. Records of money that was moved are kept, but not whose it was. This cannot be undone.
    Erase {
        #[arg(long)]
        tenant: String,
        shopper: String,
    },
}

pub async fn run(command: ShopperCommand) -> Result<(), CliError> {
    match command {
        ShopperCommand::Export { tenant: slug, shopper } => {
            let mut tx = begin(&pools()?, &slug).await?;
            let id = privacy::find(&mut tx, &shopper)
                .await?
                .ok_or(CliError::NoShopper(shopper))?;
            let everything = privacy::export(&mut tx, id).await?;
            say(format_args!("{everything:#}"))?;
            let system = Actor::system();
            let entry = Entry::new(&system, "shopper.export", ("shopper", id), crate::clock::now());
            audit::append(&mut tx, entry).await?;
            Ok(tx.commit().await?)
        }
        ShopperCommand::Erase { tenant: slug, shopper } => {
            let mut tx = begin(&pools()?, &slug).await?;
            let id = privacy::find(&mut tx, &shopper)
                .await?
                .ok_or_else(|| CliError::NoShopper(shopper.clone()))?;
            erasure::erase(&mut tx, id, &Actor::system(), crate::clock::now()).await?;
            tx.commit().await?;
            say(format_args!("{shopper} of {slug} is erased"))
        }
        ShopperCommand::SetPassword { tenant: slug, shopper } => {
            let pools = pools()?;
            let store = tenant(&pools, &slug).await?;
            let password = read_password()?;
            match shoppers::set_password(&pools.executor, &store, &shopper, password, crate::clock::now()).await? {
                true => say(format_args!("the password of {shopper} at {slug} is set")),
                false => Err(CliError::NoShopper(shopper)),
            }
        }
    }
}
