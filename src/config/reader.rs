//! Reads environment variables, and collects everything that is missing or invalid so that one run reports all faults.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("invalid settings:{}", list(.0))]
pub struct ConfigError(pub Vec<Fault>);

/// One setting that is missing or invalid.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub variable: &'static str,
    /// What is wrong with it, or how to fix it.
    pub mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.mend)
    }
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// A function that returns the value of a variable: the process environment, or a table in tests.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads a variable from the environment of this process.
pub fn environment(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "every setting is read by this function")]
    std::env::var(name).ok()
}

/// Reads variables and collects their faults.
pub struct Reader<'a> {
    variables: Variables<'a>,
    faults: Vec<Fault>,
    /// The secrets that were read so far, to refuse one that is used for two purposes.
    secrets: Vec<(&'static str, SecretString)>,
}

impl<'a> Reader<'a> {
    pub fn new(variables: Variables<'a>) -> Self {
        Self {
            variables,
            faults: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// Returns the value, or all faults if there are any. A value may only be missing if a fault says why.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        value.filter(|_| self.faults.is_empty()).ok_or(ConfigError(self.faults))
    }

    pub fn fault(&mut self, variable: &'static str, mend: impl Into<String>) {
        self.faults.push(Fault {
            variable,
            mend: mend.into(),
        });
    }

    /// The text of a variable. An empty one counts as unset, because compose files set variables to nothing.
    pub fn text(&self, name: &str) -> Option<String> {
        (self.variables)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub fn parsed<T: std::str::FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        let parsed = self.text(name)?.parse().ok();
        if parsed.is_none() {
            self.fault(name, format!("must be {expected}"));
        }
        parsed
    }

    pub fn number(&mut self, name: &'static str, range: std::ops::RangeInclusive<i64>, default: i64) -> i64 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        if self.text(name).is_none() {
            return default;
        }
        let number = self.parsed::<i64>(name, &expected);
        if number.is_some_and(|number| !range.contains(&number)) {
            self.fault(name, format!("must be {expected}"));
        }
        number.unwrap_or(default)
    }

    /// A secret: the value of `X`, or the content of the file that `X_FILE` names.
    pub fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        let secret = self.read_secret(name)?;
        let same = self
            .secrets
            .iter()
            .find(|(_, other)| other.expose_secret() == secret.expose_secret())
            .map(|(other, _)| *other);
        if let Some(other) = same {
            self.fault(name, format!("is the same as {other}; each secret is for one purpose"));
        }
        self.secrets.push((name, secret.clone()));
        Some(secret)
    }

    fn read_secret(&mut self, name: &'static str) -> Option<SecretString> {
        let file = self.text(&format!("{name}_FILE"));
        match (self.text(name), file) {
            (Some(_), Some(_)) => {
                self.fault(name, format!("is set twice: keep one of {name} and {name}_FILE"));
                None
            }
            (Some(value), None) => Some(value.into()),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(value) => Some(value.trim().into()),
                Err(error) => {
                    self.fault(name, format!("cannot be read from the file in {name}_FILE: {error}"));
                    None
                }
            },
            (None, None) => None,
        }
    }

    pub fn required_secret(&mut self, name: &'static str, min_length: usize, what: &str) -> Option<SecretString> {
        let before = self.faults.len();
        let secret = self.secret(name);
        match &secret {
            None if self.faults.len() == before => self.fault(name, format!("must be set: {what}")),
            Some(secret) if secret.expose_secret().len() < min_length => {
                self.fault(
                    name,
                    format!("must hold at least {min_length} characters; `openssl rand -hex 24` makes one"),
                );
            }
            _ => {}
        }
        secret
    }

    pub fn url(&mut self, name: &'static str, url: &str) -> Option<PgConnectOptions> {
        let options = url.parse().ok();
        if options.is_none() {
            self.fault(name, "must be a URL such as postgres://HOST:5432/DATABASE");
        }
        options
    }
}
