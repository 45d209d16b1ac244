//! `countersign import`: imports a store's products, shoppers and orders from a file, record by record.

mod apply;
pub mod articles;
mod exports;
mod report;
mod retail;

use std::{
    io::{self, BufRead, BufReader, IsTerminal, Read, stderr},
    path::{Path, PathBuf},
};

use super::CliError;
use crate::{
    store::records::Record,
    tenancy::{Executor, Pool, Scope, Tenant},
};
use apply::{Origin, Outcome};
use exports::Platform;
pub use report::{Kind, Report, Tally};

/// How many records share a transaction. Each has its own savepoint, so an invalid one does not undo the others.
const BATCH: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line; `docs/import.md` describes it.
    Jsonl,
    /// A CSV export of Shopify or WooCommerce, whichever the header row fits.
    Csv,
    /// A CSV file that the admin of Shopify exports: orders, customers or products.
    ShopifyCsv,
    /// A CSV file that the admin of WooCommerce exports: orders, customers or products.
    WoocommerceCsv,
    /// A folder with the public retail data set: users.json, products.json, orders.json.
    Retail,
}

impl Format {
    /// The format of a file whose name is all that is known.
    pub fn of(path: &Path) -> Self {
        match path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) {
            true => Self::Csv,
            false => Self::Jsonl,
        }
    }
}

/// Whether what an import does is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Store,
    /// Everything is done and counted in one transaction, which is rolled back.
    DryRun,
}

/// A record of an import, or why there is none.
struct Entry {
    /// The number of the line that it begins in.
    line: usize,
    record: Result<Record, String>,
    /// What it would have been, where that is known.
    kind: Option<Kind>,
    origin: Origin,
}

type Entries<'a> = Box<dyn Iterator<Item = io::Result<Entry>> + Send + 'a>;

/// Imports a file, standard input (`-`) or a folder.
pub async fn from_path(
    executor: &Pool<Executor>,
    store: &Tenant,
    format: Format,
    path: PathBuf,
    mode: Mode,
) -> Result<Report, CliError> {
    let unreadable = |error| CliError::Unreadable(path.clone(), error);
    let open = || -> io::Result<Box<dyn Read + Send>> {
        match path.as_os_str() == "-" {
            true => Ok(Box::new(io::stdin())),
            false => Ok(Box::new(std::fs::File::open(&path)?)),
        }
    };
    let export = |platform| {
        exports::entries(open().map_err(unreadable)?, platform, store.currency)
            .map_err(|fault| CliError::Argument(format!("{}: {fault}", path.display())))
    };
    let entries = match format {
        Format::Retail => of_lines(retail::lines(&path).map_err(unreadable)?.into_iter().map(Ok)),
        Format::Jsonl => of_lines(BufReader::new(open().map_err(unreadable)?).lines()),
        Format::Csv => export(None)?,
        Format::ShopifyCsv => export(Some(Platform::Shopify))?,
        Format::WoocommerceCsv => export(Some(Platform::WooCommerce))?,
    };
    run(executor, store, entries, mode).await
}

/// Imports lines of JSON. This is safe to repeat: a line that is stored already changes nothing.
pub async fn from_lines(
    executor: &Pool<Executor>,
    store: &Tenant,
    lines: impl Iterator<Item = io::Result<String>> + Send,
) -> Result<Report, CliError> {
    run(executor, store, of_lines(lines), Mode::Store).await
}

fn of_lines<'a>(lines: impl Iterator<Item = io::Result<String>> + Send + 'a) -> Entries<'a> {
    let entries = (1..).zip(lines).filter_map(|(line, text)| {
        let text = match text {
            Ok(text) if text.trim().is_empty() => return None,
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        let record = serde_json::from_str::<Record>(&text)
            .map_err(|error| format!("not a record: {}", crate::validation::json_fault(&error)));
        Some(Ok(Entry {
            line,
            kind: record.as_ref().ok().map(Kind::of),
            record,
            origin: Origin::Store,
        }))
    });
    Box::new(entries)
}

async fn run(executor: &Pool<Executor>, store: &Tenant, entries: Entries<'_>, mode: Mode) -> Result<Report, CliError> {
    let mut report = Report::default();
    let mut entries = entries.peekable();
    let mut seen = 0;
    // What a dry run has stored must be seen by what comes after it, so all of it is one transaction.
    let batch = match mode {
        Mode::Store => BATCH,
        Mode::DryRun => usize::MAX,
    };
    while entries.peek().is_some() {
        let mut tx = executor.begin(Scope::tenant(store.id)).await?;
        for entry in entries.by_ref().take(batch) {
            let entry = entry.map_err(|error| CliError::Unreadable("the import".into(), error))?;
            let outcome = match entry.record {
                Ok(mut record) => apply::apply(&mut tx, store, &mut record, entry.origin).await?,
                Err(reason) => Outcome::Rejected(reason),
            };
            count(&mut report, entry.line, entry.kind, outcome);
            seen += 1;
            if seen % BATCH == 0 {
                show_progress(&report);
            }
        }
        if mode == Mode::Store {
            tx.commit().await?;
        }
    }
    show_progress(&report);
    Ok(report)
}

fn count(report: &mut Report, line: usize, kind: Option<Kind>, outcome: Outcome) {
    let mut ignored = Tally::default();
    let tally = kind.map_or(&mut ignored, |kind| report.of(kind));
    let notes = match outcome {
        Outcome::New(notes) => {
            tally.new += 1;
            notes
        }
        Outcome::Changed(notes) => {
            tally.changed += 1;
            notes
        }
        Outcome::Unchanged(notes) => {
            tally.unchanged += 1;
            notes
        }
        Outcome::Skipped(reason) => {
            tally.skipped += 1;
            report.skipped.push((line, reason));
            return;
        }
        Outcome::Rejected(reason) => {
            tally.rejected += 1;
            report.rejected.push((line, reason));
            return;
        }
    };
    report.notes.extend(notes.into_iter().map(|note| (line, note)));
}

fn show_progress(report: &Report) {
    if stderr().is_terminal() {
        eprint!(
            "\r{} products, {} shoppers, {} orders…",
            report.products.taken(),
            report.shoppers.taken(),
            report.orders.taken()
        );
    }
}
