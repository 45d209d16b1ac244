//! Splits a streaming text into sentences, and tells how much of it may be sent.

use std::sync::LazyLock;

use regex::Regex;

use super::{folding::Folded, links, phrases};

/// How many bytes of `text` may be sent now: whole sentences, and of an incomplete one the part before any word that a claim or a link may
/// begin with. A sentence that never ends is cut.
pub(super) fn sendable_length(text: &str) -> usize {
    const MAX_SENTENCE_BYTES: usize = 600;
    let whole = end_of_sentences(text);
    let rest = &text[whole..];
    if rest.len() > MAX_SENTENCE_BYTES {
        return text.len();
    }
    let folded = Folded::of(rest);
    let keyword = match phrases::KEYWORD.as_ref() {
        Some(keyword) => keyword.find(&folded.text).and_then(|found| folded.place(found.start())),
        None => Some(0),
    };
    // Signs directly before the word are held back with it.
    let keyword = keyword.map(|at| {
        rest[..at]
            .rfind(char::is_whitespace)
            .map_or(0, |at| rest.ceil_char_boundary(at + 1))
    });
    let held = keyword.into_iter().chain(links::begins(rest)).min();
    whole + held.unwrap_or(rest.len())
}

/// Where a sentence ends: at a mark followed by a space, unless it belongs to a date or an order's number; at a blank line; or at the end
/// of a line before the next entry of a list, row of a table, heading or quotation. The end is that of the match, or of its group.
static END: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?:[.!?…]+[*_~`"'”’»)\]]*)\s+|\n[ \t\r]*\n\s*|(?P<line>\n)[ \t]*(?:[-*+•]\s|#{1,6}\s|[>|]|[0-9]{1,3}[.)]\s|✅|✔|☑|❌)"#).ok()
});

/// The ends of the sentences in `text`.
pub(super) fn ends(text: &str) -> impl Iterator<Item = usize> {
    let found = END.iter().flat_map(move |end| end.captures_iter(text));
    found.filter_map(move |found| {
        let (all, line) = (found.get(0)?, found.name("line"));
        let before = &text[..all.start()];
        let number = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let is_day = (1..=2).contains(&number) && word.len() == number;
        let is_short = ["no", "nr"].iter().any(|short| word.eq_ignore_ascii_case(short));
        let next = text[all.end()..].chars().next();
        let numbers = is_short && next.is_none_or(|c| c == '#' || c.is_ascii_digit());
        let is_end = !(all.as_str().starts_with('.') && (is_day || numbers));
        is_end.then(|| line.unwrap_or(all).end())
    })
}

/// Where the last whole sentence of `text` ends.
pub(super) fn end_of_sentences(text: &str) -> usize {
    ends(text).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_compiles() {
        assert!(END.is_some());
    }

    #[test]
    fn sentences_end_where_people_see_an_end() {
        for (text, end) in [
            ("One. Two", 5),
            ("One", 0),
            ("at 12.50 USD", 0),
            ("a\nb", 0),
            ("a\n\nb", 3),
            ("a\n- b", 2),
            ("a\n**b", 0),
            ("**One.** Two", 9),
            ("Refund: done", 0),
            ("am 3. Mai", 0),
            ("Order No. 1001 is", 0),
            ("No. Sorry", 4),
            ("See https://a.example/x.y", 0),
            ("Done! ", 6),
        ] {
            assert_eq!(end_of_sentences(text), end, "{text}");
        }
    }
}
