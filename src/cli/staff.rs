//! `countersign staff` and `countersign audit`: adds members of staff, and verifies the audit.

use clap::Subcommand;

use super::{
    CliError, begin, pools, tenant,
    terminal::{read_password, say},
};
use crate::{
    identity::{StaffRole, staff},
    tenancy::{self, audit::Head},
};

#[derive(Subcommand)]
pub enum StaffCommand {
    /// Add a member of staff, or give one a new role and password; the password is read from standard input.
    Add {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
        #[arg(long, value_enum)]
        role: StaffRole,
        email: String,
    },
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Verify a store's audit chain.
    Verify {
        slug: String,
        /// A head that you kept elsewhere. The chain must still contain it, which detects entries that were cut off since.
        #[arg(long)]
        head: Option<Head>,
    },
    /// Print the head of a store's audit chain. Keep it where this server cannot write.
    Head { slug: String },
}

pub async fn run(command: StaffCommand) -> Result<(), CliError> {
    let StaffCommand::Add {
        tenant: slug,
        role,
        email,
    } = command;
    let pools = pools()?;
    let store = tenant(&pools, &slug).await?;
    staff::add(&pools.executor, &store, &email, role, read_password()?).await?;
    say(format_args!("{email} is {} at {slug}", role.name()))
}

pub async fn audit(command: AuditCommand) -> Result<(), CliError> {
    let (slug, kept) = match command {
        AuditCommand::Verify { slug, head } => (slug, head),
        AuditCommand::Head { slug } => {
            let head = tenancy::audit::head(&mut begin(&pools()?, &slug).await?).await?;
            return say(head.map_or_else(|| "nothing was done yet".to_owned(), |head| head.to_string()));
        }
    };
    let mut tx = begin(&pools()?, &slug).await?;
    if let Some(kept) = kept
        && !tenancy::audit::holds(&mut tx, &kept).await?
    {
        return Err(CliError::BrokenAudit(slug, kept.seq));
    }
    match tenancy::audit::verify(&mut tx).await? {
        (entries, None) => say(format_args!("{entries} entries, chain whole")),
        (_, Some(broken)) => Err(CliError::BrokenAudit(slug, broken)),
    }
}
