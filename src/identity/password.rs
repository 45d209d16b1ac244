//! Password hashing: Argon2id at the parameters of OWASP's password storage cheat sheet (m = 19 MiB, t = 2, p = 1).

use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::IdentityError;

/// KiB of memory a hash, passes, lanes.
const OWASP: (u32, u32, u32) = (19_456, 2, 1);

/// Hashes at once: each holds 19 MiB and a core for about 20 ms, so a log-in flood must queue here and not in memory.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// What an unknown account is checked against, so that it costs what a known one does.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&SecretString::from("nobody")).unwrap_or_default());

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

/// Hashes off the async threads. Returns a PHC string.
pub async fn hash(password: SecretString) -> Result<String, IdentityError> {
    let _permit = AT_ONCE.acquire().await.map_err(|_| IdentityError::Crypto)?;
    tokio::task::spawn_blocking(move || hash_now(&password))
        .await
        .map_err(|_| IdentityError::Crypto)?
}

/// Whether `password` matches `hash`; with no hash it does the same work and answers false.
pub async fn verify(password: SecretString, hash: Option<String>) -> Result<bool, IdentityError> {
    let _permit = AT_ONCE.acquire().await.map_err(|_| IdentityError::Crypto)?;
    tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches = argon2()?
            .verify_password(password.expose_secret().as_bytes(), hash.as_str())
            .is_ok();
        Ok(known && matches)
    })
    .await
    .map_err(|_| IdentityError::Crypto)?
}

/// Refuses what is guessed in fewer than 10^8 tries (zxcvbn's score 3, "safely unguessable" online). `about` are words that
/// a guesser would try first: the address, the names.
pub fn is_strong(password: &SecretString, about: &[&str]) -> Result<(), IdentityError> {
    let mut about = about.to_vec();
    about.push("countersign");
    // Its work grows with the length, and nothing hides behind 100 characters.
    let start: String = password.expose_secret().chars().take(100).collect();
    match zxcvbn::zxcvbn(&start, &about).score() >= zxcvbn::Score::Three {
        true => Ok(()),
        false => Err(IdentityError::Field(
            "password",
            "is too easy to guess; take several unusual words",
        )),
    }
}

/// Whether a hash was made with other parameters than today's: it is renewed when its owner logs in.
pub fn is_outdated(hash: &str) -> bool {
    let (memory, passes, lanes) = OWASP;
    !hash.starts_with(&format!("$argon2id$v=19$m={memory},t={passes},p={lanes}$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_verifies_and_the_hash_says_its_parameters() {
        let hash = hash("correct horse".into()).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse".into(), Some(hash.clone())).await.expect("runs"));
        assert!(!verify("correct horsf".into(), Some(hash)).await.expect("runs"));
        assert!(!verify("nobody".into(), None).await.expect("runs"));
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
            assert!(is_strong(&weak.into(), &["mia@example.com"]).is_err(), "{weak}");
        }
        assert!(is_strong(&"correct horse battery".into(), &[]).is_ok());
        assert!(is_strong(&"y".repeat(256).into(), &[]).is_err());
    }

    #[test]
    fn old_parameters_are_outdated() {
        assert!(is_outdated("$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA"));
        assert!(!is_outdated("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"));
    }
}
