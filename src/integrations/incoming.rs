//! What other systems say: the signature is checked on the raw bytes before anything of them is read, each event is stored
//! once, and the answer is out before any work is done.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::credentials::{self, Credential, Kind};
use crate::{
    ids::TenantId,
    jobs,
    keyring::{self, Keyring},
    tenancy::{Executor, Pool, Scope, Tx, Web},
};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Source {
    Shopify,
    Stripe,
    /// The store's own system (Standard Webhooks).
    Store,
    /// The mail relay (Standard Webhooks).
    Mail,
}

/// How old a signed time may be, and how far ahead, in seconds: what Stripe and the Standard Webhooks advise.
const TOLERANCE: i64 = 300;

/// Why an event is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    /// Not signed with a secret of this store's, or not now.
    #[error("the signature does not hold")]
    Signature,
    /// Signed, and not JSON.
    #[error("the body is not a JSON object")]
    Body,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What an event is called, and what kind it is.
struct Name {
    event: String,
    topic: String,
}

/// Checks and stores an event and queues its work. False when it was stored before.
pub async fn take(
    web: &Pool<Web>,
    keyring: &Keyring,
    tenant: TenantId,
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, IncomingError> {
    let mut tx = web.begin(Scope::tenant(tenant)).await?;
    let kind = match source {
        Source::Shopify => Kind::ShopifyWebhook,
        Source::Stripe => Kind::StripeWebhook,
        Source::Store => Kind::StoreWebhook,
        Source::Mail => Kind::MailWebhook,
    };
    let secrets = credentials::of(&mut tx, keyring, kind).await?;
    let holds = match source {
        Source::Shopify => shopify_holds(&secrets, headers, body),
        Source::Stripe => stripe_holds(&secrets, headers, body, now),
        Source::Store | Source::Mail => standard_holds(&secrets, headers, body, now),
    };
    if !holds {
        return Err(IncomingError::Signature);
    }
    let json: Value = serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or(IncomingError::Body)?;
    // Postgres text holds no NUL; nothing a store sells is called by one.
    if body.windows(6).any(|six| six == b"\\u0000") {
        return Err(IncomingError::Body);
    }
    let name = name(source, headers, body, &json).ok_or(IncomingError::Body)?;
    let stored = sqlx::query!(
        "INSERT INTO incoming_webhooks (tenant_id, id, source, event_id, topic, body, received_at, due_at, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 'queued')
        ON CONFLICT (tenant_id, source, event_id) DO NOTHING",
        tenant.as_uuid(),
        Uuid::now_v7(),
        source as Source as _,
        name.event,
        name.topic,
        json,
        now
    )
    .execute(&mut *tx)
    .await?;
    let is_new = stored.rows_affected() == 1;
    if is_new {
        jobs::enqueue_take_in(&mut tx, usize::from(rand::random::<u8>() % 8)).await?;
    }
    tx.commit().await?;
    Ok(is_new)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn hmac(secret: &str, parts: &[&[u8]]) -> [u8; 32] {
    keyring::hmac_sha256(secret.as_bytes(), &parts.concat())
}

/// Shopify: base64 of the raw body's HMAC-SHA-256.
fn shopify_holds(secrets: &[Credential], headers: &HeaderMap, body: &[u8]) -> bool {
    let signature = text(headers, "x-shopify-hmac-sha256").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let Some(signature) = signature else { return false };
    secrets
        .iter()
        .any(|secret| keyring::equal(&hmac(secret.secret.expose_secret(), &[body]), &signature))
}

/// Stripe: `t=…,v1=…`, hexadecimal HMAC-SHA-256 of time, dot and raw body; several `v1` while it rotates.
fn stripe_holds(secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
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
fn standard_holds(secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
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

fn name(source: Source, headers: &HeaderMap, body: &[u8], json: &Value) -> Option<Name> {
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let field = |name: &str| json[name].as_str().map(short).filter(|text| !text.is_empty());
    match source {
        // Shopify signs the body alone: an id from a header could be changed to have the same body taken twice.
        Source::Shopify => Some(Name {
            event: hex::encode(Sha256::digest(body)),
            topic: short(text(headers, "x-shopify-topic")?),
        }),
        Source::Stripe => Some(Name {
            event: field("id")?,
            topic: field("type")?,
        }),
        Source::Store | Source::Mail => Some(Name {
            event: short(text(headers, "webhook-id")?),
            topic: field("type")?,
        }),
    }
    .filter(|name| !name.event.is_empty())
}

/// An event to be worked off.
pub struct Event {
    pub id: Uuid,
    pub source: Source,
    pub topic: String,
    pub body: Value,
    pub received_at: DateTime<Utc>,
    pub attempts: i32,
}

/// Takes events that are due, the oldest first; nobody else takes them until the transaction ends.
pub async fn claim(tx: &mut Tx<Executor>, most: i64, now: DateTime<Utc>) -> Result<Vec<Event>, sqlx::Error> {
    sqlx::query_as!(
        Event,
        r#"SELECT id, source AS "source: Source", topic, body, received_at, attempts FROM incoming_webhooks
        WHERE state = 'queued' AND due_at <= $2 ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        most,
        now
    )
    .fetch_all(&mut **tx)
    .await
}

/// What became of an event.
pub enum Outcome {
    Done,
    Ignored(&'static str),
    /// To be tried again, as when it came before what it is about.
    Later(String),
}

/// Attempts before an event is given up: with the waits below about an hour.
const MOST_ATTEMPTS: i32 = 10;

/// Notes what became of an event.
pub async fn finish(
    tx: &mut Tx<Executor>,
    event: &Event,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let attempts = event.attempts + 1;
    let (state, error) = match outcome {
        Outcome::Done => ("done", None),
        Outcome::Ignored(reason) => ("ignored", Some(reason.to_owned())),
        Outcome::Later(error) if attempts >= MOST_ATTEMPTS => ("dead", Some(error)),
        Outcome::Later(error) => ("queued", Some(error)),
    };
    let due_at = now + chrono::Duration::seconds(2i64.pow(attempts.clamp(1, 12) as u32) * 4);
    sqlx::query!(
        "UPDATE incoming_webhooks SET state = $2, attempts = $3, due_at = $4, last_error = left($5, 500) WHERE id = $1",
        event.id,
        state,
        attempts,
        due_at,
        error
    )
    .execute(&mut **tx)
    .await?;
    if state == "dead" {
        tracing::error!(event = %event.id, topic = event.topic, "an incoming event was given up");
    }
    Ok(())
}

/// Whether a version of a thing is newer than all that were seen of it, and remembers it.
pub async fn is_newer(tx: &mut Tx<Executor>, kind: &str, external_id: &str, version: i64) -> Result<bool, sqlx::Error> {
    let newer = sqlx::query!(
        "INSERT INTO record_versions AS v (tenant_id, kind, external_id, version) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, kind, external_id) DO UPDATE SET version = excluded.version WHERE excluded.version > v.version",
        tx.tenant_id().as_uuid(),
        kind,
        external_id,
        version
    )
    .execute(&mut **tx)
    .await?;
    Ok(newer.rows_affected() == 1)
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
        assert!(standard_holds(&secrets, &signed, body, then));
        assert!(!standard_holds(&secrets, &signed, br#"{"test": 2432232315}"#, then));
        assert!(!standard_holds(
            &secrets,
            &signed,
            body,
            then + chrono::Duration::seconds(301)
        ));
        assert!(!standard_holds(&secret("whsec_AAAA"), &signed, body, then));
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
            assert!(stripe_holds(
                &secret(known),
                &headers(&[("stripe-signature", &both)]),
                body,
                now
            ));
        }
        assert!(!stripe_holds(
            &secret("whsec_third"),
            &headers(&[("stripe-signature", &both)]),
            body,
            now
        ));
        let v0 = format!("t={time},v0={}", sign("whsec_new"));
        assert!(!stripe_holds(
            &secret("whsec_new"),
            &headers(&[("stripe-signature", &v0)]),
            body,
            now
        ));
        assert!(!stripe_holds(
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
        assert!(shopify_holds(&secret("Jefe"), &signed, b"what do ya want for nothing?"));
        assert!(!shopify_holds(
            &secret("Jefe"),
            &signed,
            b"what do ya want for nothing!"
        ));
        assert!(!shopify_holds(
            &secret("Jeff"),
            &signed,
            b"what do ya want for nothing?"
        ));
    }
}
