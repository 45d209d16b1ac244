//! Staff sessions: staff log in with a password and, if they may decide anything, a second factor.

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;

use super::{
    Device, Identity, IdentityError, StaffMember, StaffRole, StaffToken, Visit,
    epoch::{self, epoch_unchanged},
    normalise, password,
    staff::StaffPrincipal,
    throttle,
};
use crate::{
    ids::StaffId,
    tenancy::{Scope, Tx, Web},
};

/// How long a staff session lasts: a working day, then staff log in again.
const SESSION_LIFETIME: Duration = Duration::hours(12);

/// What the caller must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StaffNext {
    /// Nothing: the token has the rights of the role.
    Work,
    /// Set up the second factor; the token allows nothing else.
    SetUpSecondFactor,
}

/// A staff session that was just opened.
pub struct OpenedStaffSession {
    pub token: StaffToken,
    pub role: StaffRole,
    pub expires_at: DateTime<Utc>,
    pub next: StaffNext,
}

struct Account {
    id: StaffId,
    role: StaffRole,
    hash: String,
    epoch: i32,
    second_factor: bool,
}

impl Identity {
    /// Checks password and second factor, and opens a staff session. An unknown account takes as long as a known one.
    pub async fn staff_log_in(
        &self,
        visit: &Visit,
        email: &str,
        password: SecretString,
        code: Option<&str>,
    ) -> Result<OpenedStaffSession, IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        self.staff_may_guess(&mut tx, &email, &visit.device).await?;
        let account = sqlx::query_as!(
            Account,
            r#"SELECT id AS "id: StaffId", role AS "role: StaffRole", password_hash AS hash, epoch, totp_confirmed_at IS NOT NULL AS "second_factor!"
            FROM staff WHERE email = $1 AND disabled_at IS NULL"#,
            email
        )
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        let (hash, caller) = (
            account.as_ref().map(|account| account.hash.clone()),
            Some(visit.device.address),
        );
        let matches = password::verify(password, hash, caller).await?;
        let account = account.filter(|_| matches).ok_or(IdentityError::WrongCredentials)?;
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        if !epoch_unchanged(&mut tx, epoch::Account::Staff(account.id), account.epoch).await? {
            return Err(IdentityError::WrongCredentials);
        }
        if account.second_factor {
            let code = code.ok_or(IdentityError::SecondFactorNeeded)?;
            if !self.second_factor_holds(&mut tx, account.id, code).await? {
                tx.commit().await?;
                return Err(IdentityError::WrongCode);
            }
        }
        let full_access = account.second_factor || account.role == StaffRole::Viewer || !self.staff_second_factor;
        let opened = self
            .open_staff_session(&mut tx, account.id, account.role, full_access, &visit.device, now)
            .await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Puts the second factor into force, and opens the full session that was waiting for it. Also returns recovery codes.
    pub async fn finish_second_factor(
        &self,
        staff: &StaffMember,
        code: &str,
        device: &Device,
    ) -> Result<(OpenedStaffSession, Vec<String>), IdentityError> {
        let StaffPrincipal::Person(person) = &staff.principal else {
            return Err(IdentityError::NotFound);
        };
        let mut tx = self.web.begin(staff.scope()).await?;
        let confirmed = sqlx::query_scalar!(
            r#"SELECT totp_confirmed_at IS NOT NULL AS "confirmed!" FROM staff WHERE id = $1 FOR UPDATE"#,
            person.id.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        if confirmed {
            return Err(IdentityError::NotFound);
        }
        let codes = match self.confirm_second_factor(&mut tx, person.id, code).await {
            Ok(codes) => codes,
            Err(error) => {
                tx.commit().await?;
                return Err(error);
            }
        };
        let now = self.now();
        end(&mut tx, person.session, now).await?;
        let opened = self
            .open_staff_session(&mut tx, person.id, person.role, true, device, now)
            .await?;
        tx.commit().await?;
        Ok((opened, codes))
    }

    /// Records that password and second factor were given again just now.
    pub async fn reauthenticate(
        &self,
        staff: &StaffMember,
        password: SecretString,
        code: Option<&str>,
        device: &Device,
    ) -> Result<(), IdentityError> {
        let StaffPrincipal::Person(person) = &staff.principal else {
            return Err(IdentityError::NotFound);
        };
        let mut tx = self.web.begin(staff.scope()).await?;
        self.staff_may_guess(&mut tx, &person.email, device).await?;
        let account = sqlx::query!(
            r#"SELECT password_hash AS hash, epoch, totp_confirmed_at IS NOT NULL AS "second_factor!" FROM staff WHERE id = $1"#,
            person.id.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        if !password::verify(password, Some(account.hash), Some(device.address)).await? {
            return Err(IdentityError::WrongCredentials);
        }
        let mut tx = self.web.begin(staff.scope()).await?;
        if !epoch_unchanged(&mut tx, epoch::Account::Staff(person.id), account.epoch).await? {
            return Err(IdentityError::WrongCredentials);
        }
        if account.second_factor {
            let code = code.ok_or(IdentityError::SecondFactorNeeded)?;
            if !self.second_factor_holds(&mut tx, person.id, code).await? {
                tx.commit().await?;
                return Err(IdentityError::WrongCode);
            }
        }
        sqlx::query!(
            "UPDATE staff_sessions SET proved_at = $2 WHERE id = $1",
            person.session,
            self.now()
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Ends the session of this request.
    pub async fn staff_log_out(&self, staff: &StaffMember) -> Result<(), IdentityError> {
        let StaffPrincipal::Person(person) = &staff.principal else {
            return Err(IdentityError::NotFound);
        };
        let mut tx = self.web.begin(staff.scope()).await?;
        end(&mut tx, person.session, self.now()).await?;
        Ok(tx.commit().await?)
    }

    async fn open_staff_session(
        &self,
        tx: &mut Tx<Web>,
        id: StaffId,
        role: StaffRole,
        full_access: bool,
        device: &Device,
        now: DateTime<Utc>,
    ) -> Result<OpenedStaffSession, IdentityError> {
        let (token, expires_at) = (StaffToken::generate(tx.tenant_id()), now + SESSION_LIFETIME);
        sqlx::query!(
            "INSERT INTO staff_sessions (tenant_id, staff_id, id, token_hash, created_at, expires_at, full_access, proved_at, address, device)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $5, $8, $9)",
            tx.tenant_id().as_uuid(),
            id.as_uuid(),
            uuid::Uuid::now_v7(),
            &token.hash(&self.keyring)[..],
            now,
            expires_at,
            full_access,
            device.address.to_canonical().to_string(),
            device.name
        )
        .execute(&mut **tx)
        .await?;
        let next = match full_access {
            true => StaffNext::Work,
            false => StaffNext::SetUpSecondFactor,
        };
        Ok(OpenedStaffSession {
            token,
            role,
            expires_at,
            next,
        })
    }

    /// Throttles guesses at a staff account.
    async fn staff_may_guess(&self, tx: &mut Tx<Web>, email: &str, device: &Device) -> Result<(), IdentityError> {
        let now = self.now();
        throttle::guess(tx, &self.keyring, &["staff", email], device.address, now).await
    }
}

async fn end(tx: &mut Tx<Web>, session: uuid::Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE staff_sessions SET revoked_at = $2 WHERE id = $1", session, now)
        .execute(&mut **tx)
        .await
        .map(drop)
}
