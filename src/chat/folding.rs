//! Folding: reduces text to the form that the patterns match, without characters that hide or decorate it.

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
        text.char_indices().for_each(|(at, c)| folded.push(c, at));
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
