//! One call of Stripe's API, and what its failure means for the delivery.

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    integrations::outbound_http,
    jobs::outbox::{ClaimedDelivery, Sent},
    ledger::{self, Movement},
    telemetry::traces,
};

/// The version of Stripe's API that answers are parsed as.
const STRIPE_VERSION: &str = "2025-09-30.clover";
/// How long we rely on an idempotency key: less than the 24 hours after which Stripe removes it (its API reference, "Idempotent requests").
pub(super) const IDEMPOTENCY_KEY_TTL: Duration = Duration::hours(20);

/// How Stripe's API is called.
pub(in crate::integrations) struct Api<'a> {
    pub client: &'a reqwest::Client,
    pub base: &'a str,
    /// The address of this server, where shoppers return after paying.
    pub public_url: &'a str,
}

/// The API with a store's key.
pub(super) struct Call<'a> {
    pub api: &'a Api<'a>,
    pub secret: SecretString,
}

/// Why a call returned no object.
pub(super) enum Failure {
    Sent(Sent),
    /// The card or its bank declined: 402 with Stripe's `error` object.
    Declined(Sent, Value),
}

impl Call<'_> {
    pub async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> Result<Value, Failure> {
        let request = self.api.client.post(format!("{}{path}", self.api.base));
        self.answer(request.header("idempotency-key", key).form(form)).await
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.answer(self.api.client.get(format!("{}{path}", self.api.base)).query(query))
            .await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let request = request
            .bearer_auth(self.secret.expose_secret())
            .header("stripe-version", STRIPE_VERSION)
            .headers(traces::trace_headers());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(Failure::Sent(outbound_http::no_answer(&error))),
        };
        let (status, judged) = (
            response.status(),
            outbound_http::classify_status(response.status(), response.headers()),
        );
        let body = outbound_http::body(response)
            .await
            .ok()
            .and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        match (judged, body) {
            (None, Some(body)) => Ok(body),
            (None, None) => Err(Failure::Sent(later("the answer cannot be read"))),
            (Some(Sent::Never(error)), body) => {
                let body = body.unwrap_or_default();
                // The provider's code, such as `charge_already_refunded`, never its text.
                let sent = Sent::Never(format!("{error} {}", code(&body)));
                match status.as_u16() {
                    // The movement was requested before with other contents, as after a restore. When the key is forgotten, the movement is
                    // looked up.
                    _ if body["error"]["type"] == "idempotency_error" => Err(Failure::Sent(later(
                        "the provider knows this request with other contents",
                    ))),
                    402 => Err(Failure::Declined(sent, body["error"].clone())),
                    // The key was revoked or lacks a permission. Whether the call was made before is unknown; a call with a new key will
                    // tell.
                    401 | 403 => Err(Failure::Sent(later("the provider does not take the key"))),
                    // Another request with the same key is still being processed.
                    _ => Err(Failure::Sent(sent)),
                }
            }
            (Some(sent), _) => Err(Failure::Sent(sent)),
        }
    }
}

pub(super) fn later(error: &str) -> Sent {
    Sent::Retry {
        error: error.to_owned(),
        not_before: None,
    }
}

/// Ends a movement that Stripe cannot make.
pub(super) async fn refuse(
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    ledger::fail(&mut claimed.tx, movement.id, reason, now).await?;
    Ok(Sent::Never(reason.to_owned()))
}

fn code(body: &Value) -> String {
    let code = body["error"]["code"].as_str().unwrap_or_default();
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(64)
        .collect()
}
