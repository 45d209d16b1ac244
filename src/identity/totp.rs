//! The second factor of staff: time-based codes (RFC 6238), and recovery codes for a lost phone.

use rand::seq::IndexedRandom;
use totp_rs::{Algorithm, Builder, Totp};

use super::{Identity, IdentityError, StaffMember, throttle};
use crate::{
    ids::StaffId,
    keyring::Purpose,
    tenancy::{Tx, Web},
};

/// How many recovery codes are made at once.
const RECOVERY_CODES: usize = 10;

/// A second factor that is being set up.
// No `Debug`: it holds private data.
pub struct NewSecondFactor {
    /// The secret in base 32, to type.
    pub secret: String,
    /// The `otpauth://…` address, to scan.
    pub uri: String,
}

impl Identity {
    /// Makes a secret, which takes effect once a code of it was given.
    pub async fn set_up_second_factor(&self, staff: &StaffMember) -> Result<NewSecondFactor, IdentityError> {
        let (id, email) = staff.person().ok_or(IdentityError::NotFound)?;
        let secret = rand::random::<[u8; 20]>();
        let sealed = self.keyring.seal(Purpose::Totp, &secret).ok_or(IdentityError::Crypto)?;
        let mut tx = self.web.begin(staff.scope()).await?;
        let store = crate::tenancy::current(&mut tx).await?;
        // A session alone cannot replace an existing second factor: staff who lost their phone ask an admin.
        let stored = sqlx::query!(
            "UPDATE staff SET totp_secret = $2 WHERE id = $1 AND totp_confirmed_at IS NULL",
            id.as_uuid(),
            sealed
        )
        .execute(&mut *tx)
        .await?;
        if stored.rows_affected() == 0 {
            return Err(IdentityError::NotFound);
        }
        tx.commit().await?;
        let totp = totp(&secret, &format!("Countersign {}", store.slug), email)?;
        Ok(NewSecondFactor {
            secret: totp.secret().to_base32(),
            uri: totp.to_url().map_err(|_| IdentityError::Crypto)?,
        })
    }

    /// Puts the second factor into force. Returns recovery codes, which are shown only this once.
    pub(super) async fn confirm_second_factor(
        &self,
        tx: &mut Tx<Web>,
        id: StaffId,
        code: &str,
    ) -> Result<Vec<String>, IdentityError> {
        let now = self.now();
        if !self.second_factor_holds(tx, id, code).await? {
            return Err(IdentityError::WrongCode);
        }
        sqlx::query!(
            "UPDATE staff SET totp_confirmed_at = $2 WHERE id = $1",
            id.as_uuid(),
            now
        )
        .execute(&mut **tx)
        .await?;
        sqlx::query!("DELETE FROM recovery_codes WHERE staff_id = $1", id.as_uuid())
            .execute(&mut **tx)
            .await?;
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
        for code in &codes {
            sqlx::query!(
                "INSERT INTO recovery_codes (tenant_id, staff_id, hash) VALUES ($1, $2, $3)",
                tx.tenant_id().as_uuid(),
                id.as_uuid(),
                &self.keyring.mac(Purpose::Code, code.as_bytes())[..]
            )
            .execute(&mut **tx)
            .await?;
        }
        Ok(codes)
    }

    /// Whether `code` is the second factor's current code, or a recovery code. Each works once.
    pub(super) async fn second_factor_holds(
        &self,
        tx: &mut Tx<Web>,
        id: StaffId,
        code: &str,
    ) -> Result<bool, IdentityError> {
        let now = self.now();
        throttle::GUESS_AT_ACCOUNT_FROM_ADDRESS
            .take(tx, &self.keyring, &["second factor", &id.to_string()], now)
            .await?;
        let sealed = sqlx::query_scalar!("SELECT totp_secret FROM staff WHERE id = $1", id.as_uuid())
            .fetch_one(&mut **tx)
            .await?;
        let Some(sealed) = sealed else { return Ok(false) };
        let secret = self.keyring.open(Purpose::Totp, &sealed).ok_or(IdentityError::Crypto)?;
        let step = totp(&secret, "Countersign", "staff")?.check(code, now.timestamp().max(0) as u64);
        let used = match step {
            Some(step) => {
                sqlx::query!(
                    "UPDATE staff SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2",
                    id.as_uuid(),
                    step as i64
                )
                .execute(&mut **tx)
                .await?
            }
            None => {
                let hashes = self.keyring.macs(Purpose::Code, code.to_lowercase().as_bytes());
                sqlx::query!(
                    "UPDATE recovery_codes SET used_at = $3 WHERE staff_id = $1 AND hash = ANY ($2) AND used_at IS NULL",
                    id.as_uuid(),
                    &hashes,
                    now
                )
                .execute(&mut **tx)
                .await?
            }
        };
        Ok(used.rows_affected() == 1)
    }
}

fn totp(secret: &[u8], issuer: &str, account: &str) -> Result<Totp, IdentityError> {
    // The parameters that every authenticator app supports: SHA-1, six digits, thirty seconds, one step of clock skew.
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(secret.to_vec())
        .with_issuer(Some(issuer))
        .with_account_name(account)
        .build()
        .map_err(|_| IdentityError::Crypto)
}

/// 80 random bits in letters and digits that are hard to mistake for one another.
fn recovery_code() -> String {
    let mut rng = rand::rng();
    let letters = b"abcdefghjkmnpqrstuvwxyz23456789z";
    let group = |rng: &mut _| -> String {
        (0..4)
            .filter_map(|_| letters.choose(rng).map(|&byte| char::from(byte)))
            .collect()
    };
    (0..4).map(|_| group(&mut rng)).collect::<Vec<_>>().join("-")
}
