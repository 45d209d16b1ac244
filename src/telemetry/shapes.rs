//! Credentials and personal data that are recognised by their shape, whatever field they are in.

use std::{net::IpAddr, sync::LazyLock};

use regex::Regex;

/// The ends of escapes and encodings: their last character is a letter or digit, but is not part of the word that follows.
pub(super) const ESCAPE: &str = r"\\+(?:[bfnrt]|u[0-9a-fA-F]{4})|%[0-9a-fA-F]{2}";

/// A kind of value that is recognised by its shape.
pub(super) struct Shape {
    pub(super) kind: &'static str,
    /// The group `value` is hidden, or the whole match where there is none; a match with the group `keep` is not hidden.
    pattern: Regex,
    /// Whether a match really is such a value.
    is: fn(&str) -> bool,
}

pub(super) static SHAPES: LazyLock<[Shape; 10]> = LazyLock::new(|| {
    let shape = |kind, pattern: &str, is| Shape {
        kind,
        pattern: regex(pattern),
        is,
    };
    let word = |pattern: &str| format!(r"(?:{ESCAPE}|\b)(?<value>{pattern})");
    // Ids and times contain digits too.
    let number = |pattern: &str| {
        format!(
            r"(?<keep>\b[0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{12}}\b|\b\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?)|{pattern}"
        )
    };
    let always = |_: &str| true;
    [
        shape(
            "private key",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
            always,
        ),
        shape(
            "token",
            &word(r"(?i:bearer|basic)(?: |%20|\+)+[A-Za-z0-9._~+/=-]{8,}"),
            always,
        ),
        // Ours, then those of vendors: OpenAI and Anthropic, Stripe, Standard Webhooks, Shopify, GitHub, GitLab, Slack, AWS,
        // Google, SendGrid, and any JWT.
        shape(
            "token",
            &word(
                r"(?:cs|st|ck)_[A-Za-z0-9_-]{40,}|sk-[A-Za-z0-9_-]{16,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=_-]{8,}|shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{16,}|(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeprs]-[A-Za-z0-9-]{8,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",
            ),
            always,
        ),
        shape("password", r#"://[^\s/@:"]*:[^\s/"]*@"#, always),
        // `%40`, as forms and address bars write it.
        shape(
            "email",
            &format!(
                r#"(?:{ESCAPE})?(?<value>[\p{{L}}\p{{N}}._%+!#$&*/?^`{{|}}~-]+(?:@|%40)[\p{{L}}\p{{N}}-]+(?:\.[\p{{L}}\p{{N}}-]+)+)"#
            ),
            always,
        ),
        shape(
            "phone",
            r"(?:\+|%2B)[1-9](?:[ ()./-]{0,2}\d){6,14}\b|\(\d{3}\) ?\d{3}[-. ]?\d{4}\b",
            always,
        ),
        shape(
            "iban",
            &number(&word(r"[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}\b")),
            is_iban,
        ),
        shape(
            ADDRESS,
            &number(&word(
                r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,7}(?:::)?",
            )),
            is_address,
        ),
        // Longer than any card number, so that digits that follow the number are hidden with it.
        shape("card", &number(r"(?<value>\d(?:[ -]?\d){12,40})"), is_card),
        shape(
            "phone",
            &number(&word(
                r"00[1-9](?:[ ()./-]{0,2}\d){6,14}\b|\d{3}[-. ]\d{3}[-. ]\d{4}\b|0\d{1,4}[ /-]\d{3,4}[ /-]?\d{3,5}\b",
            )),
            always,
        ),
    ]
});

/// The kind of IP addresses, which some installations want to keep in their logs.
pub(super) const ADDRESS: &str = "address";

/// Whether an IP address may be a person's: not of this machine, nor of a private IPv4 network.
fn is_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(address)) => !(address.is_loopback() || address.is_private() || address.is_unspecified()),
        Ok(IpAddr::V6(address)) => !(address.is_loopback() || address.is_unspecified()),
        Err(_) => false,
    }
}

/// Shapes that give access or can be paid with, whoever's they are.
const CREDENTIALS: [&str; 5] = ["private key", "token", "password", "iban", "card"];

/// `text` without credentials, card numbers and account numbers; None when there are none.
pub fn hide_credentials(text: &str) -> Option<String> {
    let mut hidden: Option<String> = None;
    for shape in SHAPES.iter().filter(|shape| CREDENTIALS.contains(&shape.kind)) {
        if let Some(new) = shape.hide(hidden.as_deref().unwrap_or(text)) {
            hidden = Some(new);
        }
    }
    hidden
}

impl Shape {
    /// `text` without values of this shape; None when there are none.
    pub fn hide(&self, text: &str) -> Option<String> {
        let (mut hidden, mut copied, mut at) = (String::new(), 0, 0);
        while let Some(found) = self.pattern.captures_at(text, at) {
            let whole = found.get_match();
            let value = found.name("value").unwrap_or(whole);
            at = if found.name("keep").is_some() {
                whole.end()
            } else if (self.is)(value.as_str()) {
                hidden.push_str(&text[copied..value.start()]);
                hidden.push_str(&format!("[redacted {}]", self.kind));
                copied = value.end();
                copied
            } else {
                // A real value may begin inside a false match. Values of the shapes that are searched twice begin with ASCII.
                value.start() + 1
            };
        }
        (copied > 0).then(|| hidden + &text[copied..])
    }
}

/// Whether a run of digits begins with a card number: 13 to 19 digits (ISO/IEC 7812) of a network in use, with a valid check digit.
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    matches!(digits.first(), Some(2..=6)) && (13..=19).any(|length| digits.get(..length).is_some_and(passes_luhn))
}

pub(super) fn passes_luhn(digits: &[u32]) -> bool {
    let places = digits.iter().rev().enumerate();
    let sum: u32 = places
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a text is an IBAN (ISO 13616): with the first four characters moved to the end and letters as 10 to 35, the number modulo 97 is
/// 1. A longer run may have an IBAN at its start.
pub(super) fn is_iban(text: &str) -> bool {
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
    reason = "the patterns are constants, and the tests of `redact` compile them"
)]
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}
