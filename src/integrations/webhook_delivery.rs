//! Outgoing webhooks: tell a store's own systems what happened (Standard Webhooks), at addresses that the store chose.

use chrono::{DateTime, Utc};
use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use uuid::Uuid;

use super::outbound_http;
use crate::{
    jobs::outbox::{self, Channel, ClaimedDelivery, Sent},
    keyring::{Keyring, Purpose},
    telemetry::traces,
    tenancy::{Role, Tx, Web},
};

#[derive(Serialize, Deserialize)]
struct Queued {
    endpoint: Uuid,
    at: DateTime<Utc>,
    data: Value,
}

/// An endpoint as staff see it.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Endpoint {
    pub id: Uuid,
    pub url: String,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
}

/// Why an endpoint is refused.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{0}")]
    Url(&'static str),
    #[error("cryptography failed")]
    Crypto,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Queues an event for each of the tenant's endpoints. `data` holds ids and states; for more, the receiver asks the API.
pub async fn announce<R: Role>(
    tx: &mut Tx<R>,
    event: &str,
    key: &str,
    data: Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let endpoints =
        sqlx::query_scalar!("SELECT id FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id LIMIT 10")
            .fetch_all(&mut **tx)
            .await?;
    for endpoint in endpoints {
        let payload = json!(Queued {
            endpoint,
            at: now,
            data: data.clone(),
        });
        outbox::queue(
            tx,
            Channel::Webhook,
            event,
            &format!("webhook:{endpoint}:{key}"),
            payload,
            now,
        )
        .await?;
    }
    Ok(())
}

/// How many live endpoints the tenant has.
pub async fn count<R: Role>(tx: &mut Tx<R>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM webhook_endpoints WHERE tenant_id = $1 AND disabled_at IS NULL"#,
        tx.tenant_id().as_uuid()
    )
    .fetch_one(&mut **tx)
    .await
}

/// Sends one event to one endpoint, signed.
pub(super) async fn send(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let queued: Queued = match claimed.read() {
        Ok(queued) => queued,
        Err(unreadable) => return Ok(unreadable),
    };
    let endpoint = sqlx::query!(
        "SELECT url, secret FROM webhook_endpoints WHERE id = $1 AND disabled_at IS NULL",
        queued.endpoint
    )
    .fetch_optional(&mut *claimed.tx)
    .await?;
    let Some(endpoint) = endpoint else {
        return Ok(Sent::Dropped("the endpoint was taken away"));
    };
    let Some(secret) = keyring.open(Purpose::Credential, &endpoint.secret) else {
        return Ok(Sent::Never("the endpoint's secret rests on a key that is gone".into()));
    };
    let body = json!({ "type": claimed.kind, "timestamp": queued.at, "data": queued.data }).to_string();
    match signed(client, &endpoint.url, &secret, claimed.id, now, body) {
        Some(request) => Ok(request.send().await),
        None => Ok(Sent::Never("the endpoint's secret cannot sign".into())),
    }
}

/// A signed Standard Webhooks message.
pub(super) struct Signed {
    id: String,
    request: RequestBuilder,
}

/// Signs what is posted for an outbox row. None when the secret cannot be used to sign.
pub(super) fn signed(
    client: &reqwest::Client,
    url: &str,
    secret: &[u8],
    row: Uuid,
    now: DateTime<Utc>,
    body: String,
) -> Option<Signed> {
    let id = format!("msg_{}", row.simple());
    let webhook = Webhook::new(std::str::from_utf8(secret).ok()?).ok()?;
    let signature = webhook.sign(&id, now.timestamp(), body.as_bytes()).ok()?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", now.timestamp().to_string())
        .header("webhook-signature", signature)
        .body(body);
    Some(Signed { id, request })
}

impl Signed {
    /// The request, for a caller that reads its answer.
    pub fn request(self) -> RequestBuilder {
        self.request
    }

    /// Adds the idempotency key, by which the receiver recognises a message that was sent before.
    pub fn idempotent(mut self, key: &str) -> Self {
        self.request = self.request.header("idempotency-key", key);
        self
    }

    /// Sends the message and returns the result.
    pub async fn send(self) -> Sent {
        match self.request.headers(traces::trace_headers()).send().await {
            Ok(answer) => {
                outbound_http::classify_status(answer.status(), answer.headers()).unwrap_or(Sent::Done(Some(self.id)))
            }
            Err(error) => outbound_http::no_answer(&error),
        }
    }
}

/// Generates a secret in the form of the standard.
pub fn new_secret() -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("whsec_{}", BASE64_STANDARD.encode(rand::random::<[u8; 24]>()))
}

/// Adds an endpoint. Its secret is shown only this once.
pub async fn add(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    url: &str,
    allow_loopback: bool,
    now: DateTime<Utc>,
) -> Result<(Endpoint, String), EndpointError> {
    let url = outbound_http::check(url, allow_loopback)
        .map_err(EndpointError::Url)?
        .to_string();
    let secret = new_secret();
    let sealed = keyring
        .seal(Purpose::Credential, secret.as_bytes())
        .ok_or(EndpointError::Crypto)?;
    let endpoint = Endpoint {
        id: Uuid::now_v7(),
        url,
        created_at: now,
        disabled_at: None,
    };
    sqlx::query!(
        "INSERT INTO webhook_endpoints (tenant_id, id, url, secret, created_at) VALUES ($1, $2, $3, $4, $5)",
        tx.tenant_id().as_uuid(),
        endpoint.id,
        endpoint.url,
        sealed,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok((endpoint, secret))
}

/// The tenant's endpoints, newest first, at most `limit`; with `before`, only those before it.
pub async fn list(tx: &mut Tx<Web>, (limit, before): (u32, Option<Uuid>)) -> Result<Vec<Endpoint>, sqlx::Error> {
    sqlx::query_as!(
        Endpoint,
        "SELECT id, url, created_at, disabled_at FROM webhook_endpoints WHERE $2::uuid IS NULL OR id < $2 ORDER BY id DESC LIMIT $1",
        i64::from(limit),
        before
    )
    .fetch_all(&mut **tx)
    .await
}

/// Disables an endpoint. False when there is no such live endpoint.
pub async fn disable(tx: &mut Tx<Web>, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let disabled = sqlx::query!(
        "UPDATE webhook_endpoints SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(disabled.rows_affected() == 1)
}
