//! The filter behind the types: removes credentials and personal data from every log line.
//!
//! It errs on the side of hiding. Values that must never be printed have types that cannot be printed (`secrecy`, `Token`); this filter is
//! a second defence, for text from outside and from libraries.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::LazyLock,
};

use regex::{Captures, Regex};

use super::shapes::{ADDRESS, ESCAPE, SHAPES, regex};

/// Names of fields that hold a credential. Separators inside a name are optional, so `apiKey` and `api_key` are the same.
const SECRET_FIELDS: &str = r"(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]*(?:token|key|hmac-sha256)|(?:new|old|current)?[_-]?pass(?:word|wd|phrase)|[a-z_-]*secret|(?:access|refresh|id|session|api|auth|csrf)?[_-]?token|api[_-]?key|private[_-]?key|recovery[_-]?code|otp|pin|cvv|cvc";

/// Names of fields that hold personal data.
const PERSONAL_FIELDS: &str = r"e-?mail|phone(?:[_-]?number)?|(?:first|last|full)[_-]?name|(?:street|addr(?:ess)?)(?:[_-]?line)?[_-]?[12]?|line[_-]?[12]|city|zip(?:[_-]?code)?|post(?:al)?[_-]?code";

/// The forms of a field's value: in a string nested up to three deep in other strings, in a string, or bare.
const VALUES: &str = r#"(?<deepest>\\{7}"(?:[^"\\]|\\+[^"\\]|\\{8,}")*)|(?<deeper>\\{3}"(?:[^"\\]|\\+[^"\\]|\\{4,}")*)|(?<nested>\\"(?:[^"\\]|\\{3,}"|\\[^"])*)|(?<double>"(?:[^"\\]|\\.)*)|(?<single>'[^']*)|(?<bare>(?:(?i:basic|bearer|digest|token) +)?[^\s"'\\,;&{}\[\])]+)"#;

/// The patterns for secret fields, then for personal fields.
static FIELDS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    [SECRET_FIELDS, PERSONAL_FIELDS].map(|names| {
        regex(&format!(
            r#"(?i)(?<name>(?:{ESCAPE}|[^a-z0-9]|^)(?:{names})(?<quote>\\*["'])?(?:\s*[:=]\s*|%3d))(?:Some\()?(?:{VALUES})"#
        ))
    })
});

/// Cookies in a raw header run to the end of the line: they are pairs, not one value.
static COOKIES: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?i)(?<name>cookie:\s*)(?:[^\s"\\=;(]+=[^;"\r\n\\]*;?\s*)+"#));

/// Terminal colour codes, which could stand between a field's name and its value.
static COLOURS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:\x1b|\\+u001b)\[[0-9;]*m"));

/// What is done with the IP addresses of people. Those of this machine or its own network are never hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    Hidden,
    Kept,
}

/// `text` without credentials and personal data; each is replaced by `[redacted …]`. A line of JSON remains valid JSON; colour codes are
/// removed.
pub fn redact(text: &str) -> Cow<'_, str> {
    redact_by(text, |_| true)
}

/// The redaction rules, in the order in which they are applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Cookies,
    /// The patterns of field names, by their index in [`FIELDS`].
    Fields(usize),
    /// The patterns of shapes, by their index in [`SHAPES`].
    Shape(usize),
}

fn redact_but(text: &str, addresses: Addresses) -> Cow<'_, str> {
    let kept = |at: usize| addresses == Addresses::Kept && SHAPES[at].kind == ADDRESS;
    redact_by(text, |rule| !matches!(rule, Rule::Shape(at) if kept(at)))
}

/// `text` with only those rules applied that `holds` accepts.
fn redact_by(text: &str, holds: impl Fn(Rule) -> bool) -> Cow<'_, str> {
    let mut text = COLOURS.replace_all(text, "");
    if holds(Rule::Cookies) {
        replace(&mut text, &COOKIES, |found| format!("{}[redacted]", &found["name"]));
    }
    for (at, fields) in FIELDS.iter().enumerate() {
        if holds(Rule::Fields(at)) {
            replace(&mut text, fields, instead_of_field);
        }
    }
    for (at, shape) in SHAPES.iter().enumerate() {
        if holds(Rule::Shape(at))
            && let Some(hidden) = shape.hide(&text)
        {
            text = Cow::Owned(hidden);
        }
    }
    text
}

fn instead_of_field(found: &Captures<'_>) -> String {
    let openings = [
        ("deepest", r#"\\\\\\\""#),
        ("deeper", r#"\\\""#),
        ("nested", r#"\""#),
        ("double", "\""),
        ("single", "'"),
    ];
    let opening = openings.into_iter().find(|(name, _)| found.name(name).is_some());
    let Some((_, quote)) = opening else {
        // A bare value of a quoted field is a JSON number; its replacement is quoted like the field's name.
        let quote = found.name("quote").map_or("", |quote| quote.as_str());
        return format!("{}{quote}[redacted]{quote}", &found["name"]);
    };
    format!("{}{quote}[redacted]", &found["name"])
}

fn replace(text: &mut Cow<'_, str>, shape: &Regex, with: impl Fn(&Captures<'_>) -> String) {
    if let Cow::Owned(changed) = shape.replace_all(text, with) {
        *text = Cow::Owned(changed);
    }
}

/// A writer that redacts each write; the log formatter hands over one whole line at a time.
pub struct Redacting<W>(pub W, pub Addresses);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(redact_but(&text, self.1).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::shapes::{is_iban, passes_luhn};

    /// A value on each line, with a log line that contains it. The test of the whole server logs the same ones.
    const CANARIES: &str = include_str!("canaries.tsv");

    #[test]
    fn every_rule_is_needed_and_together_they_let_none_of_the_canaries_pass() {
        let canaries: Vec<(&str, &str)> = CANARIES.lines().filter_map(|line| line.split_once('\t')).collect();
        let found = |holds: &dyn Fn(Rule) -> bool| {
            let leaks = |(value, line): &&(&str, &str)| redact_by(line, holds).contains(value);
            canaries
                .iter()
                .filter(leaks)
                .map(|(value, _)| *value)
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&|_| true), [""; 0]);
        let fields = (0..FIELDS.len()).map(Rule::Fields);
        let shapes = (0..SHAPES.len()).map(Rule::Shape);
        for (at, removed) in [Rule::Cookies].into_iter().chain(fields).chain(shapes).enumerate() {
            assert!(
                !found(&|rule| rule != removed).is_empty(),
                "rule {at} could go and nobody would see"
            );
        }
    }

    /// Values that must not appear, each recognisable by its shape alone.
    fn known_by_shape() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9]{3,12}(\\.[a-z]{2,8})?@[a-z]{3,12}\\.(com|example|co\\.uk)",
            "(cs|st|ck)_[A-Za-z0-9_-]{63}[A-Za-z0-9]",
            "sk-(proj-)?[A-Za-z0-9]{24,48}",
            "(sk|rk)_(live|test)_[A-Za-z0-9]{24}",
            "whsec_[A-Za-z0-9+/]{32}",
            "shpat_[a-f0-9]{32}",
            "ghp_[A-Za-z0-9]{36}",
            "AKIA[A-Z0-9]{16}",
            "eyJ[A-Za-z0-9_-]{20}\\.[A-Za-z0-9_-]{30}\\.[A-Za-z0-9_]{40}",
            "\\+[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{4}",
            "\\([2-9][0-9]{2}\\) [0-9]{3}-[0-9]{4}",
            ("[2-6][0-9]{14}", prop::bool::ANY).prop_map(|(body, spaced)| card(&body, spaced)),
            "[0-9]{18}".prop_map(|account| iban("DE", &account)),
            (11_u8..127, 0_u8..=255, 1_u8..=255).prop_map(|(a, b, c)| format!("{a}.{b}.{c}.7")),
            "2[0-9a-f]{3}(:[1-9a-f][0-9a-f]{3}){7}",
            "2[0-9a-f]{3}:[1-9a-f]{4}::[1-9a-f]{1,4}",
        ]
    }

    fn card(body: &str, spaced: bool) -> String {
        let number = (0..10)
            .map(|check| format!("{body}{check}"))
            .find(|number| passes_luhn(&number.chars().filter_map(|c| c.to_digit(10)).collect::<Vec<_>>()))
            .unwrap();
        match spaced {
            true => [&number[..4], &number[4..8], &number[8..12], &number[12..]].join(" "),
            false => number,
        }
    }

    fn iban(country: &str, account: &str) -> String {
        (2..=98)
            .map(|check| format!("{country}{check:02}{account}"))
            .find(|iban| is_iban(iban) && iban.len() == 22)
            .unwrap()
    }

    /// The ways in which a value gets into a log line.
    fn wrapped(value: &str, way: usize) -> String {
        let error = json!({"error": {"message": format!("cannot use {value}"), "causes": [{"detail": value}]}});
        match way % 14 {
            0 => format!("said {value}."),
            1 => json!({"level": "INFO", "message": value}).to_string(),
            2 => json!({"body": json!({"note": value}).to_string()}).to_string(),
            3 => format!("GET /look?q={value}&page=2"),
            4 => format!("note={value}&x=1"),
            5 => format!("{:?}", Some(value)),
            6 => error.to_string(),
            7 => json!({"message": error.to_string()}).to_string(),
            8 => format!("duplicate key value violates unique constraint DETAIL: Key (who)=({value}) already exists."),
            9 => json!({"message": format!("failed:\n{value}\n")}).to_string(),
            10 => json!({"message": json!({"text": format!("failed:\t{value}\r\n")}).to_string()}).to_string(),
            11 => format!("\x1b[3mnote\x1b[0m\x1b[2m=\x1b[0m{value}\x1b[0m"),
            12 => json!({"message": format!("\x1b[1m{value}\x1b[0m")}).to_string(),
            _ => format!("thread 'main' panicked at src/x.rs:1:2:\ncalled `Result::unwrap()`: Bad('{value}')"),
        }
    }

    fn named(name: &str, value: &str, way: usize) -> String {
        let object = json!({"id": 7, name: value, "after": true});
        let quoted = json!({"detail": object.to_string()});
        match way % 14 {
            11 => json!({"message": quoted.to_string()}).to_string(),
            12 => json!({"nested": format!("{:?}", Some(&quoted))}).to_string(),
            13 => json!({"outer": json!({"message": quoted.to_string()}).to_string()}).to_string(),
            0 => object.to_string(),
            1 => json!({"request": object}).to_string(),
            2 => json!({"message": object.to_string()}).to_string(),
            3 => format!("{name}={value}"),
            4 => format!("a=1&{name}={value}&b=2"),
            5 => format!("{name}: {value}"),
            6 => json!({"message": format!("headers:\n{name}: {value}\n")}).to_string(),
            7 => json!({"message": json!({"text": format!("headers:\n{name}={value}\n")}).to_string()}).to_string(),
            8 => format!("\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
            9 => format!("{{\"{name}\": {value:?}}}"),
            _ => format!("Shopper {{ {name}: Some({value:?}), id: 7 }}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn what_is_known_by_its_shape_never_comes_out(value in known_by_shape(), way in 0_usize..14) {
            let line = wrapped(&value, way);
            let redacted = redact(&line);
            prop_assert!(!redacted.contains(&value), "{line} -> {redacted}");
            prop_assert!(redacted.contains("[redacted"));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).is_ok(), serde_json::from_str::<Value>(&redacted).is_ok(), "{} -> {}", line, redacted);
        }

        #[test]
        fn what_is_known_by_its_fields_name_never_comes_out(
            name in prop::sample::select(vec![
                "password", "new_password", "Authorization", "cookie", "Set-Cookie", "api_key", "apiKey", "access_token",
                "client_secret", "X-Shopify-Access-Token", "recovery_code", "otp", "email", "phone", "first_name",
                "lastName", "address1", "address_line_2", "street", "city", "zip", "postal_code",
            ]),
            value in "canary[A-Za-z0-9]{6,20}",
            way in 0_usize..14,
        ) {
            let line = named(name, &value, way);
            let redacted = redact(&line);
            prop_assert!(!redacted.contains(&value), "{line} -> {redacted}");
            prop_assert_eq!(serde_json::from_str::<Value>(&line).is_ok(), serde_json::from_str::<Value>(&redacted).is_ok(), "{} -> {}", line, redacted);
        }

        #[test]
        fn a_quoted_value_is_hidden_to_its_last_sign(value in "[ -~]{0,20}", tail in "canary[a-z]{4}", nested: bool) {
            let object = json!({"password": format!("{value}\" {tail}"), "after": 1});
            let line = if nested { json!({"body": object.to_string()}).to_string() } else { object.to_string() };
            let redacted = redact(&line);
            prop_assert!(!redacted.contains(&tail), "{line} -> {redacted}");
            prop_assert!(serde_json::from_str::<Value>(&redacted).is_ok(), "{line} -> {redacted}");
        }

        #[test]
        fn any_line_of_json_stays_one_and_nothing_is_redacted_twice(texts in prop::collection::vec("\\PC{0,40}", 1..4)) {
            let line = json!({"message": texts, "password": texts[0]}).to_string();
            let once = redact(&line).into_owned();
            prop_assert!(serde_json::from_str::<Value>(&once).is_ok(), "{line} -> {once}");
            prop_assert_eq!(redact(&once), once.as_str());
        }
    }

    #[test]
    fn numbers_of_json_are_hidden_and_it_stays_json() {
        let object = json!({"otp": 12_345_678, "pin": -5, "token": null, "id": 7});
        for line in [object.to_string(), json!({"body": object.to_string()}).to_string()] {
            let redacted = redact(&line);
            assert!(serde_json::from_str::<Value>(&redacted).is_ok(), "{redacted}");
            assert!(!redacted.contains("12345678") && redacted.contains('7'), "{redacted}");
        }
    }

    #[test]
    fn what_operators_need_stays() {
        for line in [
            r#"{"timestamp":"2026-11-25T04:48:19.123456Z","level":"INFO","request_id":"0193f1a2-0123-4567-8123-456789012345","route":"/v1/chat","status":200,"ms":12}"#,
            "order #W2611340 of store acme: cancelled, 12,345.67 USD to gift_card_4421486",
            "postgres 23505 on shoppers_email_key",
            "listening on 127.0.0.1:8080; 1,241 answers; +00:00",
            "dead letter 0193f1a2-0123-7123-8123-456789012345 after 12 tries",
        ] {
            assert_eq!(redact(line), line);
        }
    }

    #[test]
    fn a_number_hides_nowhere() {
        for line in [
            "4111111111111111",
            "card 4111-1111-1111-1111 please",
            "4111 1111 1111 1112 4111 1111 1111 1111",
            "00004111111111111111",
            "378282246310005",
            "IBAN: GB82 WEST 1234 5698 7654 32.",
            "call 555-867-5309 or 0171 555 0199",
            "postgres://app:hunter2@db.internal/shop",
            "Cookie: sid=first; theme=dark",
            "GET /look?url=token%3Dcs_firstAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "rs12 call 555-867-5309",
            "1 2 555-867-5309 11",
            "xx12 of GB82 WEST 1234 5698 7654 32",
        ] {
            let redacted = redact(line);
            for part in ["4111", "3782", "WEST", "5309", "0199", "hunter2", "first", "dark"] {
                assert!(!redacted.contains(part), "{line} -> {redacted}");
            }
        }
    }
}
