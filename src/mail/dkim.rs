//! DKIM: signs mails. Two keys may be in use, an RSA and an Ed25519 key, each under its own selector.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_STANDARD};
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::{Message, message::header::HeaderName};
use rsa::{RsaPrivateKey, pkcs1::DecodeRsaPrivateKey, pkcs8::EncodePublicKey, traits::PublicKeyParts};
use secrecy::{ExposeSecret, SecretString};

/// A private key, and where its public key is published.
#[derive(Clone, Debug)]
pub struct DkimSettings {
    pub domain: String,
    pub selector: String,
    /// PEM: PKCS #1 of RSA, or PKCS #8 of Ed25519.
    pub key: SecretString,
}

/// The public key as the DNS shows it.
pub struct PublishedKey {
    /// The TXT record.
    pub record: String,
    /// The record's `p=` value.
    pub key: String,
    /// The size of an RSA key in bits; none for Ed25519.
    pub bits: Option<usize>,
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

    /// The key in lettre's own form.
    pub(super) fn config(&self) -> Result<DkimConfig, DkimError> {
        let key = match self.is_rsa() {
            true => DkimSigningKey::new(self.key.expose_secret(), DkimSigningAlgorithm::Rsa),
            false => DkimSigningKey::new(
                &BASE64_STANDARD.encode(self.ed25519_seed()?),
                DkimSigningAlgorithm::Ed25519,
            ),
        };
        // The headers that a receiver shows or acts on. Not Content-Type, which lettre keeps apart from the headers that it signs for a
        // multipart mail.
        let headers = [
            "From",
            "Reply-To",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
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

    /// Checks that the key can sign.
    pub fn check(&self) -> Result<(), DkimError> {
        self.config().map(drop)
    }

    /// The record to publish for the key.
    pub fn published_key(&self) -> Result<PublishedKey, DkimError> {
        if self.is_rsa() {
            // Not aws-lc's parser, which refuses the short keys that the doctor is to report.
            let private = RsaPrivateKey::from_pkcs1_pem(self.key.expose_secret()).map_err(|_| DkimError::Key)?;
            let public = private
                .to_public_key()
                .to_public_key_der()
                .map_err(|_| DkimError::Key)?;
            let key = BASE64_STANDARD.encode(public.as_bytes());
            return Ok(PublishedKey {
                record: format!("v=DKIM1; k=rsa; p={key}"),
                key,
                bits: Some(private.size() * 8),
            });
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.ed25519_seed()?).map_err(|_| DkimError::Key)?;
        let key = BASE64_STANDARD.encode(pair.public_key().as_ref());
        Ok(PublishedKey {
            record: format!("v=DKIM1; k=ed25519; p={key}"),
            key,
            bits: None,
        })
    }

    /// The DER encoding in the PEM.
    fn der(&self) -> Result<Vec<u8>, DkimError> {
        let lines = self.key.expose_secret().lines().map(str::trim);
        let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
        BASE64_STANDARD.decode(body).map_err(|_| DkimError::Key)
    }

    /// The seed at the end of the PKCS #8 encoding.
    fn ed25519_seed(&self) -> Result<[u8; 32], DkimError> {
        let der = self.der()?;
        // RFC 8410: a prefix of 16 bytes, then the seed.
        const FRAME: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        match der.strip_prefix(&FRAME) {
            Some(seed) => seed.try_into().map_err(|_| DkimError::Key),
            None => Err(DkimError::Key),
        }
    }
}

/// The mail with a signature of each key. Lettre keeps only the last signature, so the others are taken from signed copies of the mail.
pub(super) fn sign(message: &Message, keys: &[DkimConfig]) -> Vec<u8> {
    let mut signed = Vec::new();
    let (last, others) = match keys.split_last() {
        Some((last, others)) => (Some(last), others),
        None => (None, keys),
    };
    for key in others {
        let mut copy = message.clone();
        copy.sign(key);
        signed.extend(signature(&copy.formatted()));
    }
    let mut message = message.clone();
    if let Some(key) = last {
        message.sign(key);
    }
    signed.extend(message.formatted());
    signed
}

/// The lines of a mail's DKIM-Signature header.
fn signature(mail: &[u8]) -> Vec<u8> {
    let mut lines = mail
        .split_inclusive(|byte| *byte == b'\n')
        .skip_while(|line| !line.starts_with(b"DKIM-Signature:"));
    let first = lines.next().unwrap_or_default();
    let folded = lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
    std::iter::once(first).chain(folded).flatten().copied().collect()
}
