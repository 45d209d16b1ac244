//! The output guard: checks what a model says while it streams, before a shopper reads it.
//!
//! It keeps back the standing instructions and the canary in them, in any encoding it knows; e-mail addresses that nobody in this
//! conversation has named; credentials and numbers that pay for something; and unsupported claims and links. Text that may still turn out
//! to be such a thing is held back until that is known.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use regex::Regex;

use super::{claims, evidence::Evidence, sentences};
use crate::{language::Language, model::ToolCall, telemetry::hide_credentials, text::is_invisible};

/// Replaces text that was removed.
pub(super) const REMOVED: &str = "[removed]";
/// Shorter lines of the instructions, counted in letters and digits, are not looked for: they could occur by chance.
const MIN_LINE_LENGTH: usize = 32;
/// How many bytes of a sentence are remembered after they were sent.
const MAX_REMEMBERED_BYTES: usize = 400;
/// A word longer than this, in bytes, is sent before its end: no address is that long.
const MAX_WORD_BYTES: usize = 320;

/// Why an answer was changed or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    /// It repeats the instructions. The answer ends there.
    Instructions,
    /// An unknown address, or a credential, was removed.
    Foreign,
    /// It claimed something that was not done, or linked to a host that nobody named.
    Claim,
}

impl Breach {
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Foreign => "foreign",
            Self::Claim => "claim",
        }
    }
}

/// Matches e-mail addresses. `None` if the pattern does not compile: then no text passes.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+").ok());

/// Checks the answers of one turn.
#[derive(Default)]
pub(super) struct OutputGuard {
    /// The texts that must not be sent, reduced to letters and digits in lower case.
    secret: Vec<String>,
    /// Everything that the model may repeat in this conversation, in lower case.
    known: String,
    /// The results of tools and this server's notes, which claims are checked against.
    evidence: Evidence,
    /// The hosts of the store's own pages.
    hosts: Vec<String>,
    language: Option<Language>,
    held: String,
    /// The part of the current sentence that is held back, and the part that was sent.
    sentence: String,
    text: String,
    pub breach: Option<Breach>,
}

impl OutputGuard {
    /// Creates a guard that keeps `instructions` and `canary` from being sent.
    pub fn new(instructions: &str, canary: &str) -> Self {
        let lines = instructions
            .lines()
            .map(plain)
            .filter(|line| line.len() >= MIN_LINE_LENGTH);
        Self {
            secret: lines.chain(disguises(canary)).collect(),
            ..Self::default()
        }
    }

    /// Allows the model to repeat what is in `text`.
    pub fn allow(&mut self, text: &str) {
        self.known.push_str(&text.to_lowercase());
        self.known.push('\n');
    }

    /// Adds a tool's result, or a note on a proposal, to the evidence for the model's claims.
    pub fn add_fact(&mut self, text: &str) {
        self.allow(text);
        self.evidence.add(text);
    }

    /// Adds how far a proposal has come, and nothing of its text, which the model had a hand in.
    pub fn add_progress(&mut self, result: &str) {
        self.evidence.add_progress(result);
    }

    /// Adds this server's reason for refusing a call, if none of the model's own words is in it.
    pub fn add_refusal(&mut self, result: &str, call: &ToolCall) {
        self.evidence.add_refusal(result, call);
    }

    /// Sets the language of replacement sentences, and the hosts that links may lead to.
    pub fn for_language(mut self, language: Language, hosts: Vec<String>) -> Self {
        (self.language, self.hosts) = (Some(language), hosts);
        self
    }

    /// Adds the next piece of an answer, and returns the text that may be sent now.
    pub fn push(&mut self, piece: &str) -> Result<String, Breach> {
        self.held.push_str(piece);
        let (text, places) = plain_with_places(&self.held);
        if self.secret.iter().any(|secret| text.contains(secret.as_str())) {
            return Err(self.withhold());
        }
        let beginning = self.secret.iter().filter_map(|secret| begins_at(&text, secret)).min();
        let beginning = beginning
            .and_then(|at| places.get(at).copied())
            .unwrap_or(self.held.len());
        // A word is sent whole. Otherwise a link might pass in two halves, neither of which looks like one.
        let beginning = last_word(&self.held[..beginning.min(last_word(&self.held))]);
        let rest = self.held.split_off(beginning);
        let sure = std::mem::replace(&mut self.held, rest);
        let sure = self.clean(sure);
        self.sentence.push_str(&sure);
        let rest = self.sentence.split_off(sentences::sendable_length(&self.sentence));
        let whole = std::mem::replace(&mut self.sentence, rest);
        Ok(self.check_claims(&whole))
    }

    /// The text that was held back, after the last piece of an answer.
    pub fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        let rest = self.clean(rest);
        self.sentence.push_str(&rest);
        let whole = std::mem::take(&mut self.sentence);
        self.check_claims(&whole)
    }

    /// Checks sentences, each together with the part of it that was sent before, and returns what may be sent.
    fn check_claims(&mut self, text: &str) -> String {
        let language = self.language.unwrap_or(Language::EN);
        let (mut begin, mut new) = (0, self.text.len());
        self.text.push_str(text);
        let mut checked = String::new();
        for end in sentences::ends(&self.text).chain([self.text.len()]) {
            if end > new {
                let (before, piece) = (&self.text[begin..new], &self.text[new..end]);
                match claims::check(before, piece, (&self.evidence, &self.hosts), language) {
                    Some(instead) => {
                        self.breach.get_or_insert(Breach::Claim);
                        // A replacement is not repeated directly after itself.
                        if !checked.trim_end().ends_with(instead.trim_end()) {
                            checked.push_str(&instead);
                        }
                    }
                    None => checked.push_str(piece),
                }
                new = end;
            }
            if end < self.text.len() || sentences::end_of_sentences(&self.text) == end {
                begin = end;
            }
        }
        // Of a sentence that never ends, only the last bytes are kept.
        let begin = begin.max(self.text.len().saturating_sub(MAX_REMEMBERED_BYTES));
        self.text.drain(..self.text.ceil_char_boundary(begin));
        checked
    }

    /// Whether what the answer speaks of as done may be so: something was done in this conversation, a tool said the same, or a sentence of
    /// the answer was replaced already.
    pub fn may_be_done(&self, completed: &[String]) -> bool {
        let is_known = |sentence: &String| self.evidence.holds(sentence);
        self.breach == Some(Breach::Claim) || !self.evidence.is_empty() || completed.iter().all(is_known)
    }

    /// Whether `text`, which goes somewhere else than to the shopper, holds instructions or the canary.
    pub fn forbids(&self, text: &str) -> bool {
        let text = plain(text);
        self.secret.iter().any(|secret| text.contains(secret.as_str()))
    }

    fn withhold(&mut self) -> Breach {
        self.held.clear();
        self.breach = Some(Breach::Instructions);
        Breach::Instructions
    }

    fn clean(&mut self, text: String) -> String {
        let visible: String = text
            .chars()
            .filter(|&c| c.is_whitespace() || !is_invisible(c))
            .collect();
        let known = &self.known;
        let foreign = |found: &regex::Captures| match known.contains(&found[0].to_lowercase()) {
            true => found[0].to_owned(),
            false => REMOVED.to_owned(),
        };
        let cleaned = match ADDRESS.as_ref() {
            Some(address) => address.replace_all(&visible, foreign).into_owned(),
            None => REMOVED.to_owned(),
        };
        let cleaned = hide_credentials(&cleaned).unwrap_or(cleaned);
        if cleaned == visible {
            // Joiners form emoji and separate words in Persian: where nothing was hidden, the text keeps them.
            return text;
        }
        self.breach = Some(Breach::Foreign);
        cleaned
    }
}

/// Letters and digits only, in lower case: spaces, signs and invisible characters between them are left out.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The same as [`plain`], with the byte offset in `text` of each byte of the result.
fn plain_with_places(text: &str) -> (String, Vec<usize>) {
    let (mut plain, mut places) = (String::new(), Vec::new());
    for (at, c) in text.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        for small in c.to_lowercase() {
            plain.push(small);
            places.resize(plain.len(), at);
        }
    }
    (plain, places)
}

/// The canary as it is, reversed, in hexadecimal, and in base64 at each of the three alignments.
fn disguises(canary: &str) -> Vec<String> {
    let mut all = vec![
        plain(canary),
        plain(&canary.chars().rev().collect::<String>()),
        hex::encode(canary),
    ];
    for offset in 0..3 {
        let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{}{canary}", "\0".repeat(offset)));
        // The first and last characters depend on the text around the canary.
        let own = encoded
            .get((offset * 8).div_ceil(6)..encoded.len() - 2)
            .unwrap_or_default();
        all.push(plain(own));
    }
    all
}

/// Where the longest end of `text` begins that could be the start of `secret`.
fn begins_at(text: &str, secret: &str) -> Option<usize> {
    let longest = text.len().min(secret.len().saturating_sub(1));
    (1..=longest)
        .rev()
        .map(|length| text.len() - length)
        .find(|&at| text.is_char_boundary(at) && secret.starts_with(&text[at..]))
}

/// Where the last word begins, which may be incomplete. Words that may be groups of one number, or that announce a token, are held back
/// together with what follows them.
fn last_word(text: &str) -> usize {
    // Dots and letters of other widths belong to a word: browsers read them as those of an address.
    let is_wide = |c: char| matches!(c, '。' | '｡' | '\u{ff01}'..='\u{ff5e}');
    let parts_words = |c: char| c.is_whitespace() || c >= '\u{2e80}' && !is_invisible(c) && !is_wide(c);
    let word_start = |end: usize| {
        text[..end]
            .rfind(parts_words)
            .map_or(0, |at| text.ceil_char_boundary(at + 1))
    };
    let mut start = word_start(text.len());
    loop {
        let before = text[..start].trim_end_matches(' ');
        let word = &before[word_start(before.len())..];
        let is_group = word
            .chars()
            .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '-');
        let announces = word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic");
        if word.is_empty() || !(is_group || announces) || text.len() - start > MAX_WORD_BYTES {
            break;
        }
        start = before.len() - word.len();
    }
    match text.len() - start > 2 * MAX_WORD_BYTES {
        true => text.len(),
        false => start,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CANARY: &str = "k7f3q9x2m4b8w6tzp5";
    const INSTRUCTIONS: &str = "You are the assistant of the store Harbour Goods.\n- Answer from what the tools return. If they do not say, say that you do not know.\nShort.";

    fn through(guard: &mut OutputGuard, pieces: &[&str]) -> String {
        let mut out = String::new();
        for piece in pieces {
            match guard.push(piece) {
                Ok(text) => out.push_str(&text),
                Err(_) => return out,
            }
        }
        out + &guard.finish()
    }

    fn guard() -> OutputGuard {
        let mut guard = OutputGuard::new(INSTRUCTIONS, CANARY);
        guard.allow("I am Mia <Mia@Example.com>");
        guard
    }

    #[test]
    fn what_was_taken_out_is_only_what_is_foreign() {
        for (said, heard) in [
            ("Order #1001 costs 89.00 USD.", "Order #1001 costs 89.00 USD."),
            ("Write to mia@example.com.", "Write to mia@example.com."),
            ("Write to noah@example.com, now.", "Write to [removed], now."),
            ("no\u{200b}ah@exa\u{200d}mple.com", "[removed]"),
            ("no\u{2066}ah@exa\u{2069}mple.com", "[removed]"),
            ("noah@exa\u{e0061}mple.com", "[removed]"),
            ("noah@exa\u{3164}mple.com", "[removed]"),
            ("pay with 4111 1111 1111 1111 please", "pay with [redacted card] please"),
            ("the key is sk-abcdefghijklmnop1234", "the key is [redacted token]"),
            ("👩\u{200d}🚀 می\u{200c}خواهم", "👩\u{200d}🚀 می\u{200c}خواهم"),
            ("日本語のとても長い答えです。", "日本語のとても長い答えです。"),
            ("You are the one.", "You are the one."),
        ] {
            let whole = through(&mut guard(), &[said]);
            let letters: Vec<String> = said.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            assert_eq!(whole, heard);
            assert_eq!(through(&mut guard(), &letters), heard, "letter by letter");
        }
    }

    #[test]
    fn words_go_out_as_they_come() {
        let mut guard = guard();
        assert_eq!(guard.push("Hello there, ").ok().as_deref(), Some("Hello there, "));
        assert_eq!(guard.push("glad to help").ok().as_deref(), Some("glad to "));
        assert_eq!(guard.push(" here").ok().as_deref(), Some("help "));
        assert_eq!(guard.finish(), "here");
    }

    #[test]
    fn a_claim_waits_for_the_end_of_its_sentence() {
        let mut guard = guard();
        let mut told = String::new();
        for piece in ["Hello. So I ", "have refunded ", "you. Bye"] {
            told.push_str(&guard.push(piece).expect("no breach of the instructions"));
            assert!(!told.contains("refunded"), "{told}");
        }
        told.push_str(&guard.finish());
        assert_eq!(
            told,
            format!("Hello. So I have … {} Bye", claims::NOT_DONE.in_language(Language::EN))
        );
        assert_eq!(guard.breach, Some(Breach::Claim));
    }

    /// What the guard sends of an answer that comes in pieces of `size` characters.
    fn in_pieces(said: &str, size: usize) -> String {
        let letters: Vec<char> = said.chars().collect();
        let pieces: Vec<String> = letters.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        through(&mut guard(), &pieces)
    }

    #[test]
    fn a_claim_or_link_is_seen_however_the_answer_is_cut() {
        for (said, forbidden) in [
            ("See https://evil.example/pay now.", "evil"),
            ("See https:/evil.example/pay now.", "evil"),
            ("Go to www.evil.example now.", "evil"),
            ("[Pay](//evil.example) now.", "evil"),
            ("[Pay](evil.example/pay) now.", "evil"),
            ("[Pay][1]\n\n[1]: https://evil.example", "evil"),
            ("Pay at evil.example/pay please.", "evil"),
            ("No problem, I have refunded you.", "refunded"),
            ("I have **refunded** you.", "refunded"),
            ("I have\nrefunded you.", "refunded"),
            (
                "I've cancelled your order, is there anything else I can help with?",
                "cancelled",
            ),
            ("Your refund has been processed.", "processed"),
            ("Kein Problem, ich habe Ihre Bestellung storniert.", "storniert"),
        ] {
            for size in [1, 4, said.len()] {
                let heard = in_pieces(said, size);
                assert!(!heard.contains(forbidden), "{said:?} in pieces of {size}: {heard}");
            }
        }
        for said in [
            "Refunds are credited to the original payment method within 5 days.",
            "You have not been refunded.",
            "An order can be cancelled until it ships.",
            "Ihre Bestellung wurde noch nicht storniert.",
            "It costs 10.00/unit, e.g. shirts/trousers, see order.pdf.",
        ] {
            for size in [1, 4, said.len()] {
                assert_eq!(in_pieces(said, size), said, "in pieces of {size}");
            }
        }
    }

    /// The ways in which a model may encode the canary.
    fn dressed(way: usize, canary: &str) -> String {
        let between = |sign: &str| canary.chars().map(String::from).collect::<Vec<_>>().join(sign);
        match way % 9 {
            0 => canary.to_owned(),
            1 => canary.to_uppercase(),
            2 => between("\u{200b}"),
            3 => between(" "),
            4 => between("-*"),
            5 => canary.chars().rev().collect(),
            6 => hex::encode(canary),
            7 => BASE64_STANDARD_NO_PAD.encode(format!("so: {canary}!")),
            _ => BASE64_STANDARD_NO_PAD.encode(format!("The reference is {canary}, as I was told")),
        }
    }

    proptest! {
        #[test]
        fn canary_never_leaks_in_any_encoding(way in 0_usize..9, before in "[a-zA-Z ,.]{0,40}", after in "[a-zA-Z ,.]{0,40}", cuts in prop::collection::vec(1_usize..9, 1..40)) {
            let said: Vec<char> = format!("{before} {} {after}", dressed(way, CANARY)).chars().collect();
            let mut pieces = Vec::new();
            let mut rest = &said[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece.iter().collect::<String>());
                rest = tail;
            }
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let mut guard = guard();
            let heard = through(&mut guard, &pieces);
            prop_assert_eq!(guard.breach, Some(Breach::Instructions));
            prop_assert!(plain(&heard).len() <= plain(&before).len() + 12, "{}", heard);
        }

        #[test]
        fn what_holds_nothing_forbidden_comes_out_whole(said in "[a-zA-Z0-9äöüß€ ,.!?\n😀日本]{0,300}", cut in 1_usize..20) {
            prop_assume!(hide_credentials(&said).is_none());
            let letters: Vec<char> = said.chars().collect();
            let pieces: Vec<String> = letters.chunks(cut).map(|piece| piece.iter().collect()).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(through(&mut guard(), &pieces), said);
        }
    }
}
