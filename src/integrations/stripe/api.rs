//! Charges, payment pages and refunds at Stripe. Each request has an idempotency key, so that a movement happens only once.
//!
//! Stripe forgets a key after 24 hours. Before a movement that old is requested again, Stripe is asked whether it knows the movement. A
//! movement's id, and so its key, is the same when a restored database executes its proposal again (`movement_id` in the migrations).

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    integrations::{
        credentials::{self, Kind},
        outbound_http,
        payments::Queued,
    },
    jobs::outbox::{ClaimedDelivery, Sent},
    keyring::Keyring,
    ledger::{self, Direction, LedgerError, Movement, MovementState},
    telemetry::traces,
};

/// The version of Stripe's API that answers are parsed as.
const STRIPE_VERSION: &str = "2025-09-30.clover";
/// How long we rely on an idempotency key: less than the 24 hours after which Stripe removes it (its API reference, "Idempotent requests").
const IDEMPOTENCY_KEY_TTL: Duration = Duration::hours(20);

/// How Stripe's API is called.
pub(in crate::integrations) struct Api<'a> {
    pub client: &'a reqwest::Client,
    pub base: &'a str,
    /// The address of this server, where shoppers return after paying.
    pub public_url: &'a str,
}

/// The API with a store's key.
struct Call<'a> {
    api: &'a Api<'a>,
    secret: SecretString,
}

/// Does what an outbox row asks for, and records the result in the ledger.
pub(in crate::integrations) async fn send(
    api: Api<'_>,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Queued { movement } = match claimed.read() {
        Ok(queued) => queued,
        Err(unreadable) => return Ok(unreadable),
    };
    let Some(movement) = ledger::get(&mut claimed.tx, movement).await? else {
        return Ok(Sent::Dropped("there is no such movement"));
    };
    let credential = credentials::of(&mut claimed.tx, keyring, Kind::Stripe)
        .await?
        .into_iter()
        .next();
    let Some(credential) = credential else {
        return Ok(Sent::Retry {
            error: "there is no Stripe key any more".into(),
            not_before: None,
        });
    };
    let call = Call {
        api: &api,
        secret: credential.secret,
    };
    match (claimed.kind.as_str(), movement.direction) {
        ("charge", Direction::In) => charge(&call, claimed, &movement, now).await,
        ("payment_link", Direction::In) => payment_link(&call, claimed, &movement, now).await,
        ("refund", Direction::Out) => refund(&call, claimed, &movement, now).await,
        _ => Ok(Sent::Never(
            "the row asks for another movement than the ledger has".into(),
        )),
    }
}

/// Charges the stored payment method without the shopper present. When that fails or needs the shopper, the charge is cancelled and the
/// shopper gets a payment page.
async fn charge(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    if movement.state != MovementState::Requested {
        return Ok(Sent::Done(movement.reference.clone()));
    }
    if now - movement.requested_since > IDEMPOTENCY_KEY_TTL {
        let query = format!("metadata['movement']:'{}'", movement.id);
        let found = match call.get("/v1/payment_intents/search", &[("query", &query)]).await {
            Ok(found) => found,
            Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => return Ok(sent),
        };
        let is = |intent: &&Value, status: &str| intent["status"] == status;
        let all = || found["data"].as_array().into_iter().flatten();
        let made = all()
            .find(|intent| is(intent, "succeeded"))
            .or_else(|| all().find(|intent| is(intent, "processing")))
            .or_else(|| all().find(|intent| !is(intent, "canceled")));
        // A movement that is younger than its proposal was not requested from this database before: it is charged if Stripe knows nothing of it.
        if made.is_some() || now - movement.created_at > IDEMPOTENCY_KEY_TTL {
            return follow(call, claimed, movement, made.unwrap_or(&Value::Null), now).await;
        }
    }
    let amount = movement.amount.minor.to_string();
    let currency = movement.amount.currency.to_string().to_lowercase();
    let id = movement.id.to_string();
    let mut form = vec![
        ("amount", amount.as_str()),
        ("currency", &currency),
        ("confirm", "true"),
        ("off_session", "true"),
        (
            "payment_method",
            movement.method_reference.as_deref().unwrap_or_default(),
        ),
        ("metadata[movement]", &id),
    ];
    if let Some(customer) = &movement.customer {
        form.push(("customer", customer));
    }
    let intent = match call.post("/v1/payment_intents", &claimed.key, &form).await {
        Ok(intent) => intent,
        // The charge was declined, or the bank wants the shopper to authenticate.
        Err(Failure::Declined(_, error)) => error["payment_intent"].clone(),
        // The stored method is gone, or is not this customer's: the shopper can pay in another way.
        Err(Failure::Sent(Sent::Never(_))) => Value::Null,
        Err(Failure::Sent(sent)) => return Ok(sent),
    };
    follow(call, claimed, movement, &intent, now).await
}

/// Continues from the state of a charge at the provider: it succeeded, it is processing, or it is cancelled and the shopper gets a payment
/// page.
async fn follow(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    intent: &Value,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    match intent["status"].as_str() {
        Some("succeeded") => return charged(claimed, movement, intent, now).await,
        // A bank debit: a webhook reports the result.
        Some("processing") => {
            let reference = intent["id"].as_str();
            ledger::note(&mut claimed.tx, movement.id, (reference, None), now).await?;
            return Ok(Sent::Done(reference.map(str::to_owned)));
        }
        _ => {}
    }
    // There must not be a payment page and a charge that could still succeed at the same time.
    if let Some(intent) = intent["id"].as_str() {
        let path = format!("/v1/payment_intents/{intent}/cancel");
        match call.post(&path, &format!("cancel:{}", claimed.key), &[]).await {
            Ok(cancelled) if cancelled["status"] == "succeeded" => {
                return charged(claimed, movement, &cancelled, now).await;
            }
            Ok(_) => {}
            Err(Failure::Sent(sent @ (Sent::Retry { .. } | Sent::Postponed))) => return Ok(sent),
            // It cannot be cancelled, so look up its state.
            Err(_) => match call.get(&format!("/v1/payment_intents/{intent}"), &[]).await {
                Ok(found) if found["status"] == "succeeded" => return charged(claimed, movement, &found, now).await,
                Ok(found) if found["status"] == "canceled" => {}
                Ok(_) => return Ok(later("the charge can be neither made nor cancelled")),
                Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => return Ok(sent),
            },
        }
    }
    payment_link(call, claimed, movement, now).await
}

async fn charged(
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    intent: &Value,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let received = intent["amount_received"].as_i64().or(intent["amount"].as_i64());
    if received != Some(movement.amount.minor) {
        return Ok(later("the provider took another amount than was asked for"));
    }
    let reference = intent["id"].as_str();
    ledger::confirm(&mut claimed.tx, movement.id, reference, now).await?;
    Ok(Sent::Done(reference.map(str::to_owned)))
}

/// Creates a payment page at Stripe (a Checkout Session), where the shopper can pay for 24 hours.
async fn payment_link(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    if movement.state != MovementState::Requested {
        return Ok(Sent::Done(movement.reference.clone()));
    }
    let number = sqlx::query_scalar!(
        "SELECT number FROM orders WHERE tenant_id = $2 AND id = $1",
        movement.order.as_uuid(),
        claimed.tx.tenant_id().as_uuid()
    )
    .fetch_one(&mut *claimed.tx)
    .await?;
    let amount = movement.amount.minor.to_string();
    let currency = movement.amount.currency.to_string().to_lowercase();
    let (id, paid) = (movement.id.to_string(), format!("{}/", call.api.public_url));
    let mut form = vec![
        ("mode", "payment"),
        ("success_url", paid.as_str()),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", &currency),
        ("line_items[0][price_data][unit_amount]", &amount),
        ("line_items[0][price_data][product_data][name]", &number),
        ("metadata[movement]", &id),
    ];
    if let Some(customer) = &movement.customer {
        form.push(("customer", customer));
    }
    let key = format!("page:{}", movement.id);
    match call.post("/v1/checkout/sessions", &key, &form).await {
        Ok(session) => match (session["url"].as_str(), session["id"].as_str()) {
            (Some(url), Some(id)) => {
                ledger::note(&mut claimed.tx, movement.id, (Some(id), Some(url)), now).await?;
                Ok(Sent::Done(Some(id.to_owned())))
            }
            _ => Ok(later("the answer cannot be read")),
        },
        Err(Failure::Sent(sent @ Sent::Never(_)) | Failure::Declined(sent, _)) => {
            ledger::fail(&mut claimed.tx, movement.id, "the provider refused the payment", now).await?;
            Ok(sent)
        }
        Err(Failure::Sent(sent)) => Ok(sent),
    }
}

/// Refunds money to the payment that it came from.
async fn refund(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let mut retries = movement.retries;
    match movement.state {
        MovementState::Confirmed => return Ok(Sent::Done(movement.reference.clone())),
        // Staff try it again. Its share of the order's money was released when it failed.
        MovementState::Failed => match ledger::retry_out(&mut claimed.tx, movement.id, now).await {
            Ok(_) => retries += 1,
            Err(LedgerError::Database(error)) => return Err(error),
            Err(_) => return Ok(Sent::Never("the money has gone out otherwise".into())),
        },
        MovementState::Requested => {}
    }
    let Some(payment) = &movement.source_reference else {
        return Ok(Sent::Never("the payment has no name at the provider".into()));
    };
    let kind = if payment.starts_with("ch_") {
        "charge"
    } else {
        "payment_intent"
    };
    let id = movement.id.to_string();
    if now - movement.requested_since > IDEMPOTENCY_KEY_TTL {
        let listed = match call.get("/v1/refunds", &[(kind, payment), ("limit", "100")]).await {
            Ok(listed) => listed,
            Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => return Ok(sent),
        };
        let known = listed["data"].as_array().into_iter().flatten().find(|refund| {
            refund["metadata"]["movement"] == id.as_str()
                && !matches!(refund["status"].as_str(), Some("failed" | "canceled"))
        });
        if let Some(known) = known {
            return refunded(claimed, movement, known, now).await;
        }
    }
    let (amount, attempt) = (movement.amount.minor.to_string(), retries.to_string());
    let proposal = movement.proposal.map(|id| id.to_string()).unwrap_or_default();
    let form = [
        (kind, payment.as_str()),
        ("amount", &amount),
        ("metadata[movement]", &id),
        ("metadata[attempt]", &attempt),
        ("metadata[proposal]", &proposal),
    ];
    // A retry after a final failure is a new refund and needs a new key.
    let key = match retries {
        0 => claimed.key.clone(),
        retries => format!("{}:{retries}", claimed.key),
    };
    match call.post("/v1/refunds", &key, &form).await {
        Ok(refund) => refunded(claimed, movement, &refund, now).await,
        Err(Failure::Sent(sent @ Sent::Never(_)) | Failure::Declined(sent, _)) => {
            ledger::fail(&mut claimed.tx, movement.id, "the provider refused the refund", now).await?;
            Ok(sent)
        }
        Err(Failure::Sent(sent)) => Ok(sent),
    }
}

async fn refunded(
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    refund: &Value,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Some(reference) = refund["id"].as_str() else {
        return Ok(later("the answer cannot be read"));
    };
    if refund["amount"]
        .as_i64()
        .is_some_and(|amount| amount != movement.amount.minor)
    {
        return Ok(Sent::Never(
            "the provider refunded another amount than was asked for".into(),
        ));
    }
    match refund["status"].as_str() {
        Some("failed" | "canceled") => {
            ledger::fail(
                &mut claimed.tx,
                movement.id,
                "the provider could not pay the refund out",
                now,
            )
            .await?;
            return Ok(Sent::Never("the provider could not pay the refund out".into()));
        }
        // A webhook reports the result.
        Some("pending" | "requires_action") => {
            ledger::note(&mut claimed.tx, movement.id, (Some(reference), None), now).await?;
        }
        _ => {
            ledger::confirm(&mut claimed.tx, movement.id, Some(reference), now).await?;
        }
    }
    Ok(Sent::Done(Some(reference.to_owned())))
}

/// Why a call returned no object.
enum Failure {
    Sent(Sent),
    /// The card or its bank declined: 402 with Stripe's `error` object.
    Declined(Sent, Value),
}

impl Call<'_> {
    async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> Result<Value, Failure> {
        let request = self.api.client.post(format!("{}{path}", self.api.base));
        self.answer(request.header("idempotency-key", key).form(form)).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
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

fn later(error: &str) -> Sent {
    Sent::Retry {
        error: error.to_owned(),
        not_before: None,
    }
}

fn code(body: &Value) -> String {
    let code = body["error"]["code"].as_str().unwrap_or_default();
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(64)
        .collect()
}
