//! What an import did, or in a dry run would do.

use std::fmt::{self, Display};

use super::Mode;
use crate::{
    cli::{CliError, terminal::say},
    store::records::Record,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Products,
    Shoppers,
    Orders,
}

impl Kind {
    pub(super) fn of(record: &Record) -> Self {
        match record {
            Record::Product(_) => Self::Products,
            Record::Shopper(_) => Self::Shoppers,
            Record::Order(_) => Self::Orders,
        }
    }
}

/// How many records of one kind ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub new: usize,
    pub changed: usize,
    pub unchanged: usize,
    /// Older or poorer than what is stored.
    pub skipped: usize,
    pub rejected: usize,
}

impl Tally {
    /// How many are stored now as the import tells them.
    pub fn taken(&self) -> usize {
        self.new + self.changed + self.unchanged
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} new, {} changed, {} unchanged, {} skipped, {} rejected",
            self.new, self.changed, self.unchanged, self.skipped, self.rejected
        )
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub products: Tally,
    pub shoppers: Tally,
    pub orders: Tally,
    /// Line number and reason of each record that an export tells and that is known better.
    pub skipped: Vec<(usize, &'static str)>,
    /// Line number of each record of which something was not taken, and what.
    pub notes: Vec<(usize, String)>,
    /// Line number and reason of each line that was not stored.
    pub rejected: Vec<(usize, String)>,
}

impl Report {
    pub(super) fn of(&mut self, kind: Kind) -> &mut Tally {
        match kind {
            Kind::Products => &mut self.products,
            Kind::Shoppers => &mut self.shoppers,
            Kind::Orders => &mut self.orders,
        }
    }

    /// One line for each kind of which there was anything.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let kinds = [
            ("products", self.products),
            ("shoppers", self.shoppers),
            ("orders", self.orders),
        ];
        kinds
            .into_iter()
            .filter(|(_, tally)| *tally != Tally::default())
            .map(|(kind, tally)| format!("{kind}: {tally}"))
    }
    /// Says what an import did. An error when lines were rejected, in a dry run too.
    pub(in crate::cli) fn print(&self, mode: Mode) -> Result<(), CliError> {
        for (line, note) in &self.notes {
            eprintln!("line {line}: {note}");
        }
        for (line, reason) in &self.skipped {
            eprintln!("line {line}: skipped: {reason}");
        }
        for (line, reason) in &self.rejected {
            eprintln!("line {line}: {reason}");
        }
        match mode {
            Mode::DryRun => {
                for line in self.lines() {
                    say(line)?;
                }
                say("nothing was stored: this was a dry run")?;
            }
            Mode::Store => {
                for line in self.lines() {
                    eprintln!("{line}");
                }
                say(format_args!(
                    "{} products, {} shoppers, {} orders imported",
                    self.products.taken(),
                    self.shoppers.taken(),
                    self.orders.taken()
                ))?;
            }
        }
        match self.rejected.len() {
            0 => Ok(()),
            rejected => Err(CliError::Rejected(rejected)),
        }
    }
}
