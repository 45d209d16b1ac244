//! DKIM: what mails are signed with. Two keys may be in force, an RSA one and an Ed25519 one, each under its selector.

use base64::{Engine, prelude::BASE64_STANDARD};
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::HeaderName;
use secrecy::{ExposeSecret, SecretString};

/// A key and where its other half is published.
#[derive(Clone, Debug)]
pub struct DkimSettings {
    pub domain: String,
    pub selector: String,
    /// PEM: PKCS #1 of RSA, or PKCS #8 of Ed25519.
    pub key: SecretString,
}

#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    #[error("must be a PEM file: `openssl genrsa -traditional 2048` or `openssl genpkey -algorithm ed25519` makes one")]
    Key,
}

impl DkimSettings {
    fn is_rsa(&self) -> bool {
        self.key.expose_secret().contains("BEGIN RSA PRIVATE KEY")
    }

    /// Lettre's own form of it.
    pub(super) fn config(&self) -> Result<DkimConfig, DkimError> {
        let key = match self.is_rsa() {
            true => DkimSigningKey::new(self.key.expose_secret(), DkimSigningAlgorithm::Rsa),
            false => DkimSigningKey::new(
                &BASE64_STANDARD.encode(self.ed25519_seed()?),
                DkimSigningAlgorithm::Ed25519,
            ),
        };
        // What a receiver shows or acts on; lists of recipients may be rewritten on the way.
        let headers = [
            "From",
            "Reply-To",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
        ];
        Ok(DkimConfig::new(
            self.selector.clone(),
            self.domain.clone(),
            key.map_err(|_| DkimError::Key)?,
            headers.map(HeaderName::new_from_ascii_str).to_vec(),
            DkimCanonicalization {
                header: DkimCanonicalizationType::Relaxed,
                body: DkimCanonicalizationType::Relaxed,
            },
        ))
    }

    /// Whether the key can sign.
    pub fn check(&self) -> Result<(), DkimError> {
        self.config().map(drop)
    }

    /// The seed at the end of the PKCS #8 form.
    fn ed25519_seed(&self) -> Result<[u8; 32], DkimError> {
        let body: String = self
            .key
            .expose_secret()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .map(str::trim)
            .collect();
        let der = BASE64_STANDARD.decode(body).map_err(|_| DkimError::Key)?;
        // RFC 8410: 16 bytes of frame, then the seed.
        const FRAME: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        match der.strip_prefix(&FRAME) {
            Some(seed) => seed.try_into().map_err(|_| DkimError::Key),
            None => Err(DkimError::Key),
        }
    }
}
