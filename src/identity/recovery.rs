//! Sets a new password: by a mailed link for a shopper who forgot it, or with the current one. Every session ends with the old password.

use secrecy::SecretString;

use super::{
    Device, Identity, IdentityError, LoggedIn, Proof, Shopper, Visit,
    codes::Purpose,
    epoch::{Account, epoch_unchanged},
    password,
    password_link::RedeemedLink,
    sessions::end_all,
    shoppers::store_hash,
    throttle,
};
use crate::{network::Network, tenancy::Scope};

impl Identity {
    /// Mails a link to set a new password, if `email` has an account. The answer is the same if it has none.
    pub async fn ask_for_reset(&self, visit: &Visit, email: &str) -> Result<(), IdentityError> {
        self.ask_by_mail(visit, email, Purpose::ResetPassword).await
    }

    /// Sets a new password for the account that the link was mailed to. It opens no session: the shopper logs in with the new password.
    pub async fn reset_password(&self, visit: &Visit, link: &str, password: SecretString) -> Result<(), IdentityError> {
        let now = self.now();
        let RedeemedLink { mut tx, code, hash } = self
            .redeem_password_link(visit, (Purpose::ResetPassword, link), password)
            .await?;
        let Some(shopper) = code.shopper else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        // The account may have another address by now than the link was mailed to.
        if !epoch_unchanged(&mut tx, Account::Shopper(shopper), code.epoch).await? {
            return Err(IdentityError::WrongCode);
        }
        store_hash(&mut tx, shopper, &hash, now).await?;
        end_all(&mut tx, shopper, now).await?;
        Ok(tx.commit().await?)
    }

    /// Changes the password of a shopper who knows the current one. Every session ends, and a new one begins.
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
            .take(
                &mut tx,
                &self.keyring,
                &[&id, &Network::of(device.address).to_string()],
                now,
            )
            .await?;
        let account = sqlx::query!(
            r#"SELECT s.epoch, p.hash AS "hash?" FROM shoppers s LEFT JOIN passwords p USING (tenant_id, shopper_id) WHERE s.shopper_id = $1"#,
            shopper.id().as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let caller = Some(device.address);
        if !password::verify(current, account.hash, caller).await? {
            return Err(IdentityError::WrongCredentials);
        }
        password::check_strength(&new, &[], caller).await?;
        let hash = password::hash(new, caller).await?;
        let mut tx = self.web.begin(Scope::tenant(shopper.tenant())).await?;
        if !epoch_unchanged(&mut tx, Account::Shopper(shopper.id()), account.epoch).await? {
            return Err(IdentityError::WrongCredentials);
        }
        store_hash(&mut tx, shopper.id(), &hash, now).await?;
        end_all(&mut tx, shopper.id(), now).await?;
        let opened = self.open(&mut tx, (device, None), shopper.id(), Proof::Account).await?;
        tx.commit().await?;
        Ok(opened)
    }
}
