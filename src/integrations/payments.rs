//! Refunds at the payment provider (Stripe's refunds API), once each.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    credentials::{self, Kind},
    outside,
};
use crate::{
    ids::{OrderId, ProposalId},
    jobs::outbox::{self, Channel, Claimed, Sent},
    keyring::Keyring,
    mail::{self, Mail},
    money::Money,
    telemetry::traces,
    tenancy::{Executor, Tx},
};

/// The version of Stripe's API that answers are read by.
const STRIPE_VERSION: &str = "2025-09-30.clover";

#[derive(Serialize, Deserialize)]
struct Refund {
    proposal: ProposalId,
    /// What the provider calls the payment that is given back.
    payment: String,
    amount_minor: i64,
    currency: String,
}

/// Queues the refund of a payment that the provider knows. False without a provider, or for a payment that it never saw, such
/// as a gift card's.
pub async fn queue_refund(
    tx: &mut Tx<Executor>,
    (proposal, position): (ProposalId, usize),
    (order, payment_method): (OrderId, &str),
    amount: Money,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let payment = sqlx::query_scalar!(
        r#"SELECT p.reference AS "reference!" FROM payments p JOIN payment_methods m ON (m.tenant_id, m.id) = (p.tenant_id, p.payment_method_id)
        WHERE p.order_id = $1 AND m.external_id = $2 AND p.kind = 'payment' AND p.reference IS NOT NULL
            AND EXISTS (SELECT FROM integrations WHERE kind = 'stripe' AND revoked_at IS NULL)
        ORDER BY p.position DESC LIMIT 1"#,
        order.as_uuid(),
        payment_method
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(payment) = payment else { return Ok(false) };
    let payload = json!(Refund {
        proposal,
        payment,
        amount_minor: amount.minor,
        currency: amount.currency.to_string().to_lowercase(),
    });
    let key = format!("refund:{proposal}:{position}");
    outbox::queue(tx, Channel::Payment, "refund", &key, payload, now).await?;
    Ok(true)
}

/// Asks the provider for a refund. The same key is the same refund, however often it is asked for.
pub(super) async fn send(
    client: &reqwest::Client,
    base: &str,
    keyring: &Keyring,
    claimed: &mut Claimed,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let Ok(refund) = serde_json::from_value::<Refund>(claimed.payload.clone()) else {
        return Ok(Sent::Never("the row cannot be read".into()));
    };
    let credential = credentials::of(&mut claimed.tx, keyring, Kind::Stripe)
        .await?
        .into_iter()
        .next();
    let Some(credential) = credential else {
        return Ok(Sent::Later {
            error: "there is no Stripe key any more".into(),
            no_sooner: None,
        });
    };
    let payment = if refund.payment.starts_with("ch_") {
        "charge"
    } else {
        "payment_intent"
    };
    let request = client
        .post(format!("{base}/v1/refunds"))
        .bearer_auth(credential.secret.expose_secret())
        .header("idempotency-key", &claimed.key)
        .header("stripe-version", STRIPE_VERSION)
        .headers(traces::to_go_on())
        .form(&[
            (payment, refund.payment.as_str()),
            ("amount", &refund.amount_minor.to_string()),
            ("metadata[proposal]", &refund.proposal.to_string()),
        ]);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Ok(outside::no_answer(&error)),
    };
    if let Some(sent) = outside::judge(response.status(), response.headers()) {
        return Ok(match (sent, outside::body(response).await) {
            // The provider's code, such as `charge_already_refunded`, never its words.
            (Sent::Never(error), Ok(body)) => Sent::Never(format!("{error} {}", code(&body))),
            (sent, _) => sent,
        });
    }
    let answer = outside::body(response)
        .await
        .ok()
        .and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    let Some(id) = answer.as_ref().and_then(|answer| answer["id"].as_str()) else {
        return Ok(Sent::Later {
            error: "the answer cannot be read".into(),
            no_sooner: None,
        });
    };
    let told = Mail::RefundMade {
        proposal: refund.proposal,
    };
    mail::queue(&mut claimed.tx, &told, "refund_made", &claimed.key, now).await?;
    Ok(Sent::Done(Some(id.to_owned())))
}

fn code(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer["error"]["code"].as_str().unwrap_or_default();
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(64)
        .collect()
}
