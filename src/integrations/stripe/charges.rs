//! Charges of stored payment methods, and the pages where shoppers pay.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::{
    amount::StripeAmount,
    call::{Call, Failure, IDEMPOTENCY_KEY_TTL, later, refuse},
};
use crate::{
    jobs::outbox::{ClaimedDelivery, Sent},
    ledger::{self, Movement, MovementState},
};

/// How many pages of a customer's payments are looked through.
const MOST_PAGES: usize = 10;

/// Charges the stored payment method without the shopper present. When that fails or needs the shopper, the charge is cancelled and the
/// shopper gets a payment page.
pub(super) async fn charge(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    match movement.state {
        MovementState::Confirmed => return Ok(Sent::Done(movement.reference.clone())),
        MovementState::Failed => return given_up(call, claimed, movement, now).await,
        MovementState::Requested => {}
    }
    if now - movement.requested_since > IDEMPOTENCY_KEY_TTL {
        let found = match call.search(movement).await {
            Ok(found) => found,
            Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => return Ok(sent),
        };
        let made = furthest(&found);
        // A movement that is younger than its proposal was not requested from this database before: it is charged if Stripe knows nothing of it.
        if made.is_some() || now - movement.created_at > IDEMPOTENCY_KEY_TTL {
            return follow(call, claimed, movement, made.unwrap_or(&Value::Null), now).await;
        }
    }
    let (amount, currency) = match StripeAmount::try_from(movement.amount) {
        Ok(amount) => amount.parameters(),
        Err(error) => return refuse(claimed, movement, &error.to_string(), now).await,
    };
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

/// Of the charges that were made for one movement, the one that has come furthest.
fn furthest(intents: &[Value]) -> Option<&Value> {
    let with = |status: &str| intents.iter().find(|intent| intent["status"] == status);
    with("succeeded")
        .or_else(|| with("processing"))
        .or_else(|| intents.iter().find(|intent| intent["status"] != "canceled"))
}

/// Ends a charge that was given up while its answer was on its way, as when the shopper withdrew the request. What was taken is confirmed, so
/// that it goes back, and what could still be taken is cancelled.
async fn given_up(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let found = match call.made_for(movement).await {
        Ok(found) => found,
        Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => return Ok(sent),
    };
    match furthest(&found) {
        None => Ok(Sent::Done(movement.reference.clone())),
        Some(intent) if intent["status"] == "processing" => {
            Ok(later("a charge that was given up is still being processed"))
        }
        Some(intent) => match end(call, claimed, movement, intent, now).await? {
            Some(sent) => Ok(sent),
            None => Ok(Sent::Done(None)),
        },
    }
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
    // A bank debit: a webhook reports the result.
    if intent["status"] == "processing" {
        let reference = intent["id"].as_str();
        ledger::note(&mut claimed.tx, movement.id, (reference, None), now).await?;
        return Ok(Sent::Done(reference.map(str::to_owned)));
    }
    // There must not be a payment page and a charge that could still succeed at the same time.
    match end(call, claimed, movement, intent, now).await? {
        Some(sent) => Ok(sent),
        None => payment_link(call, claimed, movement, now).await,
    }
}

/// Confirms a charge that succeeded and cancels any other. None when it is cancelled, so that it takes no money any more.
async fn end(
    call: &Call<'_>,
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    intent: &Value,
    now: DateTime<Utc>,
) -> Result<Option<Sent>, sqlx::Error> {
    if intent["status"] == "succeeded" {
        return charged(claimed, movement, intent, now).await.map(Some);
    }
    let Some(intent) = intent["id"].as_str() else {
        return Ok(None);
    };
    let path = format!("/v1/payment_intents/{intent}/cancel");
    match call.post(&path, &format!("cancel:{}", claimed.key), &[]).await {
        Ok(cancelled) if cancelled["status"] == "succeeded" => {
            charged(claimed, movement, &cancelled, now).await.map(Some)
        }
        Ok(_) => Ok(None),
        Err(Failure::Sent(sent @ (Sent::Retry { .. } | Sent::Postponed))) => Ok(Some(sent)),
        // It cannot be cancelled, so look up its state.
        Err(_) => match call.get(&format!("/v1/payment_intents/{intent}"), &[]).await {
            Ok(found) if found["status"] == "succeeded" => charged(claimed, movement, &found, now).await.map(Some),
            Ok(found) if found["status"] == "canceled" => Ok(None),
            Ok(_) => Ok(Some(later("the charge can be neither made nor cancelled"))),
            Err(Failure::Sent(sent) | Failure::Declined(sent, _)) => Ok(Some(sent)),
        },
    }
}

async fn charged(
    claimed: &mut ClaimedDelivery,
    movement: &Movement,
    intent: &Value,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let received = match &intent["amount_received"] {
        Value::Null => &intent["amount"],
        received => received,
    };
    let received = StripeAmount::read(received, &intent["currency"]);
    if received.is_err() || received != StripeAmount::try_from(movement.amount) {
        return Ok(later("the provider took another amount than was asked for"));
    }
    let reference = intent["id"].as_str();
    ledger::confirm(&mut claimed.tx, movement.id, reference, now).await?;
    Ok(Sent::Done(reference.map(str::to_owned)))
}

/// Creates a payment page at Stripe (a Checkout Session), where the shopper can pay for 24 hours.
pub(super) async fn payment_link(
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
    let (amount, currency) = match StripeAmount::try_from(movement.amount) {
        Ok(amount) => amount.parameters(),
        Err(error) => return refuse(claimed, movement, &error.to_string(), now).await,
    };
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

impl Call<'_> {
    /// The charges that were made for a movement. The list of the customer's payments has each at once; the search of all lags behind.
    async fn made_for(&self, movement: &Movement) -> Result<Vec<Value>, Failure> {
        let Some(customer) = &movement.customer else {
            return self.search(movement).await;
        };
        let since = (movement.requested_since - Duration::minutes(5))
            .timestamp()
            .to_string();
        let (mut made, mut after) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let mut query = vec![
                ("customer", customer.as_str()),
                ("created[gte]", &since),
                ("limit", "100"),
            ];
            if let Some(after) = &after {
                query.push(("starting_after", after));
            }
            let page = self.get("/v1/payment_intents", &query).await?;
            let intents = page["data"].as_array().cloned().unwrap_or_default();
            after = intents
                .last()
                .and_then(|intent| intent["id"].as_str())
                .map(str::to_owned);
            let id = movement.id.to_string();
            made.extend(
                intents
                    .into_iter()
                    .filter(|intent| intent["metadata"]["movement"] == id.as_str()),
            );
            if page["has_more"] != true || after.is_none() {
                return Ok(made);
            }
        }
        Err(Failure::Sent(later(
            "the customer has too many payments to look through",
        )))
    }

    /// The charges of a movement by their metadata, which Stripe finds about a minute after they were made.
    async fn search(&self, movement: &Movement) -> Result<Vec<Value>, Failure> {
        let query = format!("metadata['movement']:'{}'", movement.id);
        let found = self.get("/v1/payment_intents/search", &[("query", &query)]).await?;
        Ok(found["data"].as_array().cloned().unwrap_or_default())
    }
}
