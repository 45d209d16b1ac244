//! Folding: reduces text to the form that the patterns match, without characters that hide or decorate it.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use crate::text::is_invisible;

/// Text in lower case without Markdown's emphasis, quotes, brackets and invisible characters; white space becomes one space, an umlaut two
/// letters. Almost all of it is ASCII then, which patterns match much faster.
#[derive(Default)]
pub(super) struct Folded {
    pub text: String,
    /// The byte offset in the original of each byte of `text`.
    places: Vec<usize>,
}

impl Folded {
    pub fn of(text: &str) -> Self {
        let mut folded = Self::default();
        for (at, c) in text.char_indices() {
            // Bold, full-width and circled letters are written as the plain ones.
            std::iter::once(c)
                .nfkc()
                .for_each(|plain| folded.push(latin(plain), at));
        }
        folded.join_spaced_letters();
        folded
    }

    /// The offset in the original of a byte of the folded text.
    pub fn place(&self, at: usize) -> Option<usize> {
        self.places.get(at).copied()
    }

    fn push(&mut self, c: char, at: usize) {
        match c {
            _ if c.is_whitespace() => self.push_str(" ", at),
            '*' | '_' | '~' | '`' | '\\' | '[' | ']' | '"' | '“' | '”' | '„' | '«' | '»' => {}
            '’' | '‘' | 'ʼ' | '′' => self.push_str("'", at),
            '—' | '–' | '―' => self.push_str(" - ", at),
            '|' => self.push_str(" | ", at),
            'ä' | 'Ä' => self.push_str("ae", at),
            'ö' | 'Ö' => self.push_str("oe", at),
            'ü' | 'Ü' => self.push_str("ue", at),
            'ß' | 'ẞ' => self.push_str("ss", at),
            // The combining dots of an umlaut that is written as two characters.
            '\u{308}' => self.push_str("e", at),
            _ if is_invisible(c) || matches!(c, '\u{300}'..='\u{36f}') => {}
            _ => c
                .to_lowercase()
                .for_each(|small| self.push_str(small.encode_utf8(&mut [0; 4]), at)),
        }
    }

    /// Writes `r e f u n d` and `r.e.f.u.n.d` as one word: four letters or more that stand alone, and do not begin with the words `a` and `I`.
    fn join_spaced_letters(&mut self) {
        static SPACED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b[b-hj-z](?:[ .-][a-z]){3,}\b").ok());
        let Some(spaced) = SPACED.as_ref() else { return };
        let found: Vec<_> = spaced.find_iter(&self.text).map(|found| found.range()).collect();
        for range in found.into_iter().rev() {
            let kept: Vec<usize> = range
                .clone()
                .filter(|&at| self.text.as_bytes()[at].is_ascii_lowercase())
                .collect();
            let word: String = kept.iter().map(|&at| char::from(self.text.as_bytes()[at])).collect();
            let places: Vec<usize> = kept.iter().map(|&at| self.places[at]).collect();
            self.text.replace_range(range.clone(), &word);
            self.places.splice(range, places);
        }
    }

    fn push_str(&mut self, text: &str, at: usize) {
        // Several spaces become one.
        let text = if self.text.ends_with(' ') {
            text.trim_start_matches(' ')
        } else {
            text
        };
        self.text.push_str(text);
        self.places.resize(self.text.len(), at);
    }
}

/// The Latin letter that a Cyrillic or Greek one looks like (the lower-case rows of Unicode's `confusables.txt`, UTS 39).
fn latin(c: char) -> char {
    match c {
        'а' | 'А' | 'α' | 'Α' => 'a',
        'в' | 'В' | 'Β' => 'b',
        'с' | 'С' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'Е' | 'Ε' => 'e',
        'һ' | 'Н' | 'Η' => 'h',
        'і' | 'І' | 'ι' | 'Ι' | 'ı' => 'i',
        'ј' | 'Ј' => 'j',
        'к' | 'К' | 'κ' | 'Κ' => 'k',
        'ƒ' => 'f',
        'ħ' => 'h',
        'ł' | 'Ł' => 'l',
        'đ' | 'Đ' => 'd',
        'ø' | 'Ø' => 'o',
        'ŧ' => 't',
        'ɑ' => 'a',
        'ɡ' => 'g',
        'ӏ' | 'Ӏ' => 'l',
        'м' | 'М' | 'Μ' => 'm',
        'Ν' | 'ո' => 'n',
        'о' | 'О' | 'ο' | 'Ο' | 'օ' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ѕ' | 'Ѕ' => 's',
        'т' | 'Т' | 'τ' | 'Τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'γ' | 'Υ' => 'y',
        'Ζ' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_adorns_words_is_gone() {
        for (text, read) in [
            ("I have **refunded** you", "i have refunded you"),
            ("re\u{200b}fun\u{ad}ded", "refunded"),
            ("I\nhave\u{a0}\u{a0} it", "i have it"),
            ("ZURÜCK zuru\u{308}ck", "zurueck zurueck"),
            ("I’ve—now", "i've - now"),
            ("| a |b|", " | a | b | "),
            ("Ｉ ｈａｖｅ ｒｅｆｕｎｄｅｄ 𝗿𝗲𝗳𝘂𝗻𝗱𝗲𝗱", "i have refunded refunded"),
            ("rеfunded уou", "refunded you"),
            ("I r e f u n d e d it, r.e.f.u.n.d", "i refunded it, refund"),
            ("size S - M - L, a b c", "size s - m - l, a b c"),
        ] {
            assert_eq!(Folded::of(text).text, read);
        }
        let folded = Folded::of("ä**b");
        assert_eq!(
            (folded.place(0), folded.place(2), folded.place(3)),
            (Some(0), Some(4), None)
        );
    }
}
