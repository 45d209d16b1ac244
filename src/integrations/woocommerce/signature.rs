//! WooCommerce's signature of a webhook.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;

use crate::{
    integrations::{
        credentials::Credential,
        signatures::{hmac, text},
    },
    keyring,
};

/// WooCommerce: base64 of the raw body's HMAC-SHA-256.
pub(super) fn is_signed(secrets: &[Credential], headers: &HeaderMap, body: &[u8]) -> bool {
    let signature = text(headers, "x-wc-webhook-signature").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let Some(signature) = signature else { return false };
    secrets
        .iter()
        .any(|secret| keyring::equal(&hmac(secret.secret.expose_secret(), &[body]), &signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::signatures::tests::{headers, secret};

    /// HMAC-SHA-256 as in RFC 4231, test case 2, in WooCommerce's spelling.
    #[test]
    fn woocommerces_scheme_holds() {
        let signature = BASE64_STANDARD
            .encode(hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").expect("hex"));
        let signed = headers(&[("x-wc-webhook-signature", &signature)]);
        assert!(is_signed(&secret("Jefe"), &signed, b"what do ya want for nothing?"));
        assert!(!is_signed(&secret("Jefe"), &signed, b"what do ya want for nothing!"));
        assert!(!is_signed(&secret("Jeff"), &signed, b"what do ya want for nothing?"));
        assert!(!is_signed(
            &secret("Jefe"),
            &headers(&[]),
            b"what do ya want for nothing?"
        ));
    }
}
