//! Rules for text from outside, as `validator` functions. An error says what to correct.

use validator::ValidationError;

/// Text of several lines, such as a chat message or a note. Allows tabs, line breaks, and the joiners that scripts and emoji need.
pub fn multi_line(text: &str) -> Result<(), ValidationError> {
    check(text, |c| {
        matches!(c, '\n' | '\r' | '\t' | '\u{200c}' | '\u{200d}') || is_style(c)
    })
}

/// Text of one line: names, order numbers, addresses.
pub fn single_line(text: &str) -> Result<(), ValidationError> {
    check(text, is_style)
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

/// The `LIKE` pattern for texts that contain these words: `%` and `_` in the input are escaped, so that they match literally.
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
}
