//! The server's secret, and the keys derived from it, one for each purpose.
//!
//! During a rotation there are two secrets: new values are made with the current one, existing values are accepted under either.
//! `countersign keys` tells when nothing depends on the old secret any more.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    constant_time, hmac,
};
use secrecy::{ExposeSecret, SecretString};

/// What a key is for. Values made for one purpose are not valid for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Hashes stored tokens.
    Token,
    /// Computes mailed codes.
    Code,
    /// Encrypts the secrets of second factors.
    Totp,
    /// Encrypts the assertion secrets that are shared with a store's site.
    Assertion,
    /// Encrypts the secrets of other systems, and compares them.
    Credential,
    /// Hashes the suppressed e-mail addresses, to which nothing is mailed.
    Address,
    /// Hashes the addresses and accounts that throttles count, so that the counters hold no personal data.
    Throttle,
    /// Computes the canary in each conversation's prompt.
    Canary,
    /// Computes the codes of coupons.
    Coupon,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Token => "countersign token 1",
            Self::Code => "countersign code 1",
            Self::Totp => "countersign totp 1",
            Self::Assertion => "countersign assertion 1",
            Self::Credential => "countersign credential 1",
            Self::Address => "countersign address 1",
            Self::Throttle => "countersign throttle 1",
            Self::Canary => "countersign canary 1",
            Self::Coupon => "countersign coupon 1",
        }
    }
}

/// The current secret and, during a rotation, the previous one.
#[derive(Clone)]
pub struct Keyring {
    current: Root,
    old: Option<Root>,
}

#[derive(Clone)]
struct Root {
    key: hmac::Key,
    /// Identifies the secret that a value was encrypted with; reveals nothing of the secret.
    id: [u8; 4],
}

impl Root {
    fn new(secret: &SecretString) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let mut id = [0; 4];
        id.copy_from_slice(&hmac::sign(&key, b"countersign key id 1").as_ref()[..4]);
        Self { key, id }
    }

    fn derive(&self, purpose: Purpose) -> [u8; 32] {
        bytes(hmac::sign(&self.key, purpose.label().as_bytes()))
    }

    fn mac(&self, purpose: Purpose, data: &[u8]) -> [u8; 32] {
        bytes(hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose)),
            data,
        ))
    }
}

fn bytes(tag: hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

impl Keyring {
    pub fn new(current: &SecretString, old: Option<&SecretString>) -> Self {
        Self {
            current: Root::new(current),
            old: old.map(Root::new),
        }
    }

    /// HMAC-SHA-256 of `data` under the purpose's current key.
    pub fn mac(&self, purpose: Purpose, data: &[u8]) -> [u8; 32] {
        self.current.mac(purpose, data)
    }

    /// The HMAC-SHA-256 of `data` under every key that is valid, the current one first.
    pub fn macs(&self, purpose: Purpose, data: &[u8]) -> Vec<Vec<u8>> {
        self.roots().map(|root| root.mac(purpose, data).to_vec()).collect()
    }

    /// Encrypts `plain` with AES-256-GCM: key id, nonce, ciphertext and tag. None only when the system's random generator fails.
    pub fn seal(&self, purpose: Purpose, plain: &[u8]) -> Option<Vec<u8>> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.current.derive(purpose)).ok()?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut sealed).ok()?;
        Some([&self.current.id[..], nonce.as_ref(), &sealed].concat())
    }

    /// Decrypts what [`seal`](Self::seal) made, with whichever secret made it. None when neither secret did, or when it was changed.
    pub fn open(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_at_checked(4)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN)?;
        let root = self.roots().find(|root| root.id == id)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &root.derive(purpose)).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = ciphertext.to_vec();
        let length = key.open_in_place(nonce, Aad::empty(), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    /// Whether a value was encrypted with the current secret.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.current.id)
    }

    fn roots(&self) -> impl Iterator<Item = &Root> {
        std::iter::once(&self.current).chain(&self.old)
    }
}

/// The HMAC-SHA-256 of `data` under another system's key.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    bytes(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data))
}

/// Whether two values are equal, compared in constant time.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.into()
    }

    #[test]
    fn what_the_old_key_made_counts_until_it_is_gone() {
        let before = Keyring::new(&secret("one"), None);
        let during = Keyring::new(&secret("two"), Some(&secret("one")));
        let after = Keyring::new(&secret("two"), None);
        let sealed = before.seal(Purpose::Totp, b"text").expect("seals");
        assert_eq!(during.open(Purpose::Totp, &sealed).as_deref(), Some(&b"text"[..]));
        assert!(!during.is_current(&sealed));
        assert_eq!(after.open(Purpose::Totp, &sealed), None);
        let mac = before.mac(Purpose::Token, b"t").to_vec();
        assert!(during.macs(Purpose::Token, b"t").contains(&mac));
        assert!(!after.macs(Purpose::Token, b"t").contains(&mac));
    }

    #[test]
    fn a_purpose_does_not_open_what_another_sealed_nor_anything_that_was_changed() {
        let keyring = Keyring::new(&secret("one"), None);
        let sealed = keyring.seal(Purpose::Totp, b"text").expect("seals");
        assert_eq!(keyring.open(Purpose::Assertion, &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keyring.open(Purpose::Totp, &changed), None, "byte {at}");
        }
        assert_eq!(keyring.open(Purpose::Totp, b""), None);
        assert_ne!(keyring.mac(Purpose::Token, b"x"), keyring.mac(Purpose::Code, b"x"));
        assert_eq!(format!("{keyring:?}"), "Keyring(…)");
    }
}
