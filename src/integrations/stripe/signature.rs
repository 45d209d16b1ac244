//! Stripe's signature of a webhook.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use crate::{
    integrations::{
        credentials::Credential,
        signatures::{TOLERANCE, hmac, text},
    },
    keyring,
};

/// Stripe: `t=…,v1=…`, hexadecimal HMAC-SHA-256 of time, dot and raw body; several `v1` while it rotates.
pub(super) fn is_signed(secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::signatures::tests::{headers, secret};

    /// The scheme of Stripe's documentation, with the example secret of Stripe's test suites.
    #[test]
    fn stripes_scheme_holds_with_old_and_new_secrets() {
        let body = br#"{"id":"evt_1","type":"charge.refunded"}"#;
        let now = Utc::now();
        let time = now.timestamp().to_string();
        let sign = |secret: &str| hex::encode(hmac(secret, &[time.as_bytes(), b".", body]));
        let both = format!("t={time},v1={},v1={},v0=ignored", sign("whsec_old"), sign("whsec_new"));
        for known in ["whsec_old", "whsec_new"] {
            assert!(is_signed(
                &secret(known),
                &headers(&[("stripe-signature", &both)]),
                body,
                now
            ));
        }
        assert!(!is_signed(
            &secret("whsec_third"),
            &headers(&[("stripe-signature", &both)]),
            body,
            now
        ));
        let v0 = format!("t={time},v0={}", sign("whsec_new"));
        assert!(!is_signed(
            &secret("whsec_new"),
            &headers(&[("stripe-signature", &v0)]),
            body,
            now
        ));
        assert!(!is_signed(
            &secret("whsec_new"),
            &headers(&[("stripe-signature", &both)]),
            body,
            now + chrono::Duration::minutes(6)
        ));
    }
}
