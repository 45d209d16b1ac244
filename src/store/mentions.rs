//! Whether something that another system sent mentions a person's e-mail address, in any encoding.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

/// How many encodings may be nested, such as JSON in a form in JSON.
const MAX_NESTED_ENCODINGS: usize = 3;

/// Whether a string of `body`, or a name of one of its fields, contains the whole address `email`: `ve@` is not part of `eve@`.
pub(super) fn mentions(body: &Value, email: &str) -> bool {
    let email = email.to_lowercase();
    let mut texts = Vec::new();
    collect(body, &mut texts);
    texts.into_iter().any(|text| is_in(text, &email, MAX_NESTED_ENCODINGS))
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => {
            for (name, value) in fields {
                texts.push(name);
                collect(value, texts);
            }
        }
        _ => {}
    }
}

fn is_in(text: &str, email: &str, layers: usize) -> bool {
    let decoders: [fn(&str) -> Cow<'_, str>; 4] = [percent, escapes, entities, quoted];
    holds(&text.to_lowercase(), email)
        || layers > 0
            && decoders.iter().any(|decode| match decode(text) {
                Cow::Owned(decoded) if decoded != text => is_in(&decoded, email, layers - 1),
                _ => false,
            })
}

/// Whether `text` contains `email` as a whole address, both in lower case.
fn holds(text: &str, email: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    text.match_indices(email).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + email.len()..]);
        let ahead = before.rfind(|c| !is_part(c)).map_or(before, |end| &before[end..]);
        let ahead = ahead.trim_start_matches(|c| !is_part(c));
        let behind = after.split(|c| !is_part(c)).next().unwrap_or_default();
        // Quotes and emphasis may surround the address, punctuation may follow it.
        let is_adorned =
            !ahead.is_empty() && ahead.chars().all(|c| matches!(c, '\'' | '_')) && behind.starts_with(ahead);
        let behind = if is_adorned { &behind[ahead.len()..] } else { behind };
        (ahead.is_empty() || is_adorned) && !behind.contains(char::is_alphanumeric)
    })
}

/// Decodes percent encoding: `%40`.
fn percent(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

/// Decodes escapes of JSON and JavaScript, such as `\u0040`.
fn escapes(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(.))").ok());
    let Some(pattern) = ESCAPE.as_ref() else {
        return text.into();
    };
    pattern.replace_all(text, |found: &regex::Captures<'_>| {
        let hex = (1..=3).find_map(|group| found.get(group));
        match hex {
            Some(hex) => character(hex.as_str(), 16),
            // `
            // ` and the like separate words; `\"` and `\/` stand for the character itself.
            None if found[4].contains(char::is_alphanumeric) => " ".to_owned(),
            None => found[4].to_owned(),
        }
    })
}

/// Decodes HTML entities: `&#64;`, `&#x40;`, `&commat;`.
fn entities(text: &str) -> Cow<'_, str> {
    static ENTITY: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]{2,8}));?").ok());
    let Some(pattern) = ENTITY.as_ref() else {
        return text.into();
    };
    pattern.replace_all(text, |found: &regex::Captures<'_>| {
        if let Some(hex) = found.get(1) {
            return character(hex.as_str(), 16);
        }
        if let Some(decimal) = found.get(2) {
            return character(decimal.as_str(), 10);
        }
        match &found[3].to_lowercase()[..] {
            "commat" => "@".to_owned(),
            "period" => ".".to_owned(),
            "plus" => "+".to_owned(),
            "lowbar" => "_".to_owned(),
            "amp" => "&".to_owned(),
            "lt" | "gt" | "quot" | "nbsp" => " ".to_owned(),
            _ => found[0].to_owned(),
        }
    })
}

/// Decodes quoted-printable, as mail uses it: `=40`.
fn quoted(text: &str) -> Cow<'_, str> {
    if !text.contains('=') {
        return text.into();
    }
    match quoted_printable::decode(text.as_bytes(), quoted_printable::ParseMode::Robust) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        Err(_) => text.into(),
    }
}

fn character(digits: &str, radix: u32) -> String {
    let found = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    found.map_or_else(|| " ".to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_found_however_it_is_written() {
        for text in [
            "ve@example.com",
            "VE@Example.COM",
            "Ve <ve@example.com>",
            "write to ve@example.com.",
            "'ve@example.com'",
            "_ve@example.com_",
            "mailto:ve@example.com?subject=x",
            "ve%40example.com",
            "to=%3Cve%40example.com%3E",
            "%22ve@example.com%22",
            "ve%2540example.com",
            "%76%65@example.com",
            "ve&#64;example.com",
            "ve&#x40;example&period;com",
            "ve&commat;example.com",
            "ve=40example.com",
            r"ve\u0040example.com",
            r#"{\"email\": \"ve\\u0040example.com\"}"#,
            r"line\nve@example.com",
            "email=3Dve=40example.com",
        ] {
            assert!(mentions(&json!({ "a": [{ "b": text }] }), "ve@example.com"), "{text}");
            assert!(mentions(&json!({ text: 1 }), "ve@example.com"), "{text}");
        }
        assert!(mentions(&json!("ÖZ@Example.com"), "öz@example.com"));
        assert!(mentions(&json!("ve%2Bnews%40example.com"), "ve+news@example.com"));
    }

    #[test]
    fn another_persons_address_is_not_it() {
        for text in [
            "eve@example.com",
            "a+ve@example.com",
            "_ve@example.com",
            "o've@example.com",
            "ve@example.com.au",
            "ve@example.com-x.org",
            "ve@example-com",
            "steve%40example.com",
            "eve&#64;example.com",
            "",
        ] {
            assert!(!mentions(&json!({ "a": text }), "ve@example.com"), "{text}");
        }
    }
}
