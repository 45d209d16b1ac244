//! How other systems sign: always over the raw bytes, compared in constant time, with any of the secrets in use.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::credentials::Credential;
use crate::keyring;

/// How old a signed time may be, and how far ahead, in seconds: what Stripe and the Standard Webhooks advise.
const TOLERANCE: i64 = 300;

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn hmac(secret: &str, parts: &[&[u8]]) -> [u8; 32] {
    keyring::hmac_sha256(secret.as_bytes(), &parts.concat())
}

/// Shopify: base64 of the raw body's HMAC-SHA-256.
pub(super) fn shopify(secrets: &[Credential], headers: &HeaderMap, body: &[u8]) -> bool {
    let signature = text(headers, "x-shopify-hmac-sha256").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let Some(signature) = signature else { return false };
    secrets
        .iter()
        .any(|secret| keyring::equal(&hmac(secret.secret.expose_secret(), &[body]), &signature))
}

/// Stripe: `t=…,v1=…`, hexadecimal HMAC-SHA-256 of time, dot and raw body; several `v1` while it rotates.
pub(super) fn stripe(secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
    let Some(header) = text(headers, "stripe-signature") else {
        return false;
    };
    let fields = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
    let Some(time) = fields().find(|(name, _)| *name == "t").map(|(_, value)| value) else {
        return false;
    };
    if !time
        .parse()
        .is_ok_and(|time: i64| (now.timestamp() - time).abs() <= TOLERANCE)
    {
        return false;
    }
    let signatures: Vec<Vec<u8>> = fields()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, value)| hex::decode(value).ok())
        .collect();
    secrets.iter().any(|secret| {
        let right = hmac(secret.secret.expose_secret(), &[time.as_bytes(), b".", body]);
        signatures.iter().any(|signature| keyring::equal(&right, signature))
    })
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
mod tests {
    use super::*;

    fn secret(text: &str) -> Vec<Credential> {
        vec![Credential {
            url: None,
            secret: text.into(),
        }]
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
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

    /// The scheme of Stripe's documentation, on the example secret of its test suites.
    #[test]
    fn stripes_scheme_holds_with_old_and_new_secrets() {
        let body = br#"{"id":"evt_1","type":"charge.refunded"}"#;
        let now = Utc::now();
        let time = now.timestamp().to_string();
        let sign = |secret: &str| hex::encode(hmac(secret, &[time.as_bytes(), b".", body]));
        let both = format!("t={time},v1={},v1={},v0=ignored", sign("whsec_old"), sign("whsec_new"));
        for known in ["whsec_old", "whsec_new"] {
            assert!(stripe(
                &secret(known),
                &headers(&[("stripe-signature", &both)]),
                body,
                now
            ));
        }
        assert!(!stripe(
            &secret("whsec_third"),
            &headers(&[("stripe-signature", &both)]),
            body,
            now
        ));
        let v0 = format!("t={time},v0={}", sign("whsec_new"));
        assert!(!stripe(
            &secret("whsec_new"),
            &headers(&[("stripe-signature", &v0)]),
            body,
            now
        ));
        assert!(!stripe(
            &secret("whsec_new"),
            &headers(&[("stripe-signature", &both)]),
            body,
            now + chrono::Duration::minutes(6)
        ));
    }

    /// HMAC-SHA-256 as in RFC 4231, test case 2, in Shopify's spelling.
    #[test]
    fn shopifys_scheme_holds() {
        let signature = BASE64_STANDARD
            .encode(hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").expect("hex"));
        let signed = headers(&[("x-shopify-hmac-sha256", &signature)]);
        assert!(shopify(&secret("Jefe"), &signed, b"what do ya want for nothing?"));
        assert!(!shopify(&secret("Jefe"), &signed, b"what do ya want for nothing!"));
        assert!(!shopify(&secret("Jeff"), &signed, b"what do ya want for nothing?"));
    }
}
