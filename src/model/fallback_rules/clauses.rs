//! A message, cut into clauses: what is asked, denied or named in one of them is not what the next one means.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    references,
    vocabulary::{GREETING, NEGATION, OPENING, has},
};
use crate::store::order_number;

pub(super) struct Clause {
    /// In small letters, umlauts two letters, without greeting words in front: what patterns read.
    pub words: String,
    /// The order numbers in it, as they are written.
    pub numbers: Vec<String>,
    /// It goes on with what the clause before denied: "I do not want to cancel or return it".
    pub stays_denied: bool,
}

/// The clauses of a message, in order.
pub(super) fn clauses(text: &str) -> Vec<Clause> {
    let text = order_number::plain(text);
    let mut found: Vec<Clause> = Vec::new();
    let mut denied = false;
    for part in parts(&text) {
        let words = read(part.text);
        let has_subject = has(&SUBJECT, &words);
        let stays_denied = part.is_joined && denied && !has_subject;
        denied = stays_denied || has(&NEGATION, &words);
        found.push(Clause {
            words: without_opening(&words).to_owned(),
            numbers: references::find(part.text),
            stays_denied,
        });
    }
    found
}

/// Whether a message only greets or thanks, or asks what can be asked.
pub(super) fn is_greeting(message: &str) -> bool {
    has(&GREETING, &read(message))
}

/// Small letters, umlauts as two letters, one kind of apostrophe, one space where there are several.
pub(super) fn read(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    for c in order_number::plain(text).chars().flat_map(char::to_lowercase) {
        match c {
            'ä' => read.push_str("ae"),
            'ö' => read.push_str("oe"),
            'ü' => read.push_str("ue"),
            'ß' => read.push_str("ss"),
            '’' | '‘' | 'ʼ' | '′' | '`' | '´' => read.push('\''),
            _ if c.is_whitespace() => {
                if !read.is_empty() && !read.ends_with(' ') {
                    read.push(' ');
                }
            }
            _ => read.push(c),
        }
    }
    read.truncate(read.trim_end().len());
    read
}

fn without_opening(words: &str) -> &str {
    match OPENING.as_ref().and_then(|opening| opening.find(words)) {
        Some(opening) => &words[opening.end()..],
        None => words,
    }
}

struct Part<'a> {
    text: &'a str,
    /// By "and" or "or" to the one before.
    is_joined: bool,
}

static SUBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:i|i'm|i'd|i'll|we|please|ich|wir|bitte)\b").ok());
static JOIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\s(and|or|nor|und|oder|but|aber|sondern|because|weil|denn|whether|ob)\s").ok());

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    for sentence in sentences(text) {
        let (mut from, mut is_joined) = (0, false);
        for join in JOIN.iter().flat_map(|join| join.captures_iter(sentence)) {
            let (Some(all), Some(word)) = (join.get(0), join.get(1)) else {
                continue;
            };
            found.push(Part {
                text: &sentence[from..all.start()],
                is_joined,
            });
            from = all.end();
            is_joined = matches!(&word.as_str().to_lowercase()[..], "and" | "or" | "nor" | "und" | "oder");
        }
        found.push(Part {
            text: &sentence[from..],
            is_joined,
        });
    }
    found.retain(|part| part.text.contains(char::is_alphanumeric));
    found
}

/// Between the marks that end a sentence or part of one. A point inside a number or behind "No." is none of them.
fn sentences(text: &str) -> Vec<&str> {
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, mark) in text.char_indices() {
        let after = &text[at + mark.len_utf8()..];
        let ends = match mark {
            '!' | '?' | ';' | '\n' | '。' | '、' | '؟' | '،' | '—' => true,
            ',' if is_year(after) && text[..at].ends_with(|c: char| c.is_ascii_digit()) => false,
            ',' | '.' | ':' => after.is_empty() || after.starts_with(char::is_whitespace),
            '-' | '–' => after.starts_with(' ') && text[..at].ends_with(' '),
            _ => false,
        };
        if ends && !(matches!(mark, '.' | ':') && is_abbreviation(&text[from..at])) {
            found.push(&text[from..at]);
            from = at + mark.len_utf8();
        }
    }
    found.push(&text[from..]);
    found
}

/// The rest of "November 18, 2026".
fn is_year(after: &str) -> bool {
    let year = after.trim_start().get(..4).unwrap_or_default();
    (year.starts_with("19") || year.starts_with("20")) && year.chars().all(|c| c.is_ascii_digit())
}

fn is_abbreviation(before: &str) -> bool {
    let last = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    matches!(
        &last.to_lowercase()[..],
        "no" | "nr"
            | "num"
            | "nummer"
            | "number"
            | "order"
            | "bestellung"
            | "bestellnr"
            | "st"
            | "str"
            | "mr"
            | "mrs"
            | "ms"
            | "dr"
            | "fr"
            | "hr"
            | "ca"
            | "tel"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        clauses(text).into_iter().map(|clause| clause.words).collect()
    }

    #[test]
    fn a_message_is_cut_where_its_meaning_turns() {
        assert_eq!(
            words("Hello! I do not want to return #1002, where is it?"),
            ["", "i do not want to return #1002", "where is it"]
        );
        assert_eq!(
            words("order No. 1001 costs 12.50, right?"),
            ["order no. 1001 costs 12.50", "right"]
        );
        assert_eq!(
            words("Ich möchte nicht zurückgeben aber tauschen"),
            ["ich moechte nicht zurueckgeben", "tauschen"]
        );
        let clauses = clauses("I do not want to cancel or return #1002 and I want a person");
        assert_eq!(
            clauses.iter().map(|clause| clause.stays_denied).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert_eq!(clauses[1].numbers, ["#1002"]);
    }
}
