//! Order numbers in what a shopper writes, told from the other numbers that stand there: dates, prices, telephone numbers, postal codes.
//! Tracking numbers count as order numbers, because an order is found by them too.

use std::sync::LazyLock;

use regex::Regex;

use crate::store::order_number;

/// The most orders that one message asks about.
const MAX_ORDERS: usize = 3;
/// The longest order number.
const LONGEST: usize = 64;

type Pattern = LazyLock<Option<Regex>>;

/// `#1001`, `# EU-4001-A`.
static HASHED: Pattern = LazyLock::new(|| Regex::new(r"#+ ?[\p{L}\p{N}]+(?:[-‐‑‒–−][\p{L}\p{N}]+)*").ok());

/// `order 1001`, `No.1001`, `Bestellung Nr. EU-4001-A`; glued to its label only when it begins with a digit.
static LABELLED: Pattern = LazyLock::new(|| {
    const LABEL: &str = r"(?:orders?|bestellung(?:en)?|bestell-?(?:nummer|nr)|auftrag(?:snummer)?|auftrags-?nr|number|nummer|num|nr|no|id|tracking|sendungsnummer|sendung|parcel|paket|paketnummer)";
    let token = r"[\p{L}\p{N}]+(?:[-‐‑‒–−][\p{L}\p{N}]+)*";
    Regex::new(&format!(
        r"(?i)(?:^|[^\p{{L}}\p{{N}}]){LABEL}(?:\s(?:{LABEL}))?(?:[\s.:°'\x22“„(]+(?:is |ist |lautet )?({token})|(\d{token}))"
    ))
    .ok()
});

/// `EU 4001 A`.
static SPACED: Pattern = LazyLock::new(|| Regex::new(r"\b[A-Z]{2,4} \d{3,}(?: [A-Z]\b)?").ok());

/// Any word with digits.
static WORD: Pattern = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}]+(?:[-‐‑‒–−][\p{L}\p{N}]+)*").ok());

/// What has digits and is no order number.
static OTHER: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    const MONTH: &str = r"(?:jan(?:uar[y]?)?|feb(?:ruar[y]?)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|jun[ei]?|jul[yi]?|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)";
    let month =
        format!(r"(?i)\b(?:\d{{1,2}}(?:st|nd|rd|th|\.)? )?{MONTH}\.?(?: \d{{1,2}}(?:st|nd|rd|th)?)?,? (?:19|20)\d\d\b");
    let patterns = [
        // Addresses of mail and pages.
        r"\S+@\S+|(?i)https?://\S+|www\.\S+",
        // Dates, years, times.
        r"\b\d{1,4}[./]\d{1,2}[./]\d{1,4}\b|\b(?:19|20)\d\d-\d{1,2}-\d{1,2}\b|\b\d{1,2}-\d{1,2}-(?:19|20)\d\d\b",
        &month,
        r"(?i)\b(?:in|since|seit|anno|jahr|year|im jahr|early|late|summer|winter|spring|autumn|sommer|herbst|frühjahr|frühling) (?:19|20)\d\d\b",
        r"(?i)\b\d{1,2}[:.]\d{2}(?: ?(?:h|am|pm|uhr))?\b|\b\d{1,2} ?(?:am|pm|o'clock)\b|\b\d{1,4} ?uhr\b",
        // Money.
        r"[$€£¥] ?\d+(?:[.,]\d+)*",
        r"(?i)\b(?:usd|eur|euro|gbp|chf) ?\d+(?:[.,]\d+)*",
        r"(?i)\b\d+(?:[.,]\d+)* ?(?:€|£|(?:usd|eur|euros?|gbp|chf|dollars?|bucks|pounds?|pfund|cents?|franken)\b)",
        r"\b\d+ ?\$(?:\s|$|[.,?!])",
        r"\b\d{1,3}(?:[.,]\d{3})*[.,]\d{2}\b",
        // Measures and shares.
        r"(?i)\b\d+(?:[.,]\d+)? ?(?:%|°|(?:percent|prozent|kg|g|gramm?s?|ml|l|litres?|liters?|cm|mm|km|metres?|meters?|inch(?:es)?|mah|watts?|w|volt|v|points?|punkte?|pieces?|stück|pcs|people|hours?|stunden|minutes?|minuten|days?|tage?|words?|lumens?|thread count)\b)",
        // Telephones.
        r"\+\d[\d\s()/.-]{6,}\d|\b00\d{2}[\d\s()/-]{6,}\d|\b\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b|\b0\d{2,5}[ /-]\d[\d /-]{4,}\d",
        r"(?i)\b(?:phone|telephone|telefon\w*|tel|mobile|cell|handy\w*|call me|ruf\w* (?:mich|sie)|reach me|whatsapp|fax|extension|durchwahl)\b[^\d#]{0,24}\d[\d\s()/.-]*",
        // Postal codes and houses.
        r"(?i)\b(?:zip(?: ?code)?|plz|postleitzahl|post ?code|postal code)\b[^\d#]{0,14}[\p{L}]{0,2}\d[\p{L}\d-]*",
        r"\b\d{5}-\d{4}\b|\b[A-Z]{2} \d{5}\b|\b\d{4,5} [A-ZÄÖÜ][a-zäöüß]{2,}",
        r"(?i)\b(?:to|in|nach|near|bei|from|aus|at) \d{5}\b",
        r"(?i)\b\d+[a-z]? (?:[\p{L}.]+ ){1,3}(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|court|square)\b",
        r"(?i)\b[\p{L}-]*(?:straße|strasse|str\.|weg|platz|gasse|allee|ring|ufer) ?\d+\b",
        // Cards, and products' own numbers.
        r"(?i)\b(?:ending|ends|end|endet|endend|endung|last (?:four|4)(?: digits)?|letzten (?:vier|4)(?: ziffern)?|visa|mastercard|amex|card|karte|kreditkarte|iban|pin|cvc|cvv|account|konto)\b(?: (?:in|with|on|auf|mit|are|is|number|nummer))*:? \d[\d ]*",
        r"(?i)\b(?:model|modell|sku|article|artikel(?:nummer)?|item|size|größe|version|ean|isbn|vat|ust|coupon|voucher|gutschein|flight|room|flug|zimmer|nights?|top|over|über|about|etwa|around|only|than|als)(?: (?:number|no|nr|nummer|code))?\.?:? [\p{L}-]{0,6}\d[\p{L}\d-]*",
        // Codes that are mailed for signing in.
        r"(?i)\b(?:sign-?in code|login code|verification code|one-time code|anmeldecode|bestätigungscode)\b[^\d#]{0,14}\d[\d ]*",
    ];
    patterns
        .into_iter()
        .filter_map(|pattern| Regex::new(pattern).ok())
        .collect()
});

/// The order numbers in a text, those that are marked as such first. `text` is in the plain form of `order_number::plain`.
pub(super) fn find(text: &str) -> Vec<String> {
    let mut text = text.to_owned();
    let mut found = Vec::new();
    take(&HASHED, &mut text, &mut found, |digits, _| digits > 0);
    for other in OTHER.iter() {
        text = blank(&text, other);
    }
    take(&LABELLED, &mut text, &mut found, |digits, _| digits >= 3);
    take(&SPACED, &mut text, &mut found, |digits, _| digits >= 3);
    take(&WORD, &mut text, &mut found, |digits, length| {
        digits >= 4 && length <= 40
    });
    let mut folded = Vec::new();
    found.retain(|number: &String| {
        let number = order_number::fold(number);
        let is_new = !folded.contains(&number);
        folded.push(number);
        is_new
    });
    found.truncate(MAX_ORDERS);
    found
}

/// Whether the text has digits enough for a number that somebody might look for.
pub(super) fn has_digits(text: &str) -> bool {
    order_number::plain(text).chars().filter(char::is_ascii_digit).count() >= 4
}

/// Moves what a pattern finds from the text to what was found.
fn take(pattern: &Pattern, text: &mut String, found: &mut Vec<String>, fits: impl Fn(usize, usize) -> bool) {
    let Some(pattern) = pattern.as_ref() else { return };
    let mut rest = text.clone();
    for captures in pattern.captures_iter(text) {
        let Some(number) = captures.iter().flatten().last() else {
            continue;
        };
        let digits = number.as_str().chars().filter(char::is_ascii_digit).count();
        if fits(digits, number.len()) && number.as_str().chars().count() <= LONGEST {
            found.push(number.as_str().replace("# ", "#"));
            rest.replace_range(number.range(), &" ".repeat(number.len()));
        }
    }
    *text = rest;
}

/// The text with what a pattern finds taken out; lengths stay.
fn blank(text: &str, pattern: &Regex) -> String {
    pattern
        .replace_all(text, |found: &regex::Captures<'_>| " ".repeat(found[0].len()))
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<String> {
        find(&order_number::plain(text))
    }

    #[test]
    fn order_numbers_are_found_however_they_are_written() {
        for text in [
            "１００１",
            "١٠٠١",
            "№1001",
            "No.1001",
            "order#1001",
            "#1001's parcel",
            "“1001”",
            "1001…",
            "# 1001",
            "Order number 1001",
            "Bestellung Nr. 1001",
            "bestellnummer: 1001",
            "order no 1001 please",
            "(#1001)",
            "where is 1001?",
            "order1001",
            "nr1001",
            "ORDER #1001, ordered on 11/18/2026 for $1500",
            "#1001 $20",
            "#1001, EUR 20",
        ] {
            let folded: Vec<String> = numbers(text).iter().map(|number| order_number::fold(number)).collect();
            assert_eq!(folded, ["1001"], "{text}");
        }
        for text in [
            "eu-4001-a",
            "EU‑4001‑A",
            "EU 4001 A",
            "where is eu–4001–a?",
            "order EU-4001-A",
        ] {
            let folded: Vec<String> = numbers(text).iter().map(|number| order_number::fold(number)).collect();
            assert_eq!(folded, ["eu4001a"], "{text}");
        }
        assert_eq!(numbers("#1001 and #1002 and 1003 and 1004"), ["#1001", "#1002", "1003"]);
        assert_eq!(numbers("tracking number HP440028817"), ["HP440028817"]);
        assert_eq!(numbers("#W2611340."), ["#W2611340"]);
    }

    #[test]
    fn other_numbers_are_not_order_numbers() {
        for text in [
            "11/18/2026",
            "18.11.2026",
            "2026-11-18",
            "on November 18, 2026",
            "am 18. November 2026",
            "since 2024",
            "$1500",
            "1500 €",
            "1.500,00 Euro",
            "EUR 1500",
            "my zip is 04101",
            "PLZ 10115",
            "to 04101",
            "Portland, ME 04101",
            "10115 Berlin",
            "call me at 5550123456",
            "+49 30 1234567",
            "207-555-0100",
            "at 14:30",
            "1400 Uhr",
            "card ending in 4242",
            "Visa 4242",
            "1200 Main Street",
            "Hauptstraße 1200",
            "2000 mAh",
            "a@b1234.example",
            "https://shop.example/p/12345",
            "model X2000",
            "20% off",
            "3 mugs",
            "size 42",
            "",
        ] {
            assert_eq!(numbers(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn every_pattern_is_one() {
        assert!(
            [&HASHED, &LABELLED, &SPACED, &WORD]
                .iter()
                .all(|pattern| pattern.is_some())
        );
        assert_eq!(OTHER.len(), 21);
    }
}
