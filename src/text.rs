//! Rules for text from outside, as `validator` functions. An error says what to correct.

use validator::ValidationError;

/// Text of several lines, such as a chat message or a note. Allows tabs, line breaks, and the joiners that scripts and emoji need.
pub fn multi_line(text: &str) -> Result<(), ValidationError> {
    check(text, |c| {
        matches!(c, '\n' | '\r' | '\t' | '\u{200c}' | '\u{200d}') || is_style(c)
    })
}

/// Text of one line: names, order numbers, addresses. Joiners are allowed where they join: in emoji and in the scripts that need them.
pub fn single_line(text: &str) -> Result<(), ValidationError> {
    let is_joiner = |c| matches!(c, '\u{200c}' | '\u{200d}');
    let joins = text.contains(is_joiner) && clean(text) == text;
    check(text, |c| is_style(c) || joins && is_joiner(c))
}

/// Several texts of one line each.
pub fn single_lines(texts: &[String]) -> Result<(), ValidationError> {
    texts.iter().try_for_each(|text| single_line(text))
}

/// Text that is not empty and not only white space.
pub fn not_blank(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() {
        Err(refusal("blank", "must not be blank"))
    } else {
        Ok(())
    }
}

/// Text of several lines without what nobody can see: marks of direction from a paste, soft hyphens, the tags of a flag, control characters.
/// Whoever pasted them cannot see them either, so they are taken out and not refused. Joiners stay between signs that they join: those of
/// an emoji, and letters of the scripts that need them. Styles stay behind the sign that they style.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let before = cleaned.chars().next_back();
        let joins = |next: Option<char>| before.is_some_and(takes_joiner) && next.is_some_and(takes_joiner);
        match c {
            '\n' | '\r' | '\t' => cleaned.push(c),
            '\u{85}' | '\u{2028}' | '\u{2029}' => cleaned.push('\n'),
            '\u{200c}' | '\u{200d}' if joins(rest.peek().copied()) => cleaned.push(c),
            _ if is_style(c) && before.is_some_and(|it| !it.is_whitespace() && !is_invisible(it)) => cleaned.push(c),
            _ if is_invisible(c) => {}
            _ => cleaned.push(c),
        }
    }
    cleaned
}

/// Quotes a text for a prompt, as JSON: it can end neither its line nor a part of the server's, which stands in brackets.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('[', "(").replace(']', ")")).to_string()
}

/// Reads a field's text and cleans it, before it is checked.
pub fn cleaned<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    <String as serde::Deserialize>::deserialize(deserializer).map(|text| clean(&text))
}

/// Emoji and the scripts behind Latin, Greek and Cyrillic; a style may stand behind an emoji.
fn takes_joiner(c: char) -> bool {
    c > '\u{58f}' && !c.is_whitespace() && (!is_invisible(c) || is_style(c))
}

/// The pattern of `LIKE` for texts with these words in them: `%` and `_` in what people write are letters, not wildcards.
pub fn contains(words: &str) -> String {
    let escaped = words.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{escaped}%")
}

fn check(text: &str, allowed: impl Fn(char) -> bool) -> Result<(), ValidationError> {
    match text.chars().find(|&c| is_invisible(c) && !allowed(c)) {
        None => Ok(()),
        Some(c) if c.is_control() => Err(refusal("control_character", "must not hold control characters")),
        Some(_) => Err(refusal(
            "invisible_character",
            "must not hold invisible or direction-changing characters",
        )),
    }
}

/// Variation selectors: they choose how a character is drawn, such as a red heart or a black one.
fn is_style(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Characters that hide or reorder text: control characters, line separators, and Unicode's `Default_Ignorable_Code_Point` (UTS 39, section
/// 3.1). Both input validation and the output guard use this.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn refusal(code: &'static str, message: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_unicode_says_is_ignored_is_invisible() {
        let ignorable = regex::Regex::new(r"\p{Default_Ignorable_Code_Point}").expect("a pattern");
        for c in '\0'..=char::MAX {
            assert!(
                is_invisible(c) || !ignorable.is_match(c.encode_utf8(&mut [0; 4])),
                "{c:?}"
            );
        }
        assert!(multi_line("I \u{2764}\u{fe0f} it").is_ok());
    }

    #[test]
    fn visible_text_passes_and_hidden_text_does_not() {
        for good in ["Où est ma commande?", "أين طلبي", "👩‍👩‍👧 hi\nline two\t!", "#W2611340"] {
            assert!(multi_line(good).is_ok(), "{good}");
        }
        for bad in [
            "a\0b",
            "a\u{1b}[31m",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{2066}b",
            "\u{feff}a",
            "a\u{e0041}",
        ] {
            assert!(multi_line(bad).is_err(), "{bad:?}");
            assert!(single_line(bad).is_err(), "{bad:?}");
        }
        assert!(single_line("two\nlines").is_err());
        assert!(not_blank(" \n\u{a0}").is_err());
    }

    #[test]
    fn what_nobody_sees_is_taken_out_and_what_has_meaning_stays() {
        for (pasted, cleaned) in [
            ("\u{202a}Where is #1001?\u{202c}", "Where is #1001?"),
            ("\u{200e}Where\u{ad} is it\u{feff}", "Where is it"),
            ("a\0b\u{1b}c", "abc"),
            ("one\u{2028}two\nthree\tfour", "one\ntwo\nthree\tfour"),
            (
                "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥",
                "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥",
            ),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("a\u{200d}b", "ab"),
            (
                "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} hello",
                "🏴 hello",
            ),
            ("\u{200d}\u{fe0f}\u{202e}", ""),
        ] {
            assert_eq!(clean(pasted), cleaned, "{pasted:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn cleaned_text_is_never_refused(text in ".{0,60}") {
            let cleaned = clean(&text);
            assert!(multi_line(&cleaned).is_ok(), "{cleaned:?}");
            assert_eq!(clean(&cleaned), cleaned);
        }
    }
}
