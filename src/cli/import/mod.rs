//! `countersign import`: imports a store's products, shoppers and orders from a file, line by line.

pub mod articles;
mod retail;

use std::{
    io::{BufRead, BufReader, IsTerminal, Read, stderr},
    path::PathBuf,
};

use super::CliError;
use crate::{
    store::{records::Record, upsert},
    telemetry,
    tenancy::{Executor, Pool, Scope, Tenant, Tx},
};

/// How many lines share a transaction. Each line has its own savepoint, so an invalid line does not undo the others.
const BATCH: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line; `docs/import.md` describes it.
    Jsonl,
    /// A folder with the public retail data set: users.json, products.json, orders.json.
    Retail,
}

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub products: usize,
    pub shoppers: usize,
    pub orders: usize,
    /// Line number and reason of each line that was not stored.
    pub rejected: Vec<(usize, String)>,
}

/// Imports a file, standard input (`-`) or a folder.
pub async fn from_path(
    executor: &Pool<Executor>,
    store: &Tenant,
    format: Format,
    path: PathBuf,
) -> Result<Report, CliError> {
    let unreadable = |error| CliError::Unreadable(path.clone(), error);
    match format {
        Format::Retail => {
            let lines = retail::lines(&path).map_err(unreadable)?;
            from_lines(executor, store, lines.into_iter().map(Ok)).await
        }
        Format::Jsonl => {
            let source: Box<dyn Read + Send> = if path.as_os_str() == "-" {
                Box::new(std::io::stdin())
            } else {
                Box::new(std::fs::File::open(&path).map_err(unreadable)?)
            };
            from_lines(executor, store, BufReader::new(source).lines()).await
        }
    }
}

/// Imports lines. This is safe to repeat: a line that is stored already changes nothing.
pub async fn from_lines(
    executor: &Pool<Executor>,
    store: &Tenant,
    lines: impl Iterator<Item = std::io::Result<String>>,
) -> Result<Report, CliError> {
    let mut report = Report::default();
    let mut lines = (1..).zip(lines).peekable();
    while lines.peek().is_some() {
        let mut tx = executor.begin(Scope::tenant(store.id)).await?;
        for (number, line) in lines.by_ref().take(BATCH) {
            let line = line.map_err(|error| CliError::Unreadable("the import".into(), error))?;
            if line.trim().is_empty() {
                continue;
            }
            match import_line(&mut tx, store, &line).await? {
                Ok(Record::Product(_)) => report.products += 1,
                Ok(Record::Shopper(_)) => report.shoppers += 1,
                Ok(Record::Order(_)) => report.orders += 1,
                Err(reason) => report.rejected.push((number, reason)),
            }
        }
        tx.commit().await?;
        if stderr().is_terminal() {
            eprint!(
                "\r{} products, {} shoppers, {} orders…",
                report.products, report.shoppers, report.orders
            );
        }
    }
    Ok(report)
}

/// Stores one line completely or not at all. The inner error is about the line, the outer one is the database's.
async fn import_line(tx: &mut Tx<Executor>, store: &Tenant, line: &str) -> Result<Result<Record, String>, sqlx::Error> {
    let record = match serde_json::from_str::<Record>(line) {
        Ok(record) => record,
        Err(error) => return Ok(Err(format!("not a record: {}", crate::validation::json_fault(&error)))),
    };
    sqlx::query("SAVEPOINT line").execute(&mut **tx).await?;
    let applied = upsert::apply(tx, store, &record).await;
    let end = if applied.is_ok() {
        "RELEASE SAVEPOINT line"
    } else {
        "ROLLBACK TO SAVEPOINT line"
    };
    sqlx::query(end).execute(&mut **tx).await?;
    Ok(applied.map(|_| record).map_err(|error| match &error {
        upsert::UpsertError::Database(cause) => format!("{error}: {}", telemetry::cause(cause)),
        _ => error.to_string(),
    }))
}
