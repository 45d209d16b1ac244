//! Codes that are mailed to prove an address: eight digits to type, or a link to follow.
//!
//! A code is computed from its row's id with the server's key, so it is stored nowhere, and the mail with it is written when it is sent.
//! Each code works once, for some minutes, and allows few wrong guesses.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
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
    network::Network,
    tenancy::{Pool, Scope, Tx, Web},
};

/// How many wrong guesses a code survives. Guesses are throttled by network long before (`throttle`), so that strangers do not use up a
/// code that its owner waits for. Somebody with a hundred networks has 100 guesses out of 10^8.
const MAX_WRONG_GUESSES: i32 = 100;
/// How many codes of one address are tried, newest first.
const MAX_LIVE_CODES: i64 = 50;

/// A code to be created.
pub(super) struct NewCode<'a> {
    pub purpose: Purpose,
    pub email: &'a str,
    pub shopper: Option<ShopperId>,
    pub order: Option<OrderId>,
    pub details: Option<Value>,
    /// False for an address without an account: then the same row is stored, and nothing is mailed.
    pub mail: bool,
    /// The member of staff who sent an invitation: it becomes invalid when their account does.
    pub issuer: Option<Uuid>,
    /// A secret that only the asker has, without which the code does not work.
    pub attempt: Option<&'a Attempt>,
}

/// The secret of the browser that began a request: the code that is mailed for it works for nobody else. 128 random bits, base64url.
pub struct Attempt(String);

impl Attempt {
    pub(super) fn generate() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()))
    }

    /// The secret's text, which is given to the asker only, and only once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn attempt_hash(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

/// A code that was just redeemed.
pub(super) struct Redeemed {
    pub email: String,
    pub shopper: Option<ShopperId>,
    pub order: Option<OrderId>,
    pub details: Option<Value>,
    /// The epoch of the account when the code was made.
    pub epoch: i32,
}

impl Identity {
    /// Throttles requests for mails.
    pub(super) async fn may_mail(
        &self,
        tx: &mut Tx<Web>,
        email: &str,
        device: &super::Device,
    ) -> Result<(), IdentityError> {
        let (now, network) = (self.now(), Network::of(device.address).to_string());
        let mailbox = throttle::mailbox(email);
        throttle::MAIL_FROM_ADDRESS
            .take(tx, &self.keyring, &[&network], now)
            .await?;
        throttle::MAIL_TO_ADDRESS_FROM_ADDRESS
            .take(tx, &self.keyring, &[&mailbox, &network], now)
            .await?;
        match self.is_known_address(tx, email, device).await? {
            true => Ok(()),
            false => {
                throttle::MAIL_TO_ADDRESS
                    .take(tx, &self.keyring, &[&mailbox], now)
                    .await
            }
        }
    }
}

/// Stores a code and queues its mail.
pub(super) async fn issue(tx: &mut Tx<Web>, new: NewCode<'_>, now: DateTime<Utc>) -> Result<CodeId, sqlx::Error> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO codes (tenant_id, id, purpose, email, shopper_id, order_id, details, known, attempts_left, created_at, expires_at, issuer, attempt)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        tx.tenant_id().as_uuid(),
        id,
        new.purpose as Purpose as _,
        new.email,
        new.shopper.map(ShopperId::as_uuid),
        new.order.map(OrderId::as_uuid),
        new.details,
        new.purpose == Purpose::Register && new.details.is_none(),
        MAX_WRONG_GUESSES,
        now,
        now + new.purpose.lifetime(),
        new.issuer,
        new.attempt.map(|attempt| attempt_hash(attempt.expose()))
    )
    .execute(&mut **tx)
    .await?;
    if new.mail {
        mail::queue(tx, &Mail::Code { code: id }, "code", &format!("code:{id}"), now).await?;
    }
    Ok(id)
}

/// Redeems the code that was mailed to `email` for `purpose`. Codes of different requests are valid side by side: a new one does not
/// replace an old one. With an `attempt`, only that attempt's code is tried; without one, a purpose that has attempts is refused when there
/// are several. A wrong code costs a try, so commit in either case.
pub(super) async fn redeem(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    (purpose, email): (Purpose, &str),
    (text, attempt): (&str, Option<&str>),
    (network, now): (&str, DateTime<Utc>),
) -> Result<Option<Redeemed>, IdentityError> {
    let live = sqlx::query!(
        r#"SELECT c.id, c.attempt IS NOT NULL AS "owned!" FROM codes c WHERE c.tenant_id = $6 AND c.purpose = $1 AND c.email = $2 AND c.used_at IS NULL
            AND c.expires_at > $3 AND c.attempts_left > 0 AND is_current(c) AND ($4::bytea IS NULL OR c.attempt = $4) ORDER BY c.created_at DESC, c.id DESC LIMIT $5"#,
        purpose as Purpose as _,
        email,
        now,
        attempt.map(attempt_hash),
        MAX_LIVE_CODES,
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    if attempt.is_none() && live.len() > 1 && live.iter().any(|code| code.owned) {
        return Ok(None);
    }
    let is_right = |id: CodeId| {
        let right = texts(keyring, id, false);
        right
            .iter()
            .any(|right| keyring::equal(right.as_bytes(), text.as_bytes()))
    };
    for code in &live {
        let id = code.id.to_string();
        match throttle::GUESS_AT_CODE_FROM_ADDRESS
            .take(tx, keyring, &[&id, network], now)
            .await
        {
            Ok(()) if is_right(code.id) => {
                return Ok(redeem_row(tx, code.id, purpose, |id| texts(keyring, id, false), text, now).await?);
            }
            Ok(()) | Err(IdentityError::Throttled(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let ids: Vec<Uuid> = live.iter().map(|code| code.id).collect();
    sqlx::query!(
        "UPDATE codes SET attempts_left = attempts_left - 1 WHERE tenant_id = $2 AND id = ANY ($1) AND attempts_left > 0",
        &ids,
        tx.tenant_id().as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    Ok(None)
}

/// Redeems the link whose last part is `text`.
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

/// Whether a link could be redeemed now. It is not used up, but a wrong one costs a try.
pub(super) async fn is_live_link(
    web: &Pool<Web>,
    scope: Scope,
    keyring: &Keyring,
    (purpose, text): (Purpose, &str),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut tx = web.begin(scope).await?;
    match redeem_link(&mut tx, keyring, purpose, text, now).await? {
        // The transaction is dropped, so the link can still be used.
        Some(_) => Ok(true),
        None => tx.commit().await.map(|()| false),
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
        r#"SELECT email, shopper_id AS "shopper: ShopperId", order_id AS "order: OrderId", details, epoch FROM codes c
        WHERE c.id = $1 AND c.purpose = $2 AND c.used_at IS NULL AND c.expires_at > $3 AND c.attempts_left > 0 AND is_current(c) FOR UPDATE"#,
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
        epoch: row.epoch,
    }))
}
