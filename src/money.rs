//! Exact money: integer minor units of an ISO 4217 currency. On the wire `{"amount": "536.65", "currency": "USD"}`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _, ser::SerializeStruct};

/// An ISO 4217 currency that has minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MoneyError {
    #[error("`{0}` is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    #[error("`{0}` is not a decimal amount")]
    NotDecimal(String),
    #[error("`{0}` has more decimals than {1} has")]
    TooPrecise(String, Currency),
    #[error("the amount is too large")]
    Overflow,
    #[error("{0} and {1} cannot be added")]
    Mixed(Currency, Currency),
}

impl Currency {
    /// Decimal places, from ISO 4217: USD 2, JPY 0, KWD 3.
    pub fn decimals(self) -> u32 {
        self.0.exponent().unwrap_or(0).into()
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(8).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

/// An amount in minor units (cents, for USD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

/// The wire shape of [`Money`]: a decimal string, so no reader rounds it.
#[derive(Serialize, Deserialize, utoipa::ToSchema, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoneyOnTheWire {
    /// The amount as decimal text, with the currency's own number of decimals.
    #[schema(example = "536.65")]
    pub amount: String,
    /// ISO 4217 code.
    #[schema(example = "USD")]
    pub currency: String,
}

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        MoneyOnTheWire::schema()
    }
}

impl utoipa::ToSchema for Money {}

/// The largest amount that is read, in minor units: ten billion dollars. The sum of an order's lines, each of it ten thousand times,
/// is then far from what 64 bits hold.
const MAX_MINOR: i64 = 1_000_000_000_000;

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a plain decimal such as `536.65`, `-3` or `0.5`. No exponent, no rounding, no separators.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let not_decimal = || MoneyError::NotDecimal(text.chars().take(32).collect());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(not_decimal());
        }
        let decimals = currency.decimals() as usize;
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > decimals {
            return Err(MoneyError::TooPrecise(text.chars().take(32).collect(), currency));
        }
        let minor: i64 = format!("{whole}{fraction:0<decimals$}")
            .parse()
            .ok()
            .filter(|minor| *minor <= MAX_MINOR)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(if negative { -minor } else { minor }, currency))
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The decimal text without the currency, `536.65`.
    pub fn amount(self) -> String {
        decimal(self.minor, self.currency.decimals())
    }
}

/// Formats minor units as decimal text: 53665 with 2 decimals is `536.65`.
pub fn decimal(units: i64, decimals: u32) -> String {
    let decimals = decimals as usize;
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

/// Parses decimal text into minor units, the reverse of [`decimal`]. None for text that is no decimal, has more decimals, or is too large.
pub fn units(text: &str, decimals: u32) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (decimals, fraction) = (decimals as usize, fraction.trim_end_matches('0'));
    if !all_digits(whole)
        || !all_digits(digits.split_once('.').map_or("0", |(_, fraction)| fraction))
        || fraction.len() > decimals
    {
        return None;
    }
    let units: i64 = format!("{whole}{fraction:0<decimals$}").parse().ok()?;
    Some(if negative { -units } else { units })
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut money = serializer.serialize_struct("Money", 2)?;
        money.serialize_field("amount", &self.amount())?;
        money.serialize_field("currency", self.currency.0.code())?;
        money.end()
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = MoneyOnTheWire::deserialize(deserializer)?;
        let currency = wire.currency.parse().map_err(D::Error::custom)?;
        Money::parse(&wire.amount, currency).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a currency")
    }

    #[test]
    fn reads_exact_decimals_only() {
        let usd = currency("USD");
        assert_eq!(Money::parse("536.65", usd).map(|m| m.minor), Ok(53665));
        assert_eq!(Money::parse("0.5", usd).map(|m| m.minor), Ok(50));
        assert_eq!(Money::parse("17", usd).map(|m| m.minor), Ok(1700));
        assert_eq!(Money::parse("1.10000", usd).map(|m| m.minor), Ok(110));
        assert_eq!(Money::parse("5", currency("JPY")).map(|m| m.minor), Ok(5));
        for bad in [
            "", ".", "1.", ".5", "1e3", "+1", " 1", "1,000", "NaN", "--1", "1.0.0", "٣",
        ] {
            assert!(
                matches!(Money::parse(bad, usd), Err(MoneyError::NotDecimal(_))),
                "{bad}"
            );
        }
        assert!(matches!(Money::parse("1.005", usd), Err(MoneyError::TooPrecise(..))));
        assert_eq!(Money::parse("92233720368547758.08", usd), Err(MoneyError::Overflow));
    }

    #[test]
    fn units_are_read_and_written_as_decimals() {
        for (text, decimals, value) in [
            ("0.50", 2, 50),
            ("12", 0, 12),
            ("0.000001", 6, 1),
            ("-3.25", 2, -325),
            ("300", 6, 300_000_000),
        ] {
            assert_eq!(units(text, decimals), Some(value), "{text}");
            assert_eq!(units(&decimal(value, decimals), decimals), Some(value), "{text}");
        }
        assert_eq!(
            (decimal(5, 2), decimal(-5, 2), decimal(7, 0)),
            ("0.05".into(), "-0.05".into(), "7".into())
        );
        for (text, decimals) in [
            ("", 2),
            (".", 2),
            ("1.", 2),
            ("1.001", 2),
            ("1.5", 0),
            ("99999999999999999999", 2),
            ("1,5", 2),
        ] {
            assert_eq!(units(text, decimals), None, "{text}");
        }
    }

    #[test]
    fn currencies_do_not_mix_and_sums_do_not_wrap() {
        let (usd, eur) = (currency("USD"), currency("EUR"));
        assert!(matches!(
            Money::new(1, usd).checked_add(Money::new(1, eur)),
            Err(MoneyError::Mixed(..))
        ));
        assert_eq!(
            Money::new(i64::MAX, usd).checked_add(Money::new(1, usd)),
            Err(MoneyError::Overflow)
        );
    }

    proptest! {
        #[test]
        fn every_amount_survives_the_wire(minor in -MAX_MINOR..=MAX_MINOR, code in prop::sample::select(vec!["USD", "EUR", "JPY", "KWD"])) {
            let money = Money::new(minor, currency(code));
            let wire = serde_json::to_string(&money).expect("serialises");
            prop_assert_eq!(serde_json::from_str::<Money>(&wire).expect("reads back"), money);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = Money::parse(&text, currency("USD"));
        }
    }
}
