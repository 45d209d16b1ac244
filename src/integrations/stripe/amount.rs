//! Amounts as Stripe's API expresses them. Its smallest units are not everywhere those of ISO 4217 (docs.stripe.com/currencies, "Minor units in
//! API amounts" and "Special cases").

use serde_json::Value;

use crate::money::{Currency, Money, MoneyError};

/// Currencies whose amounts differ from two decimals: the decimals of Stripe's units, and the number of units that an amount must be a multiple
/// of. Amounts in ISK and UGX have two decimals for older integrations, though only whole ones exist; the last digit of three must be 0.
const EXCEPTIONS: [(&str, u32, i64); 22] = [
    ("BHD", 3, 10),
    ("BIF", 0, 1),
    ("CLP", 0, 1),
    ("DJF", 0, 1),
    ("GNF", 0, 1),
    ("ISK", 2, 100),
    ("JOD", 3, 10),
    ("JPY", 0, 1),
    ("KMF", 0, 1),
    ("KRW", 0, 1),
    ("KWD", 3, 10),
    ("MGA", 0, 1),
    ("OMR", 3, 10),
    ("PYG", 0, 1),
    ("RWF", 0, 1),
    ("TND", 3, 10),
    ("UGX", 2, 100),
    ("VND", 0, 1),
    ("VUV", 0, 1),
    ("XAF", 0, 1),
    ("XOF", 0, 1),
    ("XPF", 0, 1),
];

/// An amount of Stripe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::integrations) struct StripeAmount {
    units: i64,
    currency: Currency,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(in crate::integrations) enum AmountError {
    #[error("Stripe takes no payments in {0}")]
    Currency(Currency),
    #[error("{0} is no amount that Stripe can move: it is too large or has too many decimals")]
    NotExpressible(Money),
    #[error("the provider's amount of {0} has parts that do not exist")]
    NoSuchPart(Currency),
    #[error("the provider names no amount and currency")]
    Missing,
    #[error(transparent)]
    Unknown(#[from] MoneyError),
}

/// The decimals of Stripe's units of a currency, and the number that an amount must be a multiple of. A currency without an exception has two
/// decimals at Stripe; it takes no other whose smallest part is not a hundredth.
fn units_of(currency: Currency) -> Result<(u32, i64), AmountError> {
    let code = currency.to_string();
    match EXCEPTIONS.iter().find(|(exception, ..)| *exception == code) {
        Some((_, decimals, multiple)) => Ok((*decimals, *multiple)),
        None if currency.decimals() == 2 => Ok((2, 1)),
        None => Err(AmountError::Currency(currency)),
    }
}

/// Converts between units with `from` and with `to` decimals. None where the amount is too large, or has parts that the other lacks.
fn rescaled(units: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return units.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let parts = 10_i64.checked_pow(from - to)?;
    (units % parts == 0).then_some(units / parts)
}

impl TryFrom<Money> for StripeAmount {
    type Error = AmountError;

    fn try_from(money: Money) -> Result<Self, AmountError> {
        let currency = money.currency;
        let (decimals, multiple) = units_of(currency)?;
        rescaled(money.minor, currency.decimals(), decimals)
            .filter(|units| units % multiple == 0)
            .map(|units| Self { units, currency })
            .ok_or(AmountError::NotExpressible(money))
    }
}

impl TryFrom<StripeAmount> for Money {
    type Error = AmountError;

    fn try_from(amount: StripeAmount) -> Result<Self, AmountError> {
        let currency = amount.currency;
        let (decimals, _) = units_of(currency)?;
        rescaled(amount.units, decimals, currency.decimals())
            .map(|minor| Money::new(minor, currency))
            .ok_or(AmountError::NoSuchPart(currency))
    }
}

impl StripeAmount {
    /// Reads an amount and its currency from an object of Stripe's.
    pub fn read(amount: &Value, currency: &Value) -> Result<Self, AmountError> {
        let (Some(units), Some(code)) = (amount.as_i64(), currency.as_str()) else {
            return Err(AmountError::Missing);
        };
        Ok(Self {
            units,
            currency: code.to_uppercase().parse()?,
        })
    }

    /// The amount and the currency as the API's parameters have them.
    pub fn parameters(self) -> (String, String) {
        (self.units.to_string(), self.currency.to_string().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a currency")
    }

    fn all_currencies() -> Vec<Currency> {
        let letters = || (b'A'..=b'Z').map(char::from);
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
        codes.filter_map(|code| code.parse().ok()).collect()
    }

    /// The examples of Stripe's documentation, and its rules for the special cases.
    #[test]
    fn amounts_are_those_of_stripes_documentation() {
        for (text, code, units) in [
            ("10", "USD", Some("1000")),
            ("500", "JPY", Some("500")),
            ("50.00", "MGA", Some("50")),
            ("50.20", "MGA", None),
            ("5", "ISK", Some("500")),
            ("5", "UGX", Some("500")),
            ("5.120", "KWD", Some("5120")),
            ("5.124", "KWD", None),
            ("10.45", "HUF", Some("1045")),
            ("800.45", "TWD", Some("80045")),
            ("1.000", "LYD", None),
        ] {
            let money = Money::parse(text, currency(code)).expect("money");
            let amount = StripeAmount::try_from(money).map(StripeAmount::parameters);
            let expected = units.map(|units| (units.to_owned(), code.to_lowercase()));
            assert_eq!(amount.ok(), expected, "{money}");
        }
    }

    #[test]
    fn what_is_read_has_a_currency_and_no_parts_that_do_not_exist() {
        let read =
            |amount, currency: &str| StripeAmount::read(&json!(amount), &json!(currency)).and_then(Money::try_from);
        assert_eq!(read(5124, "kwd"), Ok(Money::new(5124, currency("KWD"))));
        assert_eq!(read(500, "isk"), Ok(Money::new(5, currency("ISK"))));
        assert_eq!(read(550, "isk"), Err(AmountError::NoSuchPart(currency("ISK"))));
        assert!(read(1, "abc").is_err());
        assert_eq!(StripeAmount::read(&json!(5), &Value::Null), Err(AmountError::Missing));
        assert_eq!(
            StripeAmount::read(&json!("5"), &json!("usd")),
            Err(AmountError::Missing)
        );
    }

    proptest! {
        #[test]
        fn every_amount_that_stripe_can_express_comes_back_as_it_was(minor in any::<i64>(), at in any::<prop::sample::Index>()) {
            let money = Money::new(minor, *at.get(&all_currencies()));
            if let Ok(amount) = StripeAmount::try_from(money) {
                prop_assert_eq!(Money::try_from(amount), Ok(money));
                let (units, code) = amount.parameters();
                let units: i64 = units.parse().expect("units");
                prop_assert_eq!(StripeAmount::read(&json!(units), &json!(code)), Ok(amount));
            }
        }

        /// No whole amount is lost, whatever the currency, so long as Stripe takes it at all.
        #[test]
        fn whole_amounts_are_expressible(whole in 0..1_000_000_i64, at in any::<prop::sample::Index>()) {
            let currency = *at.get(&all_currencies());
            let money = Money::new(whole * 10_i64.pow(currency.decimals()), currency);
            prop_assert_eq!(StripeAmount::try_from(money).is_ok(), units_of(currency).is_ok());
        }
    }
}
