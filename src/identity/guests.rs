//! Guests: they may chat, see nothing personal, and may prove that one order is theirs.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{
    Device, Identity, IdentityError, LoggedIn, Proof, Shopper, Visit,
    codes::{self, Guess, Holder, NewCode, Purpose},
    epoch::{self, epoch_unchanged},
    normalise, throttle,
};
use crate::{
    ids::{OrderId, ShopperId},
    keyring::{self, Keyring},
    network::Network,
    store::order_number,
    tenancy::{Scope, Tx, Web},
};

impl Identity {
    /// Opens a session for a visitor who is not known.
    pub async fn guest(&self, visit: &Visit) -> Result<LoggedIn, IdentityError> {
        let (now, id) = (self.now(), ShopperId::new());
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        let network = Network::of(visit.device.address).to_string();
        throttle::GUEST_FROM_ADDRESS
            .take(&mut tx, &self.keyring, &[&network], now)
            .await?;
        throttle::GUEST_ROWS_OF_NETWORK
            .take(&mut tx, &self.keyring, &[&network], now)
            .await?;
        if let Some(site) = Network::site(visit.device.address) {
            throttle::GUEST_ROWS_OF_SITE
                .take(&mut tx, &self.keyring, &[&site.to_string()], now)
                .await?;
        }
        throttle::GUEST_ROWS_OF_STORE
            .take(&mut tx, &self.keyring, &[], now)
            .await?;
        sqlx::query!(
            "INSERT INTO shoppers (tenant_id, shopper_id, external_id, first_name, last_name, created_at, guest) VALUES ($1, $2, $3, '', '', $4, true)",
            visit.store.id.as_uuid(),
            id.as_uuid(),
            format!("guest-{id}"),
            now
        )
        .execute(&mut *tx)
        .await?;
        let opened = self.open(&mut tx, visit.from(), id, Proof::Account).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Mails a code to the address that an order was made with, if that is `email`. The answer is the same if it is not.
    pub async fn ask_to_prove_order(
        &self,
        guest: &Shopper,
        device: &Device,
        number: &str,
        email: &str,
    ) -> Result<(), IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(Scope::tenant(guest.tenant())).await?;
        self.may_mail(&mut tx, &email, device).await?;
        let order = sqlx::query!(
            r#"SELECT o.id AS "id: OrderId", o.shopper_id AS "shopper: ShopperId" FROM orders o JOIN shoppers s USING (tenant_id, shopper_id)
            WHERE o.tenant_id = $3 AND o.folded_number = $1 AND s.email = $2 AND (o.bare_number = $4 OR NOT EXISTS (SELECT FROM orders other
                WHERE other.tenant_id = o.tenant_id AND other.shopper_id = o.shopper_id AND other.folded_number = o.folded_number AND other.id <> o.id))"#,
            order_number::fold(number),
            email,
            tx.tenant_id().as_uuid(),
            number.trim().trim_start_matches('#')
        )
        .fetch_optional(&mut *tx)
        .await?;
        let new = NewCode {
            purpose: Purpose::ProveOrder,
            email: &email,
            // The code belongs to this guest, who alone may guess at it.
            shopper: Some(guest.id()),
            order: order.as_ref().map(|order| order.id),
            details: None,
            mail: order.is_some(),
            issuer: None,
            attempt: None,
            asked_from: None,
        };
        codes::issue(&mut tx, new, now).await?;
        Ok(tx.commit().await?)
    }

    /// Gives the guest access to the order whose code it has, in a new session because the rights have changed.
    pub async fn prove_order(
        &self,
        guest: &Shopper,
        device: &Device,
        email: &str,
        code: &str,
    ) -> Result<LoggedIn, IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(Scope::tenant(guest.tenant())).await?;
        throttle::guess_from(&mut tx, &self.keyring, device.address, now).await?;
        let guess = Guess {
            purpose: Purpose::ProveOrder,
            email: &email,
            text: code,
            holder: Holder::Guest(guest.id()),
            address: device.address,
            now,
        };
        let redeemed = codes::redeem(&mut tx, &self.keyring, &guess).await?;
        let proved = redeemed.and_then(|code| Some((code.order?, code.epoch)));
        let Some((order, epoch)) = proved else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        // The owner's row is held until the session is stamped with its epoch: a change of address comes before, and is seen, or after.
        let owner = sqlx::query_scalar!(
            r#"SELECT shopper_id AS "owner: ShopperId" FROM orders WHERE tenant_id = $1 AND id = $2"#,
            tx.tenant_id().as_uuid(),
            order.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        if !epoch_unchanged(&mut tx, epoch::Account::Shopper(owner), epoch).await? {
            return Err(IdentityError::WrongCode);
        }
        let opened = self
            .open(&mut tx, (device, Some(guest)), guest.id(), Proof::Order(order))
            .await?;
        tx.commit().await?;
        Ok(opened)
    }
}

/// The network where a guest began a conversation, as keyed hashes.
pub struct GuestOrigin {
    pub network: [u8; 32],
    /// The IPv6 /48 above the network.
    pub site: Option<[u8; 32]>,
}

/// Counts a conversation against the number that guests of a network may begin. Returns the network as a keyed hash, to store with the
/// conversation.
pub async fn take_conversation(
    tx: &mut Tx<Web>,
    keyring: &Keyring,
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<GuestOrigin, IdentityError> {
    let network = Network::of(address).to_string();
    throttle::GUEST_CONVERSATIONS_OF_NETWORK
        .take(tx, keyring, &[&network], now)
        .await?;
    let site = Network::site(address).map(|site| site.to_string());
    if let Some(site) = &site {
        throttle::GUEST_CONVERSATIONS_OF_SITE
            .take(tx, keyring, &[site], now)
            .await?;
    }
    let hash = |of: &str| keyring.mac(keyring::Purpose::Throttle, format!("conversation\0{of}").as_bytes());
    Ok(GuestOrigin {
        network: hash(&network),
        site: site.as_deref().map(hash),
    })
}

/// Ends the guest's session. What the guest said becomes the shopper's, if they are not the same.
pub(super) async fn become_shopper(
    tx: &mut Tx<Web>,
    guest: &Shopper,
    shopper: ShopperId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $2 WHERE id = $1",
        guest.session().as_uuid(),
        now
    )
    .execute(&mut **tx)
    .await?;
    if guest.id() == shopper {
        return Ok(());
    }
    // An idempotency key belongs to its owner: the shopper may have used the same one.
    sqlx::query!(
        "UPDATE turns SET idempotency_key = NULL WHERE shopper_id = $1",
        guest.id().as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE conversations SET shopper_id = $2 WHERE shopper_id = $1",
        guest.id().as_uuid(),
        shopper.as_uuid()
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
