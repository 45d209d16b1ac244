//! The command line: one program, one subcommand for each thing an operator does.

mod after_restore;
mod catch_mail;
mod control;
mod demo;
mod demo_store;
mod doctor;
mod connect;
pub mod export;
pub mod import;
mod integrations;
mod keys;
mod model;
pub mod private_postgres;
mod probe;
mod prompt;
mod redact;
mod secrets;
pub mod replay;
pub mod serve;
mod shoppers;
mod staff;
mod tenants;
mod terminal;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sqlx::postgres::PgConnectOptions;

use crate::{
    config::{ConfigError, Settings, environment},
    identity::IdentityError,
    jobs,
    money::MoneyError,
    telemetry,
    tenancy::{self, DatabaseSettings, Executor, Pools, Scope, Tenant, Tx, bootstrap},
};
use terminal::say;

/// A self-hosted chatbot backend for online stores: the model proposes, a person countersigns.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try the service with a private Postgres, a demo store and the fallback rules, on loopback. Needs no settings.
    Demo(demo::Options),
    /// Run the service. Settings come from the environment (see .env.example).
    Serve,
    /// Run only the job queue, which executes approved proposals.
    Worker,
    /// Create the database roles and bring the schema up to date. Safe to run again.
    Migrate,
    /// End every session, API key, invitation and code, once after a backup was restored: some may have been revoked since the dump.
    /// Needs DATABASE_ADMIN_URL.
    AfterRestore,
    /// Manage stores.
    #[command(subcommand)]
    Tenant(tenants::TenantCommand),
    /// Manage shoppers.
    #[command(subcommand)]
    Shopper(shoppers::ShopperCommand),
    /// Manage staff.
    #[command(subcommand)]
    Staff(staff::StaffCommand),
    /// Examine a live installation and say what is wrong and how to fix it.
    Doctor(doctor::Options),
    /// Check the language models.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Connect a store with its shop: checks the permissions, registers the webhooks and fetches products, customers and orders, with their
    /// history. Safe to run again: a fetch that was cut off goes on. Asks for the shop's secrets, or reads them from standard input, a line
    /// each.
    Connect(connect::Options),
    /// Manage the secrets of integrations: Stripe, Shopify, the CRM, and the secrets that webhooks are signed with.
    #[command(subcommand)]
    Integration(integrations::IntegrationCommand),
    /// Manage the keys that stores sign assertions with, and rotate the server's secret.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Verify the audit.
    #[command(subcommand)]
    Audit(staff::AuditCommand),
    /// Run scripted conversations, each on a fresh copy of a store, and compare how each ends with what is expected.
    Replay(replay::Options),
    /// Import products, shoppers and orders. Safe to run again; invalid lines are reported and skipped.
    Import {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
        /// Without it, `csv` for a file whose name ends in .csv, else `jsonl`.
        #[arg(long, value_enum)]
        format: Option<import::Format>,
        /// Store nothing, and say what would be new, changed, unchanged, skipped and rejected.
        #[arg(long)]
        dry_run: bool,
        /// A file, `-` for standard input, or with `--format retail` a folder.
        path: PathBuf,
    },
    /// Import help articles: a folder of Markdown files, NAME.md or NAME.de.md. Safe to run again.
    ImportHelp {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
        folder: PathBuf,
    },
    /// Print a store's products, shoppers and orders in the format of `import`.
    Export {
        /// The store's slug.
        #[arg(long)]
        tenant: String,
    },
    /// Use a running server as a shopper would, and report how each step went. The exit status is 0 if all went well. Without a probe
    /// account only the health is checked, as in container health checks.
    Probe(probe::Options),
    /// Print the system prompt and the tools exactly as the model gets them. Fails on secrets, hidden policy and missing rules.
    Prompt {
        /// The store's slug. Default: every store.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Copy a log without credentials and personal data, for logs of older releases or of other programs.
    Redact {
        /// A file, or `-` for standard input.
        #[arg(default_value = "-")]
        path: PathBuf,
    },
    /// Create the secrets of an installation, each in its own file. Existing files are kept.
    Secrets {
        folder: PathBuf,
        #[command(flatten)]
        admin: secrets::Admin,
    },
    /// Run a mail relay that forwards nothing but shows mail on a page, for trials and tests.
    CatchMail {
        #[arg(long, default_value = "127.0.0.1:1025")]
        smtp: std::net::SocketAddr,
        #[arg(long, default_value = "127.0.0.1:8025")]
        page: std::net::SocketAddr,
    },
    /// Print the OpenAPI document.
    Openapi,
}

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Migrate(#[from] bootstrap::MigrateError),
    #[error(transparent)]
    PrivatePostgres(#[from] private_postgres::PrivatePostgresError),
    #[error("there is no store `{0}`; `countersign tenant create {0} --name … --currency …` makes one")]
    NoTenant(String),
    #[error("the store has no shopper `{0}`")]
    NoShopper(String),
    #[error("the slug must be 1 to 63 small letters, digits and hyphens, and begin with a letter or digit")]
    Slug,
    #[error("there is a store `{0}` already; `countersign tenant add-key {0}` makes another key for it")]
    SlugTaken(String),
    #[error("--currency: {0}")]
    Currency(#[from] MoneyError),
    #[error("a password must hold 10 to 256 characters; give it on standard input")]
    Password,
    #[error("{path}: {1}", path = .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    #[error(
        "the database role {0} may bypass row-level security; take SUPERUSER and BYPASSRLS from it, or run `countersign migrate`"
    )]
    PowerfulRole(&'static str),
    #[error(
        "this database was restored from a backup, so sessions and keys that were revoked since the dump may be live again; run `countersign after-restore`, then start"
    )]
    Restored,
    #[error("{} not imported", lines(*.0))]
    Rejected(usize),
    #[error("the audit of `{0}` is broken at entry {1}")]
    BrokenAudit(String, i64),
    #[error("{0} of {1} conversations did not end as expected")]
    Replay(usize, usize),
    #[error("not healthy: {0}")]
    Unhealthy(&'static str),
    #[error(transparent)]
    Mail(#[from] crate::mail::SmtpError),
    #[error("{0}")]
    Argument(String),
    #[error(transparent)]
    Examine(#[from] crate::doctor::ExamineError),
    #[error("{} wrong", things(*.0))]
    Doctor(usize),
    #[error(transparent)]
    Queue(#[from] crate::jobs::QueueError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the database: {}", telemetry::cause(.0))]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn things(count: usize) -> String {
    match count {
        1 => "1 thing is".to_owned(),
        more => format!("{more} things are"),
    }
}

fn lines(count: usize) -> String {
    match count {
        1 => "1 line was".to_owned(),
        more => format!("{more} lines were"),
    }
}

/// The exit status of a program whose output is closed: what a shell reports for one that SIGPIPE ends.
const CLOSED_OUTPUT: u8 = 128 + 13;

/// Runs the command line of this process.
pub async fn run() -> ExitCode {
    match dispatch(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has read enough, as in `countersign prompt | head`.
        Err(CliError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(CLOSED_OUTPUT),
        Err(error) => {
            let mut text = format!("countersign: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text.push_str(&format!(": {inner_text}"));
                }
                cause = inner.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo(options) => demo::run(options).await,
        Command::Serve => serve::run(Settings::for_serve(&environment)?).await,
        Command::Worker => serve::work(Settings::for_serve(&environment)?).await,
        Command::Replay(options) => replay::run(options).await,
        Command::Staff(command) => staff::run(command).await,
        Command::Doctor(options) => doctor::run(options).await,
        Command::Model(command) => model::run(command).await,
        Command::Integration(command) => integrations::run(command).await,
        Command::Connect(options) => connect::run(options).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Tenant(command) => tenants::run(command).await,
        Command::Shopper(command) => shoppers::run(command).await,
        Command::Audit(command) => staff::audit(command).await,
        Command::Migrate => {
            let (admin, database) = Settings::for_migrate(&environment)?;
            migrate(&admin, &database).await?;
            say(format_args!(
                "the schema is at migration {}",
                tenancy::schema::newest_migration()
            ))
        }
        Command::AfterRestore => after_restore::run().await,
        Command::Export { tenant: slug } => {
            let pools = pools()?;
            let store = tenant(&pools, &slug).await?;
            let mut out = std::io::BufWriter::new(std::io::stdout());
            let count = export::write(&pools.executor, &store, &mut out).await?;
            std::io::Write::flush(&mut out)?;
            eprintln!("{count} records exported");
            Ok(())
        }
        Command::Import {
            tenant: slug,
            format,
            dry_run,
            path,
        } => {
            let pools = pools()?;
            let store = tenant(&pools, &slug).await?;
            let format = format.unwrap_or_else(|| import::Format::of(&path));
            let mode = if dry_run {
                import::Mode::DryRun
            } else {
                import::Mode::Store
            };
            let report = import::from_path(&pools.executor, &store, format, path, mode).await?;
            report.print(mode)
        }
        Command::ImportHelp { tenant: slug, folder } => {
            let pools = pools()?;
            let store = tenant(&pools, &slug).await?;
            let changed = import::articles::from_folder(&pools.executor, &store, &folder).await?;
            say(format_args!("{changed} articles have changed"))
        }
        Command::Probe(options) => probe::run(options).await,
        Command::Prompt { tenant } => prompt::run(tenant).await,
        Command::Redact { path } => redact::run(path),
        Command::Secrets { folder, admin } => secrets::run(&folder, admin),
        Command::CatchMail { smtp, page } => catch_mail::run(smtp, page).await,
        Command::Openapi => say(crate::http::openapi_json()),
    }
}

/// Brings the database schema, and that of the job queue, up to date.
pub async fn migrate(admin: &PgConnectOptions, database: &DatabaseSettings) -> Result<(), CliError> {
    bootstrap::migrate(admin, database).await?;
    Ok(jobs::migrate(admin).await?)
}

fn pools() -> Result<Pools, CliError> {
    Ok(tenancy::connect(&Settings::database_only(&environment)?))
}

async fn tenant(pools: &Pools, slug: &str) -> Result<Tenant, CliError> {
    tenancy::find_by_slug(&pools.executor, slug)
        .await?
        .ok_or_else(|| CliError::NoTenant(slug.to_owned()))
}

/// Begins a transaction of the executor role for the store with this slug.
async fn begin(pools: &Pools, slug: &str) -> Result<Tx<Executor>, CliError> {
    let store = tenant(pools, slug).await?;
    Ok(pools.executor.begin(Scope::tenant(store.id)).await?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::error::ErrorKind;
    use regex::Regex;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        <super::Arguments as clap::CommandFactory>::command().debug_assert();
    }

    /// The command lines of this program in a page, each with whether it stands in a block, where it must be complete.
    fn commands(page: &str) -> Vec<(String, bool)> {
        let command = Regex::new(r"(?:^|[\s(])countersign ([a-z][a-z-]*)($| [^#|<>;)&]*)").expect("a pattern");
        let (mut found, mut is_block) = (Vec::new(), false);
        for line in page.replace("\\\n", " ").lines() {
            if let Some(kind) = line.strip_prefix("```") {
                is_block = kind.starts_with("sh");
                continue;
            }
            let texts: Vec<&str> = match is_block {
                true => vec![line],
                false => line.split('`').skip(1).step_by(2).collect(),
            };
            for text in texts {
                let line_of = |found: regex::Captures<'_>| (format!("{}{}", &found[1], &found[2]), is_block);
                found.extend(command.captures_iter(text).map(line_of));
            }
        }
        found
    }

    /// Why the program does not take a command line. An incomplete one is refused only where it must be complete; `…` stands for anything.
    fn fault(line: &str, must_be_complete: bool) -> Option<String> {
        let words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
        let error = Arguments::try_parse_from(["countersign"].into_iter().chain(words)).err()?;
        let is_incomplete = matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        let is_cut_short = error.to_string().contains("but none was supplied");
        let is_fine = line.contains('…') || !must_be_complete && (is_incomplete || is_cut_short);
        (!is_fine).then(|| error.to_string())
    }

    #[test]
    fn the_pages_show_commands_that_there_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
            .map(|page| root.join(page))
            .into();
        let docs = std::fs::read_dir(root.join("docs")).expect("a folder").flatten();
        pages.extend(
            docs.map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|end| end == "md")),
        );
        let mut seen = 0;
        for page in pages {
            let text = std::fs::read_to_string(&page).expect("text");
            for (line, must_be_complete) in commands(&text) {
                seen += 1;
                let fault = fault(&line, must_be_complete);
                assert!(fault.is_none(), "{}: countersign {line}: {fault:?}", page.display());
            }
        }
        assert!(seen > 50, "{seen} commands are found");
    }

    #[test]
    fn a_wrong_command_in_a_page_is_found() {
        let found =
            commands("`countersign integration list STORE`\n```sh\nKEY=$(countersign tenant create acme)\n```\n");
        let faults: Vec<bool> = found
            .iter()
            .map(|(line, whole)| fault(line, *whole).is_some())
            .collect();
        assert_eq!(faults, [true, true], "{found:?}");
        assert!(fault("integration list", false).is_none() && fault("probe --textfile", false).is_none());
    }
}
