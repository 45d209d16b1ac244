//! What a command prints, and the secrets that it reads.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stderr, stdin, stdout},
};

use secrecy::SecretString;

use super::CliError;

/// Prints a line on standard output. It is an error when nobody reads any more, as in `countersign prompt | head`, so that the command ends
/// there; `println!` would panic.
pub(super) fn say(line: impl Display) -> Result<(), CliError> {
    Ok(writeln!(stdout(), "{line}")?)
}

/// Reads a password from standard input.
pub(super) fn read_password() -> Result<SecretString, CliError> {
    let password = read_hidden("password: ")?;
    match (10..=256).contains(&password.chars().count()) {
        true => Ok(password.into()),
        false => Err(CliError::Password),
    }
}

/// Reads the secret of an integration from standard input.
pub(super) fn read_secret() -> Result<SecretString, CliError> {
    ask_secret("secret: ")
}

/// The same, asked for by its own name.
pub(super) fn ask_secret(prompt: &str) -> Result<SecretString, CliError> {
    let secret = read_hidden(prompt)?;
    match (8..=4096).contains(&secret.len()) {
        true => Ok(secret.into()),
        false => Err(CliError::Argument(
            "a secret must hold 8 to 4096 characters; give it on standard input".into(),
        )),
    }
}

/// Reads a line. A terminal gets the prompt and does not show what is typed.
fn read_hidden(prompt: &str) -> Result<String, CliError> {
    if stdin().is_terminal() {
        // The prompt may fail to be written: the line can be read all the same.
        let _ = write!(stderr(), "{prompt}").and_then(|()| stderr().flush());
        return Ok(rpassword::read_password()?);
    }
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
