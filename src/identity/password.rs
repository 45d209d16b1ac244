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
    let params = Params::new(memory, passes, lanes, None).map_err(|_| IdentityError::Hasher)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &SecretString) -> Result<String, IdentityError> {
    let hash = argon2()?
        .hash_password(password.expose_secret().as_bytes())
        .map_err(|_| IdentityError::Hasher)?;
    Ok(hash.to_string())
}

/// Hashes off the async threads. Returns a PHC string.
pub async fn hash(password: SecretString) -> Result<String, IdentityError> {
    let _permit = AT_ONCE.acquire().await.map_err(|_| IdentityError::Hasher)?;
    tokio::task::spawn_blocking(move || hash_now(&password))
        .await
        .map_err(|_| IdentityError::Hasher)?
}

/// Whether `password` matches `hash`; with no hash it does the same work and answers false.
pub async fn verify(password: SecretString, hash: Option<String>) -> Result<bool, IdentityError> {
    let _permit = AT_ONCE.acquire().await.map_err(|_| IdentityError::Hasher)?;
    tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches = argon2()?
            .verify_password(password.expose_secret().as_bytes(), hash.as_str())
            .is_ok();
        Ok(known && matches)
    })
    .await
    .map_err(|_| IdentityError::Hasher)?
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
}
