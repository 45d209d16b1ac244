//! Order numbers as people write them, folded to one spelling.
//!
//! A shopper copies a number from a mail, types it on a phone or has another keyboard than the shop. Whoever reads an order number (tools,
//! the API, the proof of an order, the fallback rules) folds it here, and so does whoever stores one, so that two spellings of one
//! number compare as equal text.

use unicode_normalization::UnicodeNormalization;

use crate::text::is_invisible;

/// Words that stand before a number and are not part of it. What is stored is folded the same way, so a shop whose numbers begin with such
/// a word loses nothing.
const LABELS: [&str; 14] = [
    "bestellungen",
    "bestellung",
    "bestellnummer",
    "bestellnr",
    "auftragsnummer",
    "auftrag",
    "ordernumber",
    "orders",
    "order",
    "number",
    "nummer",
    "nr",
    "no",
    "id",
];

/// The digit zero of each script that Unicode's compatibility forms leave as it is; nine digits follow each.
const ZEROS: [u32; 68] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50,
    0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
    0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136,
    0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0,
    0x11c50, 0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1e140, 0x1e2f0,
    0x1e4f0, 0x1e5f1, 0x1e950,
];

/// The most characters of a text in its plain form: those of the longest message.
const MAX_PLAIN: usize = 4_000;

/// The number's letters and digits: small letters, ASCII digits, no mark, dash, space or label.
pub fn fold(number: &str) -> String {
    let mut folded = once(number);
    // What is left after one label can begin with another.
    loop {
        let next = once(&folded);
        if next == folded {
            return folded;
        }
        folded = next;
    }
}

/// Text with each sign as its plainest form: no width, no style, no invisible character; the digits of every script are ASCII, and the
/// numero sign, whose compatibility form would run into the number behind it, is a `#`. At most [`MAX_PLAIN`] characters: one sign can stand
/// for eighteen, and whoever reads the plain form must not have that much more to read.
pub fn plain(text: &str) -> String {
    let visible = text.chars().filter(|&c| !is_invisible(c) || c.is_whitespace());
    let hashed = visible.map(|c| if c == '№' { '#' } else { c });
    hashed.nfkc().take(MAX_PLAIN).map(ascii_digit).collect()
}

fn once(number: &str) -> String {
    let small = plain(number).to_lowercase();
    let end = |c: char| !c.is_alphanumeric();
    // "#1001's parcel".
    let small = small.trim_end_matches(end);
    let small = ["'s", "’s", "`s", "´s"]
        .iter()
        .find_map(|owner| small.strip_suffix(owner))
        .unwrap_or(small);
    letters(unlabelled(small.trim_start_matches(end)))
}

/// Without the labels in front, where a number is left behind them.
fn unlabelled(mut number: &str) -> &str {
    let behind = |number: &'_ str| -> Option<usize> {
        LABELS.iter().find_map(|label| {
            let rest = number.strip_prefix(label)?;
            let is_apart = rest.starts_with(|c: char| !c.is_alphabetic());
            let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
            (is_apart && rest.contains(|c: char| c.is_ascii_digit())).then_some(number.len() - rest.len())
        })
    };
    while let Some(at) = behind(number) {
        number = &number[at..];
    }
    number
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn ascii_digit(c: char) -> char {
    if c.is_ascii() || !c.is_numeric() {
        return c;
    }
    let code = u32::from(c);
    let value = ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10));
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_spellings_of_one_number_are_one() {
        for spelling in [
            "1001",
            "#1001",
            "# 1001",
            "１００１",
            "＃１００１",
            "١٠٠١",
            "۱۰۰۱",
            "१००१",
            "№1001",
            "№ 1001",
            "No.1001",
            "no 1001",
            "Nr. 1001",
            "order#1001",
            "Order 1001",
            "order number: 1001",
            "Bestellung Nr. 1001",
            "Bestellnummer 1001",
            "#1001's",
            "#1001’s",
            "“1001”",
            "1001…",
            "(1001)",
            "1001.",
            "10\u{ad}01",
            "\u{202a}1001\u{202c}",
            "𝟏𝟎𝟎𝟏",
            "①⓪⓪①",
            "1001\u{200b}",
        ] {
            assert_eq!(fold(spelling), "1001", "{spelling:?}");
        }
        for spelling in [
            "EU-4001-A",
            "eu-4001-a",
            "EU‑4001‑A",
            "EU–4001–A",
            "EU 4001 A",
            "eu4001a",
            "#EU-4001-A",
            "ＥＵ－４００１－Ａ",
            "EU\u{a0}4001\u{a0}A",
            "EU−4001−A",
            "order EU-4001-A",
        ] {
            assert_eq!(fold(spelling), "eu4001a", "{spelling:?}");
        }
    }

    #[test]
    fn numbers_that_differ_stay_apart() {
        let numbers = ["1001", "1010", "W1001", "1001-A", "1001-B", "10010"];
        for one in numbers {
            for other in numbers {
                assert_eq!(fold(one) == fold(other), one == other, "{one} {other}");
            }
        }
        assert_eq!(fold("order"), "order");
        assert_eq!(fold("#-…"), "");
    }

    #[test]
    fn one_sign_for_many_does_not_make_a_text_longer_than_a_message() {
        // U+FDFA stands for eighteen characters.
        assert_eq!(plain(&"\u{fdfa}".repeat(4_000)).chars().count(), MAX_PLAIN);
    }

    /// Unicode's own list of decimal digits, as the pattern library has it.
    #[test]
    fn the_digits_of_every_script_are_known() {
        let digit = regex::Regex::new(r"^\p{Decimal_Number}$").expect("a pattern");
        for c in (char::MIN..=char::MAX).filter(|c| digit.is_match(c.encode_utf8(&mut [0; 4]))) {
            let plain = plain(&c.to_string());
            assert!(
                plain.len() == 1 && plain.as_bytes()[0].is_ascii_digit(),
                "{c:?} {:x}",
                u32::from(c)
            );
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn no_letter_of_a_label_makes_folding_go_on(text in "(no|nr|order|id|#|-| |1|a|'s){0,12}") {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn a_decorated_number_is_the_plain_one(
            number in "([A-Z]{1,3}-)?[0-9]{1,8}(-[A-Z])?",
            before in "(#|№|No\\. ?|Nr\\. ?|order ?#|Bestellung |“|\\(| ){0,2}",
            after in "(”|\\)|…|\\.|!|\\?|,| ){0,3}",
            dash in "[-‐‑‒–—−－]",
        ) {
            let decorated = format!("{before}{}{after}", number.replace('-', &dash));
            prop_assert_eq!(fold(&decorated), fold(&number));
            prop_assert_eq!(fold(&number.to_lowercase()), fold(&number));
        }
    }
}
