//! Redeems a mailed link with which somebody sets a password: a shopper who forgot it, or a new member of the staff.

use secrecy::SecretString;

use super::{
    Identity, IdentityError, Visit,
    codes::{self, Purpose, Redeemed},
    password, throttle,
};
use crate::tenancy::{Scope, Tx, Web};

/// A link that was redeemed in a transaction, and the hash of the password that was chosen. The caller commits.
pub(super) struct RedeemedLink {
    pub tx: Tx<Web>,
    pub code: Redeemed,
    pub hash: String,
}

impl Identity {
    /// Redeems a link and hashes the new password. A weak password does not use up the link.
    pub(super) async fn redeem_password_link(
        &self,
        visit: &Visit,
        (purpose, link): (Purpose, &str),
        password: SecretString,
    ) -> Result<RedeemedLink, IdentityError> {
        let (now, scope, caller) = (self.now(), Scope::tenant(visit.store.id), visit.device.address);
        let mut tx = self.web.begin(scope).await?;
        throttle::guess_from(&mut tx, &self.keyring, caller, now).await?;
        tx.commit().await?;
        if !codes::is_live_link(&self.web, scope, &self.keyring, (purpose, link), now).await? {
            return Err(IdentityError::WrongCode);
        }
        // No connection is held during the password checks.
        password::check_strength(&password, &[], Some(caller)).await?;
        let hash = password::hash(password, Some(caller)).await?;
        let mut tx = self.web.begin(scope).await?;
        match codes::redeem_link(&mut tx, &self.keyring, purpose, link, now).await? {
            Some(code) => Ok(RedeemedLink { tx, code, hash }),
            None => {
                tx.commit().await?;
                Err(IdentityError::WrongCode)
            }
        }
    }
}
