//! The filter behind the types: whatever a log line says, credentials and personal data do not leave in it.
//!
//! It errs towards hiding. Values that must never be printed are of types that cannot be (`secrecy`, `Token`); this
//! stands behind them, for what strangers and libraries put into text.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::LazyLock,
};

use regex::{Captures, Regex};

/// Fields whose value is a credential. Separators inside a name are optional, so `apiKey` and `api_key` are one.
const SECRET_FIELDS: &str = r"(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]*(?:token|key|hmac-sha256)|(?:new|old|current)?[_-]?pass(?:word|wd|phrase)|[a-z_-]*secret|(?:access|refresh|id|session|api|auth|csrf)?[_-]?token|api[_-]?key|private[_-]?key|recovery[_-]?code|otp|pin|cvv|cvc";

/// Fields whose value says who or where somebody is.
const PERSONAL_FIELDS: &str = r"e-?mail|phone(?:[_-]?number)?|(?:first|last|full)[_-]?name|(?:street|addr(?:ess)?)(?:[_-]?line)?[_-]?[12]?|line[_-]?[12]|city|zip(?:[_-]?code)?|post(?:al)?[_-]?code";

/// The three ways a value stands behind a field's name: in a string that is itself quoted in a string, in a string, bare.
const VALUES: &str = r#"(?<nested>\\"(?:[^"\\]|\\{3,}"|\\[^"])*)|(?<double>"(?:[^"\\]|\\.)*)|(?<single>'[^']*)|(?<bare>(?:(?i:basic|bearer|digest|token) +)?[^\s"'\\,;&{}\[\])]+)"#;

static FIELDS: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r#"(?i)(?<name>(?:^|[^a-z0-9])(?:{SECRET_FIELDS}|{PERSONAL_FIELDS})(?<quote>\\*["'])?(?:\s*[:=]\s*|%3d))(?:Some\()?(?:{VALUES})"#
    ))
});

/// Cookies in a header as it is on the wire run to the end of the line: pairs, not one value.
static COOKIES: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?i)(?<name>\bcookie:\s*)(?:[^\s"\\=;(]+=[^;"\r\n\\]*;?\s*)+"#));

static SHAPES: LazyLock<[(&str, Regex); 6]> = LazyLock::new(|| {
    [
        (
            "private key",
            regex(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"),
        ),
        (
            "token",
            regex(r"(?i)\b(?:bearer|basic)(?: |%20|\+)+[a-z0-9._~+/=-]{8,}"),
        ),
        // Ours, then those of vendors: OpenAI and Anthropic, Stripe, Standard Webhooks, Shopify, GitHub, GitLab, Slack, AWS,
        // Google, SendGrid, and any JWT.
        (
            "token",
            regex(
                r"\b(?:(?:cs|st|ck)_[A-Za-z0-9_-]{40,}|sk-[A-Za-z0-9_-]{16,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=_-]{8,}|shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{16,}|(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeprs]-[A-Za-z0-9-]{8,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?)",
            ),
        ),
        ("password", regex(r#"://[^\s/@:"]*:[^\s/"]*@"#)),
        // `%40` as a form or an address bar has it.
        (
            "email",
            regex(r#"(?i)[\p{L}\p{N}._%+!#$&*/?^`{|}~-]+(?:@|%40)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"#),
        ),
        ("phone", regex(r"(?:\+|%2B|\b00)[1-9](?:[ ()./-]{0,2}\d){6,14}\b")),
    ]
});

/// Runs of digits that may be of a card, an account or a telephone. Ids and times are matched first, so that they are kept.
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)(?<keep>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?)",
        r"|(?<iban>\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b)",
        r"|(?<phone>\(\d{3}\) ?\d{3}[-. ]?\d{4}\b|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b|\b0\d{1,4}[ /-]\d{3,4}[ /-]?\d{3,5}\b)",
        r"|(?<digits>\d(?:[ -]?\d){12,})",
    ))
});

/// `text` without credentials and personal data; each is replaced by `[redacted …]`. A line of JSON stays one.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    replace(&mut text, &COOKIES, |found| format!("{}[redacted]", &found["name"]));
    replace(&mut text, &FIELDS, |found| {
        let quote = match (found.name("nested"), found.name("double"), found.name("single")) {
            (Some(_), ..) => r#"\""#,
            (_, Some(_), _) => "\"",
            (.., Some(_)) => "'",
            // A bare value of a quoted field is a number of JSON; what takes its place is quoted as the field is.
            _ => {
                let quote = found.name("quote").map_or("", |quote| quote.as_str());
                return format!("{}{quote}[redacted]{quote}", &found["name"]);
            }
        };
        format!("{}{quote}[redacted]", &found["name"])
    });
    for (kind, shape) in SHAPES.iter() {
        replace(&mut text, shape, |_| format!("[redacted {kind}]"));
    }
    replace(&mut text, &NUMBERS, |found| {
        let whole = &found[0];
        if found.name("phone").is_some() {
            "[redacted phone]".to_owned()
        } else if found.name("digits").is_some_and(|_| holds_card(whole)) {
            "[redacted card]".to_owned()
        } else if found.name("iban").is_some_and(|_| is_iban(whole) || holds_card(whole)) {
            "[redacted iban]".to_owned()
        } else {
            whole.to_owned()
        }
    });
    text
}

fn replace(text: &mut Cow<'_, str>, shape: &Regex, with: impl Fn(&Captures<'_>) -> String) {
    if let Cow::Owned(changed) = shape.replace_all(text, with) {
        *text = Cow::Owned(changed);
    }
}

/// Whether any part of a run of digits could be a card's number: 13 to 19 digits (ISO/IEC 7812) of a network in use, whose
/// check digit is right.
fn holds_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    (0..digits.len()).any(|start| {
        matches!(digits[start], 2..=6)
            && (13..=19).any(|length| digits.get(start..start + length).is_some_and(passes_luhn))
    })
}

fn passes_luhn(digits: &[u32]) -> bool {
    let places = digits.iter().rev().enumerate();
    let sum: u32 = places
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 13616: the first four moved to the end, letters as 10 to 35, the whole leaves 1 when divided by 97. A longer run
/// may hold one at its start.
fn is_iban(text: &str) -> bool {
    let signs: Vec<u32> = text.chars().filter_map(|c| c.to_digit(36)).collect();
    (15..=signs.len().min(34)).any(|length| {
        let (head, rest) = signs[..length].split_at(4);
        let left = rest.iter().chain(head).fold(0, |left, &sign| match sign {
            0..=9 => (left * 10 + sign) % 97,
            _ => (left * 100 + sign) % 97,
        });
        left == 1
    })
}

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and every test of this file compiles them"
)]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

/// A writer that redacts each write; the log formatter hands over one whole line at a time.
pub struct Redacting<W>(pub W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(redact(&String::from_utf8_lossy(bytes)).as_bytes())?;
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

    /// What must not come out, each in a form in which it is known by itself.
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

    /// The ways a value gets into a line of a log.
    fn wrapped(value: &str, way: usize) -> String {
        let error = json!({"error": {"message": format!("cannot use {value}"), "causes": [{"detail": value}]}});
        match way % 10 {
            0 => format!("said {value}."),
            1 => json!({"level": "INFO", "message": value}).to_string(),
            2 => json!({"body": json!({"note": value}).to_string()}).to_string(),
            3 => format!("GET /look?q={value}&page=2"),
            4 => format!("note={value}&x=1"),
            5 => format!("{:?}", Some(value)),
            6 => error.to_string(),
            7 => json!({"message": error.to_string()}).to_string(),
            8 => format!("duplicate key value violates unique constraint DETAIL: Key (who)=({value}) already exists."),
            _ => format!("thread 'main' panicked at src/x.rs:1:2:\ncalled `Result::unwrap()`: Bad('{value}')"),
        }
    }

    fn named(name: &str, value: &str, way: usize) -> String {
        let object = json!({"id": 7, name: value, "after": true});
        match way % 8 {
            0 => object.to_string(),
            1 => json!({"request": object}).to_string(),
            2 => json!({"message": object.to_string()}).to_string(),
            3 => format!("{name}={value}"),
            4 => format!("a=1&{name}={value}&b=2"),
            5 => format!("{name}: {value}"),
            6 => format!("{{\"{name}\": {value:?}}}"),
            _ => format!("Shopper {{ {name}: Some({value:?}), id: 7 }}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn what_is_known_by_its_shape_never_comes_out(value in known_by_shape(), way in 0_usize..10) {
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
            way in 0_usize..8,
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
        ] {
            let redacted = redact(line);
            for part in ["4111", "3782", "WEST", "5309", "0199", "hunter2", "first", "dark"] {
                assert!(!redacted.contains(part), "{line} -> {redacted}");
            }
        }
    }
}
