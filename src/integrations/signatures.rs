//! Webhook signatures: always computed over the raw bytes, compared in constant time, with any of the live secrets. Has the Standard
//! Webhooks scheme and what the vendors' own schemes share.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::credentials::Credential;
use crate::keyring;

/// How old the signed time may be, and how far in the future, in seconds: the advice of Stripe and of Standard Webhooks.
pub(super) const TOLERANCE: i64 = 300;

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

pub(super) fn hmac(secret: &str, parts: &[&[u8]]) -> [u8; 32] {
    keyring::hmac_sha256(secret.as_bytes(), &parts.concat())
}

/// The scheme of Shopify and WooCommerce: a header with the base64 HMAC-SHA-256 of the raw body.
pub(super) fn of_body(secrets: &[Credential], headers: &HeaderMap, name: &str, body: &[u8]) -> bool {
    let signature = text(headers, name).and_then(|text| BASE64_STANDARD.decode(text).ok());
    let Some(signature) = signature else { return false };
    secrets
        .iter()
        .any(|secret| keyring::equal(&hmac(secret.secret.expose_secret(), &[body]), &signature))
}

/// Standard Webhooks: `v1,…`, base64 HMAC-SHA-256 of id, time and raw body.
pub(super) fn standard(secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
    let fields = (
        text(headers, "webhook-id"),
        text(headers, "webhook-timestamp"),
        text(headers, "webhook-signature"),
    );
    let (Some(id), Some(time), Some(signatures)) = fields else {
        return false;
    };
    let Ok(seconds) = time.parse::<i64>() else { return false };
    if (now.timestamp() - seconds).abs() > TOLERANCE {
        return false;
    }
    secrets.iter().any(|secret| {
        let Ok(webhook) = standardwebhooks::Webhook::new(secret.secret.expose_secret()) else {
            return false;
        };
        let Ok(right) = webhook.sign(id, seconds, body) else {
            return false;
        };
        signatures
            .split(' ')
            .any(|signature| keyring::equal(right.as_bytes(), signature.as_bytes()))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn secret(text: &str) -> Vec<Credential> {
        vec![Credential {
            url: None,
            secret: text.into(),
        }]
    }

    pub fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    value.parse().expect("a value"),
                )
            })
            .collect()
    }

    /// HMAC-SHA-256 as in RFC 4231, test case 2, in base64.
    #[test]
    fn a_header_with_the_bodys_hmac_holds() {
        let signature = BASE64_STANDARD
            .encode(hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").expect("hex"));
        for name in ["x-shopify-hmac-sha256", "x-wc-webhook-signature"] {
            let signed = headers(&[(name, &signature)]);
            let body = b"what do ya want for nothing?";
            assert!(of_body(&secret("Jefe"), &signed, name, body));
            assert!(!of_body(
                &secret("Jefe"),
                &signed,
                name,
                b"what do ya want for nothing!"
            ));
            assert!(!of_body(&secret("Jeff"), &signed, name, body));
            assert!(!of_body(&secret("Jefe"), &headers(&[]), name, body));
        }
    }

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_standards_own_vector_holds() {
        let secrets = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]);
        let then = DateTime::from_timestamp(1_614_265_330, 0).expect("a time");
        assert!(standard(&secrets, &signed, body, then));
        assert!(!standard(&secrets, &signed, br#"{"test": 2432232315}"#, then));
        assert!(!standard(
            &secrets,
            &signed,
            body,
            then + chrono::Duration::seconds(301)
        ));
        assert!(!standard(&secret("whsec_AAAA"), &signed, body, then));
    }
}
