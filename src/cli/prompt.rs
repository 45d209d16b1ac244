//! `countersign prompt`: prints the system prompt and the tools of a store, and checks them.

use super::{CliError, pools, tenant, terminal::say};
use crate::{
    chat::prompt,
    tenancy::{self, Tenant},
    tools::Registry,
};

/// Prints the prompt of one store, or of each, and fails when something is wrong with one.
pub async fn run(slug: Option<String>) -> Result<(), CliError> {
    let pools = pools()?;
    let stores: Vec<Tenant> = match slug {
        Some(slug) => vec![tenant(&pools, &slug).await?],
        None => tenancy::list(&pools.executor).await?,
    };
    let registry = Registry::new(pools.reader.clone(), pools.web.clone());
    let mut wrong = 0;
    for store in &stores {
        for (guest, who) in [(false, "a shopper"), (true, "a guest")] {
            let system = prompt::system_text(&store.name, guest);
            say(format_args!("=== {}, to {who}\n{system}\n", store.slug))?;
            for tool in prompt::definitions(&registry, guest).iter() {
                say(format_args!("{}: {}\n{}\n", tool.name, tool.description, tool.schema))?;
            }
            for fault in prompt::audit(&system) {
                eprintln!("{}, to {who}: {fault}", store.slug);
                wrong += 1;
            }
        }
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(CliError::Doctor(wrong)),
    }
}
