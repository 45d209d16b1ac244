//! What mails say, a file a language. To add one: write its file, list it in [`of`], and allow it in a migration.

mod de;
mod en;

use crate::{language::Language, ledger::Payout, mail::codes::Purpose, money::Money};

/// A proposal as a mail tells of it.
pub(super) struct Told<'a> {
    pub summary: &'a str,
    pub order: Option<&'a str>,
    pub amount: Option<Money>,
    /// What staff wrote when they rejected it.
    pub reason: Option<&'a str>,
    pub tool: &'a str,
    /// What the shopper was told of the money that goes out for it; none where none does.
    pub payout: Option<Payout>,
}

/// A subject, and the paragraphs under it.
pub(super) struct Said {
    pub subject: String,
    pub paragraphs: Vec<String>,
    pub notes: Vec<String>,
}

/// One language.
pub(super) trait Words: Send + Sync {
    fn language(&self) -> Language;
    fn greeting(&self, name: &str) -> String;
    fn closing(&self, store: &str) -> String;
    /// The names of the facts: order, amount, what, when, from where.
    fn order(&self) -> &'static str;
    fn amount(&self) -> &'static str;
    fn when(&self) -> &'static str;
    fn address(&self) -> &'static str;
    fn device(&self) -> &'static str;

    fn code(&self, purpose: Purpose, store: &str, minutes: i64) -> Said;
    /// The address that somebody wants an account for has one.
    fn known(&self, store: &str) -> Said;
    fn received(&self, told: &Told<'_>) -> Said;
    fn executed(&self, told: &Told<'_>) -> Said;
    fn rejected(&self, told: &Told<'_>) -> Said;
    /// It expired, went stale or could not be done.
    fn undone(&self, told: &Told<'_>) -> Said;
    fn audit_head(&self) -> Said;
    fn payment_needed(&self, told: &Told<'_>) -> Said;
    /// All the money that goes out for it has been paid.
    fn refunded(&self, told: &Told<'_>) -> Said;
    /// Some of that could not be paid.
    fn refund_failed(&self, told: &Told<'_>) -> Said;
    fn new_sign_in(&self, store: &str) -> Said;
    fn budget(&self, scope: &str, period: &str, percent: i64) -> Said;
    fn transcript(&self, store: &str) -> Said;
    fn staff_answer(&self, store: &str) -> Said;
    /// So many shoppers wait for somebody of the staff.
    fn people_wait(&self, store: &str, count: i64) -> Said;
    fn shopper(&self) -> &'static str;
}

/// The words of a language.
pub(super) fn of(language: Language) -> &'static dyn Words {
    match language {
        Language::En => &en::English,
        Language::De => &de::German,
    }
}

fn said(subject: impl Into<String>, paragraphs: &[&str], notes: &[&str]) -> Said {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Said {
        subject: subject.into(),
        paragraphs: owned(paragraphs),
        notes: owned(notes),
    }
}
