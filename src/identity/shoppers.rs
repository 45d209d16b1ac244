//! Shopper accounts: created once an address is proved, opened by password or by a code.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{
    Device, Identity, IdentityError, LoggedIn, Proof, Visit,
    codes::{self, Attempt, Guess, Holder, NewCode, Purpose},
    epoch::{self, epoch_unchanged},
    normalise, password, throttle,
};
use crate::{
    ids::ShopperId,
    tenancy::{self, Executor, Pool, Scope, StoreKey, Tenant, Tx, Web},
};

/// The data of a registration. `email` is compared without case.
pub struct Registration {
    pub email: String,
    pub password: SecretString,
    pub first_name: String,
    pub last_name: String,
}

/// A registration whose address is not proved yet.
#[derive(Serialize, Deserialize)]
struct Pending {
    hash: String,
    first_name: String,
    last_name: String,
}

impl Identity {
    /// The store that a store key names.
    pub async fn store(&self, key: Option<&str>) -> Result<Tenant, IdentityError> {
        let key = key.filter(|key| !key.is_empty()).ok_or(IdentityError::NoStoreKey)?;
        let key: StoreKey = key.parse().map_err(|()| IdentityError::UnknownStore)?;
        tenancy::find_by_store_key(&self.web, &key)
            .await?
            .ok_or(IdentityError::UnknownStore)
    }

    /// Mails a code to prove the address. If the address has an account, the mail says so instead; the answer is the same.
    pub async fn register(&self, visit: &Visit, new: Registration) -> Result<Attempt, IdentityError> {
        let (now, email) = (self.now(), normalise(&new.email));
        let caller = Some(visit.device.address);
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        throttle::guess_from(&mut tx, &self.keyring, visit.device.address, now).await?;
        tx.commit().await?;
        password::check_strength(&new.password, &[&email, &new.first_name, &new.last_name], caller).await?;
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        self.may_mail(&mut tx, &email, &visit.device).await?;
        tx.commit().await?;
        let hash = password::hash(new.password, caller).await?;
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        let account = account(&mut tx, &email).await?;
        let pending = Pending {
            hash,
            first_name: new.first_name,
            last_name: new.last_name,
        };
        let details = match account.as_ref().is_some_and(|account| account.hash.is_some()) {
            true => None,
            false => Some(serde_json::to_value(pending).map_err(|_| IdentityError::Crypto)?),
        };
        let attempt = Attempt::generate();
        let new = NewCode {
            purpose: Purpose::Register,
            email: &email,
            shopper: account.map(|account| account.id),
            order: None,
            details,
            mail: true,
            issuer: None,
            attempt: Some(&attempt),
            asked_from: None,
        };
        codes::issue(&mut tx, new, now).await?;
        tx.commit().await?;
        Ok(attempt)
    }

    /// Creates the account whose address the code proves, or sets the password of one that the store imported. `attempt` is what
    /// [`Identity::register`] returned: without it no code works, and with it that registration's alone.
    pub async fn verify_registration(
        &self,
        visit: &Visit,
        email: &str,
        (code, attempt): (&str, Option<&str>),
    ) -> Result<LoggedIn, IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        self.may_guess(&mut tx, &email, &visit.device).await?;
        let guess = Guess {
            purpose: Purpose::Register,
            email: &email,
            text: code,
            holder: Holder::Attempt(attempt),
            address: visit.device.address,
            now,
        };
        let redeemed = codes::redeem(&mut tx, &self.keyring, &guess).await?;
        let pending = redeemed
            .and_then(|code| code.details)
            .and_then(|details| serde_json::from_value::<Pending>(details).ok());
        let Some(pending) = pending else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        let shopper = match account(&mut tx, &email).await? {
            Some(account) => account.id,
            None => insert(&mut tx, &email, &pending, now).await?,
        };
        store_hash(&mut tx, shopper, &pending.hash, now).await?;
        super::sessions::end_all(&mut tx, shopper, now).await?;
        let opened = self.open(&mut tx, visit.from(), shopper, Proof::Account).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Checks a password and opens a session. An unknown account takes as long as a known one and gets the same answer.
    pub async fn log_in(&self, visit: &Visit, email: &str, password: SecretString) -> Result<LoggedIn, IdentityError> {
        let email = normalise(email);
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        self.may_guess(&mut tx, &email, &visit.device).await?;
        let account = account(&mut tx, &email).await?;
        // Hashing takes tens of milliseconds, so no connection is held meanwhile. The throttle's count is kept by the commit.
        tx.commit().await?;
        let (hash, caller) = (
            account.as_ref().and_then(|account| account.hash.clone()),
            Some(visit.device.address),
        );
        let matches = password::verify(password.clone(), hash.clone(), caller).await?;
        let Account { id: shopper, epoch, .. } = account.filter(|_| matches).ok_or(IdentityError::WrongCredentials)?;
        let renewed = match hash.is_some_and(|hash| password::is_outdated(&hash)) {
            true => Some(password::hash(password, caller).await?),
            false => None,
        };
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        if !epoch_unchanged(&mut tx, epoch::Account::Shopper(shopper), epoch).await? {
            return Err(IdentityError::WrongCredentials);
        }
        if let Some(hash) = renewed {
            store_hash(&mut tx, shopper, &hash, self.now()).await?;
        }
        let opened = self.open(&mut tx, visit.from(), shopper, Proof::Account).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Mails a code that opens the account of `email`, if there is one. The answer is the same if there is none.
    pub async fn ask_for_code(&self, visit: &Visit, email: &str) -> Result<(), IdentityError> {
        self.ask_by_mail(visit, email, Purpose::LogIn).await
    }

    /// Opens the account whose address the code proves.
    pub async fn log_in_with_code(&self, visit: &Visit, email: &str, code: &str) -> Result<LoggedIn, IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        self.may_guess(&mut tx, &email, &visit.device).await?;
        let known = self.is_known_address(&mut tx, &email, &visit.device).await?;
        let guess = Guess {
            purpose: Purpose::LogIn,
            email: &email,
            text: code,
            holder: Holder::Address { known },
            address: visit.device.address,
            now,
        };
        let redeemed = codes::redeem(&mut tx, &self.keyring, &guess).await?;
        let Some((shopper, epoch)) = redeemed.and_then(|code| Some((code.shopper?, code.epoch))) else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        // The account may have another address by now than the code was mailed to, and the address may be another account's.
        if !epoch_unchanged(&mut tx, epoch::Account::Shopper(shopper), epoch).await? {
            return Err(IdentityError::WrongCode);
        }
        let opened = self.open(&mut tx, visit.from(), shopper, Proof::Account).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Mails a code or link to the owner of the account of `email`. Without an account the same is stored, and nothing is mailed.
    pub(super) async fn ask_by_mail(&self, visit: &Visit, email: &str, purpose: Purpose) -> Result<(), IdentityError> {
        let email = normalise(email);
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        self.may_mail(&mut tx, &email, &visit.device).await?;
        let account = account(&mut tx, &email).await?;
        let new = NewCode {
            purpose,
            email: &email,
            shopper: account.as_ref().map(|account| account.id),
            order: None,
            details: None,
            mail: account.is_some(),
            issuer: None,
            attempt: None,
            asked_from: Some(codes::network_hash(&self.keyring, visit.device.address)),
        };
        codes::issue(&mut tx, new, self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Throttles guesses at a shopper's account.
    pub(super) async fn may_guess(&self, tx: &mut Tx<Web>, email: &str, device: &Device) -> Result<(), IdentityError> {
        throttle::guess(tx, &self.keyring, &[email], device.address, self.now()).await
    }

    /// Whether the shopper's account was opened from this address lately.
    pub(super) async fn is_known_address(
        &self,
        tx: &mut Tx<Web>,
        email: &str,
        device: &Device,
    ) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM sessions s JOIN shoppers h USING (tenant_id, shopper_id)
                WHERE h.email = $1 AND s.address = $2 AND s.created_at > $3) AS "known!""#,
            email,
            device.address.to_canonical().to_string(),
            self.now() - throttle::KNOWN_ADDRESS_TTL
        )
        .fetch_one(&mut **tx)
        .await
    }
}

/// Sets an imported shopper's password from the command line. False when the store has no such shopper.
pub async fn set_password(
    executor: &Pool<Executor>,
    store: &Tenant,
    email_or_external_id: &str,
    password: SecretString,
    now: DateTime<Utc>,
) -> Result<bool, IdentityError> {
    let hash = password::hash(password, None).await?;
    let mut tx = executor.begin(Scope::tenant(store.id)).await?;
    let found = sqlx::query!(
        r#"SELECT shopper_id AS "id: ShopperId" FROM shoppers WHERE external_id = $1 OR email = $2"#,
        email_or_external_id,
        normalise(email_or_external_id)
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(false) };
    store_hash(&mut tx, found.id, &hash, now).await?;
    tx.commit().await?;
    Ok(true)
}

struct Account {
    id: ShopperId,
    hash: Option<String>,
    /// Rises with every change of the account that invalidates proofs.
    epoch: i32,
}

async fn account(tx: &mut Tx<Web>, email: &str) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        r#"SELECT s.shopper_id AS "id: ShopperId", p.hash AS "hash?", s.epoch FROM shoppers s LEFT JOIN passwords p USING (tenant_id, shopper_id)
        WHERE s.email = $1"#,
        email
    )
    .fetch_optional(&mut **tx)
    .await
}

async fn insert(
    tx: &mut Tx<Web>,
    email: &str,
    pending: &Pending,
    now: DateTime<Utc>,
) -> Result<ShopperId, sqlx::Error> {
    let id = ShopperId::new();
    sqlx::query!(
        "INSERT INTO shoppers (tenant_id, shopper_id, external_id, email, first_name, last_name, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tx.tenant_id().as_uuid(),
        id.as_uuid(),
        id.to_string(),
        email,
        pending.first_name,
        pending.last_name,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

pub(super) async fn store_hash<R: tenancy::Role>(
    tx: &mut Tx<R>,
    shopper: ShopperId,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    sqlx::query!(
        "INSERT INTO passwords (tenant_id, shopper_id, hash, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, shopper_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        hash,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
