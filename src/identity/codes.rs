//! Codes that are mailed to prove an address: eight digits to type, or a link to follow.
//!
//! A code is computed from its row's id with the server's key, so it is stored nowhere, and the mail with it is written when it is sent.
//! Each code works once, for some minutes, and allows few wrong guesses. A guess counts against whoever makes it: strangers cannot use up
//! the guesses of the browser or the network that asked for a code.

use std::net::IpAddr;

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

/// How many guesses at a code are accepted in total from unknown networks: those that neither requested the code nor opened its account
/// lately. Known networks have five guesses each besides (`GUESS_AT_CODE_FROM_ADDRESS`), also when these are used up.
///
/// An attacker who requests codes all day gets about 150 of them to one mailbox (`MAIL_TO_ADDRESS`) and guesses 25 + 5 times at each. Codes
/// have eight digits, so the chance to open the account is 150 × 30 / 10^8: 1 in 22,000 a day.
const GUESSES_OF_STRANGERS: i32 = 25;
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
    /// The network that asked for it, as [`network_hash`] gives it.
    pub asked_from: Option<[u8; 32]>,
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
        "INSERT INTO codes (tenant_id, id, purpose, email, shopper_id, order_id, details, known, attempts_left, created_at, expires_at, issuer, attempt, asked_from)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        tx.tenant_id().as_uuid(),
        id,
        new.purpose as Purpose as _,
        new.email,
        new.shopper.map(ShopperId::as_uuid),
        new.order.map(OrderId::as_uuid),
        new.details,
        new.purpose == Purpose::Register && new.details.is_none(),
        GUESSES_OF_STRANGERS,
        now,
        now + new.purpose.lifetime(),
        new.issuer,
        new.attempt.map(|attempt| attempt_hash(attempt.expose())),
        new.asked_from.as_ref().map(|hash| &hash[..])
    )
    .execute(&mut **tx)
    .await?;
    if new.mail {
        mail::queue(tx, &Mail::Code { code: id }, "code", &format!("code:{id}"), now).await?;
    }
    Ok(id)
}

/// A network as it is stored with a code.
pub(super) fn network_hash(keyring: &Keyring, address: IpAddr) -> [u8; 32] {
    let text = format!("code asked from\0{}", Network::of(address));
    keyring.mac(keyring::Purpose::Throttle, text.as_bytes())
}

/// Whose codes somebody may guess at.
pub(super) enum Holder<'a> {
    /// Codes that belong to an address alone. `known`: the account was opened from the guesser's address lately.
    Address { known: bool },
    /// The code of one attempt, by whoever has its secret; none without it.
    Attempt(Option<&'a str>),
    /// The codes that one guest asked for.
    Guest(ShopperId),
}

/// A guess at the codes that were mailed to an address.
pub(super) struct Guess<'a> {
    pub purpose: Purpose,
    pub email: &'a str,
    pub text: &'a str,
    pub holder: Holder<'a>,
    /// Where it comes from.
    pub address: IpAddr,
    pub now: DateTime<Utc>,
}

/// Redeems the code that a guess is right about. Codes of different requests are valid side by side: a new one does not replace an old one.
/// A code that belongs to a browser or a guest is guessed by its holder alone, five times. A wrong guess is counted, so commit in either
/// case.
pub(super) async fn redeem(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    guess: &Guess<'_>,
) -> Result<Option<Redeemed>, IdentityError> {
    let (attempt, guest, known) = match guess.holder {
        Holder::Address { known } => (None, None, known),
        // No code has the hash of no secret.
        Holder::Attempt(secret) => (Some(secret.map(attempt_hash).unwrap_or_default()), None, true),
        Holder::Guest(guest) => (None, Some(guest.as_uuid()), true),
    };
    let live = sqlx::query!(
        r#"SELECT c.id, ($5 OR coalesce(c.asked_from = $6, false)) AS "near!" FROM codes c WHERE c.tenant_id = $1 AND c.purpose = $2 AND c.email = $3
            AND c.used_at IS NULL AND c.expires_at > $4 AND ($5 OR c.attempts_left > 0 OR c.asked_from = $6) AND is_current(c)
            AND c.attempt IS NOT DISTINCT FROM $7 AND ($8::uuid IS NULL OR c.shopper_id = $8) ORDER BY c.created_at DESC, c.id DESC LIMIT $9"#,
        tx.tenant_id().as_uuid(),
        guess.purpose as Purpose as _,
        guess.email,
        guess.now,
        known,
        &network_hash(keyring, guess.address)[..],
        attempt,
        guest,
        MAX_LIVE_CODES
    )
    .fetch_all(&mut **tx)
    .await?;
    let network = Network::of(guess.address).to_string();
    for code in live {
        let id = code.id.to_string();
        let by: &[&str] = match guess.holder {
            Holder::Address { .. } => &[&id, &network],
            Holder::Attempt(_) | Holder::Guest(_) => &[&id],
        };
        match throttle::GUESS_AT_CODE_FROM_ADDRESS
            .take(tx, keyring, by, guess.now)
            .await
        {
            Ok(()) => {}
            Err(IdentityError::Throttled(_)) => continue,
            Err(error) => return Err(error),
        }
        if (code.near || take_guess_of_strangers(tx, code.id).await?)
            && is_one_of(&texts(keyring, code.id, false), guess.text)
        {
            return Ok(use_up(tx, code.id, guess.purpose, guess.now).await?);
        }
    }
    Ok(None)
}

/// Takes one of the guesses that strangers have at a code. False when none is left.
async fn take_guess_of_strangers(tx: &mut Tx<Web>, id: CodeId) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query!(
        "UPDATE codes SET attempts_left = attempts_left - 1 WHERE tenant_id = $1 AND id = $2 AND attempts_left > 0",
        tx.tenant_id().as_uuid(),
        id
    )
    .execute(&mut **tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Whether the text is one of the right ones, in time that does not depend on it.
fn is_one_of(right: &[String], text: &str) -> bool {
    right
        .iter()
        .any(|right| keyring::equal(right.as_bytes(), text.as_bytes()))
}

/// Redeems the link whose last part is `text`. It has 128 random bits, so that guesses need not be counted.
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
        Some(id) if is_one_of(&texts(keyring, id, true), text) => use_up(tx, id, purpose, now).await,
        _ => Ok(None),
    }
}

/// Whether a link could be redeemed now. It is not used up: the transaction is dropped.
pub(super) async fn is_live_link(
    web: &Pool<Web>,
    scope: Scope,
    keyring: &Keyring,
    (purpose, text): (Purpose, &str),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut tx = web.begin(scope).await?;
    Ok(redeem_link(&mut tx, keyring, purpose, text, now).await?.is_some())
}

/// Marks a code as used, if it can be used now.
async fn use_up(
    tx: &mut Tx<Web>,
    id: CodeId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<Redeemed>, sqlx::Error> {
    sqlx::query_as!(
        Redeemed,
        r#"UPDATE codes c SET used_at = $4 WHERE c.tenant_id = $1 AND c.id = $2 AND c.purpose = $3 AND c.used_at IS NULL AND c.expires_at > $4
            AND is_current(c) RETURNING c.email, c.shopper_id AS "shopper: ShopperId", c.order_id AS "order: OrderId", c.details, c.epoch"#,
        tx.tenant_id().as_uuid(),
        id,
        purpose as Purpose as _,
        now
    )
    .fetch_optional(&mut **tx)
    .await
}
