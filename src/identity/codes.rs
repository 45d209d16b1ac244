//! What is mailed to prove an address: eight digits to type, or a link to follow.
//!
//! A code is computed from its row's id with the server's key, so it is stored nowhere and the mail that carries it is
//! written when it is sent. Each works once, for minutes, for a few tries.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Identity, IdentityError, throttle};
pub(super) use crate::mail::codes::Purpose;
use crate::{
    ids::{OrderId, ShopperId},
    keyring::{self, Keyring},
    mail::{
        self, Mail,
        codes::{CodeId, texts},
    },
    tenancy::{Tx, Web},
};

const ATTEMPTS: i32 = 5;

/// A code to be made.
pub(super) struct NewCode<'a> {
    pub purpose: Purpose,
    pub email: &'a str,
    pub shopper: Option<ShopperId>,
    pub order: Option<OrderId>,
    pub details: Option<Value>,
    /// False for an address that has nothing here: the same row, and no mail.
    pub mail: bool,
}

/// A code that was just used.
pub(super) struct Redeemed {
    pub email: String,
    pub shopper: Option<ShopperId>,
    pub order: Option<OrderId>,
    pub details: Option<Value>,
}

impl Identity {
    /// Holds back who asks for too many mails.
    pub(super) async fn may_mail(
        &self,
        tx: &mut Tx<Web>,
        email: &str,
        device: &super::Device,
    ) -> Result<(), IdentityError> {
        let (now, network) = (self.now(), throttle::network(device.address));
        throttle::MAIL_FROM_ADDRESS
            .take(tx, &self.keyring, &[&network], now)
            .await?;
        throttle::MAIL_TO_ADDRESS_FROM_ADDRESS
            .take(tx, &self.keyring, &[email, &network], now)
            .await?;
        match self.is_known_place(tx, email, device).await? {
            true => Ok(()),
            false => throttle::MAIL_TO_ADDRESS.take(tx, &self.keyring, &[email], now).await,
        }
    }
}

/// Stores a code and queues its mail.
pub(super) async fn issue(tx: &mut Tx<Web>, new: NewCode<'_>, now: DateTime<Utc>) -> Result<CodeId, sqlx::Error> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO codes (tenant_id, id, purpose, email, shopper_id, order_id, details, known, attempts_left, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        tx.tenant_id().as_uuid(),
        id,
        new.purpose as Purpose as _,
        new.email,
        new.shopper.map(ShopperId::as_uuid),
        new.order.map(OrderId::as_uuid),
        new.details,
        new.purpose == Purpose::Register && new.details.is_none(),
        ATTEMPTS,
        now,
        now + new.purpose.lifetime()
    )
    .execute(&mut **tx)
    .await?;
    if new.mail {
        mail::queue(tx, &Mail::Code { code: id }, "code", &format!("code:{id}"), now).await?;
    }
    Ok(id)
}

/// Uses up the newest code that was mailed to `email` for `purpose`. A wrong one costs a try: commit in either case.
pub(super) async fn redeem(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    purpose: Purpose,
    email: &str,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Option<Redeemed>, sqlx::Error> {
    let newest = sqlx::query_scalar!(
        r#"SELECT id FROM codes WHERE purpose = $1 AND email = $2 ORDER BY created_at DESC LIMIT 1"#,
        purpose as Purpose as _,
        email
    )
    .fetch_optional(&mut **tx)
    .await?;
    match newest {
        Some(id) => redeem_row(tx, id, purpose, |id| texts(keyring, id, false), text, now).await,
        None => Ok(None),
    }
}

/// Uses up the link that `text` is the last part of.
pub(super) async fn redeem_link(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    purpose: Purpose,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Option<Redeemed>, sqlx::Error> {
    let id = BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .filter(|bytes| bytes.len() == 32)
        .and_then(|bytes| Uuid::from_slice(&bytes[..16]).ok());
    match id {
        Some(id) => redeem_row(tx, id, purpose, |id| texts(keyring, id, true), text, now).await,
        None => Ok(None),
    }
}

async fn redeem_row(
    tx: &mut Tx<Web>,
    id: CodeId,
    purpose: Purpose,
    right: impl Fn(CodeId) -> Vec<String>,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Option<Redeemed>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT email, shopper_id AS "shopper: ShopperId", order_id AS "order: OrderId", details FROM codes
        WHERE id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 AND attempts_left > 0 FOR UPDATE"#,
        id,
        purpose as Purpose as _,
        now
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let matches = right(id)
        .iter()
        .any(|right| keyring::equal(right.as_bytes(), text.as_bytes()));
    sqlx::query!(
        "UPDATE codes SET attempts_left = attempts_left - 1, used_at = CASE WHEN $2 THEN $3::timestamptz END WHERE id = $1",
        id,
        matches,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(matches.then_some(Redeemed {
        email: row.email,
        shopper: row.shopper,
        order: row.order,
        details: row.details,
    }))
}
