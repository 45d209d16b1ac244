//! Notes for the CRM: one signed HTTP call for each.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    credentials::{self, Kind},
    webhook_delivery,
};
use crate::{
    ids::ProposalId,
    jobs::outbox::{self, Channel, ClaimedDelivery, Sent},
    keyring::Keyring,
    tenancy::{Executor, Tx},
};

#[derive(Serialize, Deserialize)]
struct Note {
    proposal: ProposalId,
}

/// Queues the note of a proposal, if the store has a CRM.
pub async fn queue_note(tx: &mut Tx<Executor>, proposal: ProposalId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let has_crm = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM integrations WHERE kind = 'crm' AND revoked_at IS NULL) AS "has_crm!""#
    )
    .fetch_one(&mut **tx)
    .await?;
    match has_crm {
        true => {
            outbox::queue(
                tx,
                Channel::Crm,
                "note",
                &format!("crm:{proposal}"),
                json!(Note { proposal }),
                now,
            )
            .await
        }
        false => Ok(()),
    }
}

/// Sends a note to the CRM.
pub(super) async fn send(
    client: &reqwest::Client,
    keyring: &Keyring,
    claimed: &mut ClaimedDelivery,
    now: DateTime<Utc>,
) -> Result<Sent, sqlx::Error> {
    let queued: Note = match claimed.read() {
        Ok(queued) => queued,
        Err(unreadable) => return Ok(unreadable),
    };
    let credential = credentials::of(&mut claimed.tx, keyring, Kind::Crm)
        .await?
        .into_iter()
        .next();
    let Some((url, secret)) = credential.and_then(|credential| Some((credential.url?, credential.secret))) else {
        return Ok(Sent::Dropped("the CRM was taken away"));
    };
    let note = sqlx::query!(
        "SELECT n.body, s.external_id, n.created_at FROM notes n JOIN shoppers s USING (tenant_id, shopper_id) WHERE n.proposal_id = $1",
        queued.proposal.as_uuid()
    )
    .fetch_optional(&mut *claimed.tx)
    .await?;
    let Some(note) = note else {
        return Ok(Sent::Dropped("the note is gone"));
    };
    let body = json!({ "type": "note.created", "timestamp": note.created_at,
        "data": { "shopper": note.external_id, "text": note.body, "proposal_id": queued.proposal } })
    .to_string();
    match webhook_delivery::signed(client, &url, secret.expose_secret().as_bytes(), claimed.id, now, body) {
        Some(request) => Ok(request.idempotent(&claimed.key).send().await),
        None => Ok(Sent::Never(
            "the CRM's secret cannot sign; it must begin with whsec_".into(),
        )),
    }
}
