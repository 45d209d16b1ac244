//! `countersign replay`: runs scripted conversations through the real HTTP API, each on a fresh copy of the store's data, so that a store
//! can regression-test its assistant.

mod expect;
mod retail;
mod run;

use std::{fs, path::PathBuf, sync::Arc};

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::{CliError, import, terminal::say};
pub use expect::Expected;

#[derive(clap::Args)]
pub struct Options {
    /// The format of FILE: `jsonl` as in `docs/replay.md`, or `retail` for the tasks of the public retail data set.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: import::Format,
    /// The store's data: an import file, or with `--format retail` the data set's folder.
    #[arg(long)]
    store: PathBuf,
    /// How many conversations run at once.
    #[arg(long, default_value_t = 4)]
    at_once: usize,
    /// A file with one conversation a line.
    file: PathBuf,
}

/// One scripted conversation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub id: String,
    /// The store's own id for the shopper.
    pub shopper: String,
    pub turns: Vec<ScriptedTurn>,
    /// The state the store must end in. Orders that are not named must not have changed.
    #[serde(default)]
    pub expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedTurn {
    pub text: String,
    #[serde(default)]
    pub calls: Vec<ScriptedCall>,
    /// The decision on the proposals of this turn.
    #[serde(default)]
    pub decision: Decision,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    pub tool: String,
    pub arguments: Value,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The shopper confirms or staff approve, whoever must decide.
    #[default]
    Approve,
    Reject,
    /// No decision is made.
    Leave,
}

/// How one conversation ended: its id, and what was not as expected.
pub struct Outcome {
    pub id: String,
    pub differences: Vec<String>,
}

/// Runs the file's conversations; prints each that did not end as expected, and the count.
pub async fn run(options: Options) -> Result<(), CliError> {
    let outcomes = replay(&options).await?;
    let failed: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| !outcome.differences.is_empty())
        .collect();
    for outcome in &failed {
        say(format_args!("{}: {}", outcome.id, outcome.differences.join("; ")))?;
    }
    say(format_args!(
        "{} of {} conversations ended as expected",
        outcomes.len() - failed.len(),
        outcomes.len()
    ))?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(CliError::Replay(failed.len(), outcomes.len()))
    }
}

async fn replay(options: &Options) -> Result<Vec<Outcome>, CliError> {
    let text = fs::read_to_string(&options.file).map_err(|error| CliError::Unreadable(options.file.clone(), error))?;
    let scripts = match options.format {
        import::Format::Retail => retail::scripts(&options.store, &text),
        // Every other format has one script a line.
        _ => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect(),
    };
    let scripts: Vec<Script> =
        scripts.map_err(|error| CliError::Unreadable(options.file.clone(), std::io::Error::other(error)))?;
    let sandbox = Arc::new(run::Sandbox::create(options.format, options.store.clone()).await?);
    stream::iter(scripts.into_iter().enumerate())
        .map(|(number, script)| {
            let sandbox = sandbox.clone();
            async move { sandbox.run(number, script).await }
        })
        .buffer_unordered(options.at_once.max(1))
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}
