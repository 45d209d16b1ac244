//! Password hashing: Argon2id at the parameters of OWASP's password storage cheat sheet (m = 19 MiB, t = 2, p = 1).

use std::{net::IpAddr, sync::LazyLock};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};

use super::IdentityError;
use crate::cpu_pool::{ESTIMATES, PASSWORDS};

/// The memory in KiB, the passes and the lanes of a hash.
const OWASP: (u32, u32, u32) = (19_456, 2, 1);

/// The hash that a password for an unknown account is checked against, so that it takes as long as for a known one.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| hash_now(&SecretString::from("nobody")).unwrap_or_default());

fn argon2() -> Result<Argon2<'static>, IdentityError> {
    let (memory, passes, lanes) = OWASP;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| IdentityError::Crypto)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &SecretString) -> Result<String, IdentityError> {
    let hash = argon2()?
        .hash_password(password.expose_secret().as_bytes())
        .map_err(|_| IdentityError::Crypto)?;
    Ok(hash.to_string())
}

/// Hashes a password in the bounded pool: each hash takes 19 MiB and a core for about 20 ms. Returns a PHC string. `caller` is the address
/// that asked; none for a command.
pub async fn hash(password: SecretString, caller: Option<IpAddr>) -> Result<String, IdentityError> {
    PASSWORDS.run(caller, move || hash_now(&password)).await?
}

/// Whether `password` matches `hash`; with no hash it does the same work and answers false.
pub async fn verify(
    password: SecretString,
    hash: Option<String>,
    caller: Option<IpAddr>,
) -> Result<bool, IdentityError> {
    PASSWORDS
        .run(caller, move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| DUMMY_HASH.clone());
            let matches = argon2()?
                .verify_password(password.expose_secret().as_bytes(), hash.as_str())
                .is_ok();
            Ok(known && matches)
        })
        .await?
}

/// How many characters of a password, from its beginning, are estimated: if they are safe, the whole password is. The work of an estimate
/// grows much faster than the length, most of all with characters that stand for several letters (`1`, `7`, `|`): the slowest 24 characters
/// take 15 ms, the slowest 63 take 290 ms (zxcvbn 3.1, release build).
const MAX_ESTIMATED_CHARACTERS: usize = 24;
/// How many characters of an address or a name are taken into account.
const MAX_CONTEXT_CHARACTERS: usize = 64;

/// Refuses a password that is guessed in fewer than 10^8 tries (zxcvbn's score 3, "safely unguessable" online). `about` are words that an
/// attacker would try first, such as the address and the names. Call it after the caller's throttle; it runs in the bounded pool.
pub async fn check_strength(
    password: &SecretString,
    about: &[&str],
    caller: Option<IpAddr>,
) -> Result<(), IdentityError> {
    let password = password.clone();
    let mut about: Vec<String> = about
        .iter()
        .map(|word| word.chars().take(MAX_CONTEXT_CHARACTERS).collect())
        .collect();
    about.push("countersign".into());
    let is_strong = ESTIMATES
        .run(caller, move || is_strong(password.expose_secret(), &about))
        .await?;
    match is_strong {
        true => Ok(()),
        false => Err(IdentityError::Field(
            "password",
            "is too easy to guess; take several unusual words",
        )),
    }
}

fn is_strong(password: &str, about: &[String]) -> bool {
    let beginning: String = password.chars().take(MAX_ESTIMATED_CHARACTERS).collect();
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    zxcvbn::zxcvbn(&beginning, &about).score() >= zxcvbn::Score::Three
}

/// Whether a hash was made with other parameters than the current ones. It is then renewed when its owner logs in.
pub fn is_outdated(hash: &str) -> bool {
    let (memory, passes, lanes) = OWASP;
    !hash.starts_with(&format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_verifies_and_the_hash_says_its_parameters() {
        let hash = hash("correct horse".into(), None).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(
            verify("correct horse".into(), Some(hash.clone()), None)
                .await
                .expect("runs")
        );
        assert!(!verify("correct horsf".into(), Some(hash), None).await.expect("runs"));
        assert!(!verify("nobody".into(), None, None).await.expect("runs"));
    }

    #[test]
    fn what_a_guesser_tries_first_is_refused() {
        for weak in [
            "password12",
            "Password123!",
            "mia@example.com",
            "aaaaaaaaaaaa",
            "qwertyuiop",
            "countersign1",
        ] {
            assert!(
                !is_strong(weak, &["mia@example.com".into(), "countersign".into()]),
                "{weak}"
            );
        }
        assert!(is_strong("correct horse battery", &[]));
        assert!(!is_strong(&"y".repeat(256), &[]));
        assert!(!is_strong(&"Password1 ".repeat(6), &[]));
        assert!(!is_strong(&"abcabcabc".repeat(6), &[]));
        assert!(is_strong(&"correct horse battery ".repeat(4), &[]));
    }

    #[test]
    fn old_parameters_are_outdated() {
        assert!(is_outdated("$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA"));
        assert!(!is_outdated("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"));
    }
}
