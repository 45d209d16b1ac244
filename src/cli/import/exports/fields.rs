//! Reads the fields of exports. An empty field is absent; one that cannot be read is a fault that names its column.

use chrono::{DateTime, NaiveDateTime, Utc};
use sha2::{Digest, Sha256};

use super::table::Row;
use crate::{
    integrations::html,
    money::{Currency, Money, MoneyError},
    store::Address,
    text,
};

/// A fault of a row's field.
pub(super) fn fault(row: &Row, columns: &[&str], reason: impl std::fmt::Display) -> String {
    let named = columns.iter().find(|name| row.has_column(name)).or(columns.first());
    format!("`{}` {reason}", named.unwrap_or(&""))
}

/// An amount in minor units. Decimals that the currency does not have are cut off: shops write two for most currencies.
pub(super) fn amount(row: &Row, columns: &[&str], currency: Currency) -> Result<Option<i64>, String> {
    let given = row.get(columns);
    if given.is_empty() {
        return Ok(None);
    }
    minor(given, currency)
        .map(Some)
        .map_err(|reason| fault(row, columns, reason))
}

pub(super) fn needed_amount(row: &Row, columns: &[&str], currency: Currency) -> Result<i64, String> {
    amount(row, columns, currency)?.ok_or_else(|| fault(row, columns, "is empty"))
}

pub(super) fn minor(given: &str, currency: Currency) -> Result<i64, String> {
    // A shop whose language has decimal commas writes them.
    let plain = match given.split_once(',') {
        Some((whole, cents)) if !whole.contains('.') && cents.len() <= 2 => format!("{whole}.{cents}"),
        _ => given.to_owned(),
    };
    let parsed = Money::parse(&plain, currency).or_else(|error| match (error, plain.split_once('.')) {
        (MoneyError::TooPrecise(..), Some((whole, fraction))) => {
            let kept: String = fraction.chars().take(currency.decimals() as usize).collect();
            match kept.is_empty() {
                true => Money::parse(whole, currency),
                false => Money::parse(&format!("{whole}.{kept}"), currency),
            }
        }
        (error, _) => Err(error),
    });
    match parsed {
        Ok(money) if money.minor < 0 => Err("must not be negative".into()),
        Ok(money) => Ok(money.minor),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// The units of a line; none for a line that was taken off.
pub(super) fn quantity(given: &str) -> Result<Option<u32>, String> {
    let whole = given.split_once(['.', ',']).map_or(given, |(whole, rest)| {
        if rest.bytes().all(|digit| digit == b'0') {
            whole
        } else {
            given
        }
    });
    match whole.parse::<u32>() {
        Ok(0) => Ok(None),
        Ok(units) if units <= 10_000 => Ok(Some(units)),
        _ => Err("must be a whole number up to 10000".into()),
    }
}

/// A time with its zone; without one it is in UTC.
pub(super) fn time(row: &Row, columns: &[&str]) -> Result<Option<DateTime<Utc>>, String> {
    let given = row.get(columns);
    if given.is_empty() {
        return Ok(None);
    }
    let zoned = ["%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z"]
        .iter()
        .find_map(|format| DateTime::parse_from_str(given, format).ok())
        .or_else(|| DateTime::parse_from_rfc3339(given).ok())
        .map(|time| time.to_utc());
    let bare = given.trim_end_matches("UTC").trim_end();
    let unzoned = || {
        let formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];
        let mut times = formats
            .iter()
            .filter_map(|format| NaiveDateTime::parse_from_str(bare, format).ok());
        times.next().map(|time| time.and_utc())
    };
    match zoned.or_else(unzoned) {
        Some(time) => Ok(Some(time)),
        None => Err(fault(row, columns, "must be a time such as 2026-11-20 09:00:00 +0100")),
    }
}

pub(super) fn email(row: &Row, columns: &[&str]) -> Result<Option<String>, String> {
    let given = row.get(columns).to_lowercase();
    if given.is_empty() {
        return Ok(None);
    }
    match validator::ValidateEmail::validate_email(&given) && given.len() <= 254 {
        true => Ok(Some(given)),
        false => Err(fault(row, columns, "is no e-mail address")),
    }
}

/// A text that people read, as one line of at most `max` characters.
pub(super) fn line(given: &str, max: usize) -> String {
    let cleaned = text::clean(given);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(max).collect();
    text::clean(&line).trim().to_owned()
}

/// An id as the shop gives it, as one line that fits.
pub(super) fn id(given: &str) -> String {
    line(given, 120)
}

/// The text of HTML.
pub(super) fn plain_text(html: &str, max: usize) -> String {
    // WooCommerce writes line breaks as two signs.
    line(&html::one_line(&html.replace("\\n", " ")), max)
}

/// A stable id of a thing that the shop gives none: its name in small letters and hyphens.
pub(super) fn id_of_name(name: &str) -> String {
    let small = name.to_lowercase();
    let words: Vec<&str> = small
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let id = words.join("-");
    match id.chars().count() {
        1..=100 => id,
        _ => {
            let kept: String = id.chars().take(80).collect();
            let digest = hex::encode(Sha256::digest(name.as_bytes()));
            format!("{kept}-{}", digest.chars().take(12).collect::<String>())
        }
    }
}

/// The columns of an address, each with its other spellings.
pub(super) struct AddressColumns<'a> {
    pub street: &'a [&'a str],
    pub street2: &'a [&'a str],
    pub city: &'a [&'a str],
    pub state: &'a [&'a str],
    pub zip: &'a [&'a str],
    pub country: &'a [&'a str],
}

/// An address as far as it is given; none where only the country is. `-` stands for what every address has and this one does not.
pub(super) fn address(row: &Row, columns: &AddressColumns<'_>) -> Option<Address> {
    let field = |names: &[&str], max| line(row.get(names), max);
    let or_dash = |names: &[&str], max| {
        Some(field(names, max))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "-".to_owned())
    };
    let is_given = [columns.street, columns.city, columns.zip]
        .iter()
        .any(|names| !row.get(names).is_empty());
    is_given.then(|| Address {
        address1: or_dash(columns.street, 120),
        address2: field(columns.street2, 120),
        city: or_dash(columns.city, 80),
        state: field(columns.state, 80),
        zip: or_dash(columns.zip, 20),
        country: or_dash(columns.country, 80),
    })
}

/// The address of what has none.
pub(super) fn no_address() -> Address {
    let dash = || "-".to_owned();
    Address {
        address1: dash(),
        address2: String::new(),
        city: dash(),
        state: String::new(),
        zip: dash(),
        country: dash(),
    }
}

/// An https address of a picture that a record can hold.
pub(super) fn picture(given: &str) -> Option<String> {
    let fits = given.starts_with("https://")
        && given.len() <= 1000
        && text::single_line(given).is_ok()
        && url::Url::parse(given).is_ok_and(|url| url.username().is_empty());
    fits.then(|| given.to_owned())
}
