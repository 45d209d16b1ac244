//! A new password: for who forgot it, by a mailed link, and for who knows it. Every session ends with the old one.

use secrecy::SecretString;

use super::{
    Device, Identity, IdentityError, LoggedIn, Shopper, Visit,
    codes::{self, Purpose},
    password,
    sessions::end_all,
    shoppers::store_hash,
    throttle,
};
use crate::tenancy::Scope;

impl Identity {
    /// Mails a link to set a new password, if `email` has an account. The answer is the same if it has none.
    pub async fn ask_for_reset(&self, visit: &Visit, email: &str) -> Result<(), IdentityError> {
        self.ask_by_mail(visit, email, Purpose::ResetPassword).await
    }

    /// Sets a new password for whom the link was mailed to, and logs nobody in: whoever has it can.
    pub async fn reset_password(&self, visit: &Visit, link: &str, password: SecretString) -> Result<(), IdentityError> {
        let now = self.now();
        let scope = Scope::tenant(visit.store.id);
        let mut tx = self.web.begin(scope).await?;
        throttle::GUESS_FROM_ADDRESS
            .take(&mut tx, &self.keyring, &[&throttle::network(visit.device.address)], now)
            .await?;
        tx.commit().await?;
        if !codes::is_live_link(&self.web, scope, &self.keyring, (Purpose::ResetPassword, link), now).await? {
            return Err(IdentityError::WrongCode);
        }
        // No connection is held while the password is looked at, and the link is not lost to a weak one.
        password::check_strength(&password, &[]).await?;
        let hash = password::hash(password).await?;
        let mut tx = self.web.begin(scope).await?;
        let redeemed = codes::redeem_link(&mut tx, &self.keyring, Purpose::ResetPassword, link, now).await?;
        let Some(shopper) = redeemed.and_then(|code| code.shopper) else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        store_hash(&mut tx, shopper, &hash, now).await?;
        end_all(&mut tx, shopper, now).await?;
        Ok(tx.commit().await?)
    }

    /// Changes the password of who knows it. Every session ends, and a new one begins.
    pub async fn change_password(
        &self,
        shopper: &Shopper,
        device: &Device,
        current: SecretString,
        new: SecretString,
    ) -> Result<LoggedIn, IdentityError> {
        let now = self.now();
        let mut tx = self.web.begin(Scope::tenant(shopper.tenant())).await?;
        let id = shopper.id().to_string();
        throttle::GUESS_AT_ACCOUNT_FROM_ADDRESS
            .take(&mut tx, &self.keyring, &[&id, &throttle::network(device.address)], now)
            .await?;
        let hash = sqlx::query_scalar!(
            "SELECT hash FROM passwords WHERE shopper_id = $1",
            shopper.id().as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        if !password::verify(current, hash).await? {
            return Err(IdentityError::WrongCredentials);
        }
        password::check_strength(&new, &[]).await?;
        let hash = password::hash(new).await?;
        let mut tx = self.web.begin(Scope::tenant(shopper.tenant())).await?;
        store_hash(&mut tx, shopper.id(), &hash, now).await?;
        end_all(&mut tx, shopper.id(), now).await?;
        let opened = self.open(&mut tx, (device, None), shopper.id(), None).await?;
        tx.commit().await?;
        Ok(opened)
    }
}
