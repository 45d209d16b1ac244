//! The members of the staff: invited, joined, disabled.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::{
    Device, Identity, IdentityError, StaffMember, StaffRole, Visit,
    codes::{self, NewCode, Purpose},
    normalise,
    password_link::RedeemedLink,
};
use crate::{
    ids::StaffId,
    tenancy::audit::{self, Actor, Entry},
};

/// A member of staff as colleagues see it.
#[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Member {
    pub id: StaffId,
    pub email: String,
    pub role: StaffRole,
    pub second_factor: bool,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
}

impl Identity {
    /// All members of the staff by address, at most `limit`; with `after`, only those after it.
    pub async fn members(
        &self,
        staff: &StaffMember,
        (limit, after): (u32, Option<StaffId>),
    ) -> Result<Vec<Member>, IdentityError> {
        let mut tx = self.web.begin(staff.scope()).await?;
        Ok(sqlx::query_as!(
            Member,
            r#"SELECT id AS "id: StaffId", email, role AS "role: StaffRole", totp_confirmed_at IS NOT NULL AS "second_factor!", created_at, disabled_at
            FROM staff WHERE $2::uuid IS NULL OR email > (SELECT a.email FROM staff a WHERE a.id = $2) ORDER BY email LIMIT $1"#,
            i64::from(limit),
            after.map(StaffId::as_uuid)
        )
        .fetch_all(&mut *tx)
        .await?)
    }

    /// Disables a member, from the next request on. Nobody can disable themselves.
    pub async fn disable(&self, admin: &StaffMember, member: StaffId, actor: &Actor) -> Result<(), IdentityError> {
        let now = self.now();
        let mut tx = self.web.begin(admin.scope()).await?;
        let disabled = sqlx::query!(
            "UPDATE staff SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL AND id <> $3",
            member.as_uuid(),
            now,
            admin.id()
        )
        .execute(&mut *tx)
        .await?;
        if disabled.rows_affected() == 0 {
            return Err(IdentityError::NotFound);
        }
        let entry = Entry::new(actor, "staff.disable", ("staff", member), now);
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }

    /// Mails an invitation to join the staff. Somebody who is a member already gets the role when they accept.
    pub async fn invite(
        &self,
        admin: &StaffMember,
        email: &str,
        role: StaffRole,
        device: &Device,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(admin.scope()).await?;
        self.may_mail(&mut tx, &email, device).await?;
        let new = NewCode {
            purpose: Purpose::InviteStaff,
            email: &email,
            shopper: None,
            order: None,
            details: Some(serde_json::json!({ "role": role })),
            mail: true,
            issuer: Some(admin.id()),
            attempt: None,
            asked_from: None,
        };
        let id = codes::issue(&mut tx, new, now).await?;
        let entry =
            Entry::new(actor, "staff.invite", ("invitation", id), now).after(serde_json::json!({ "role": role }));
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }

    /// Accepts an invitation by its link. After that the member logs in like any other.
    pub async fn join(&self, visit: &Visit, link: &str, password: SecretString) -> Result<(), IdentityError> {
        let now = self.now();
        let RedeemedLink { mut tx, code, hash } = self
            .redeem_password_link(visit, (Purpose::InviteStaff, link), password)
            .await?;
        let role = code
            .details
            .and_then(|mut details| details.get_mut("role").map(Value::take));
        let Some(role) = role.and_then(|role| serde_json::from_value::<StaffRole>(role).ok()) else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        let id = sqlx::query_scalar!(
            r#"INSERT INTO staff (tenant_id, id, email, role, password_hash) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (tenant_id, email) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash, disabled_at = NULL
            RETURNING id AS "id: StaffId""#,
            visit.store.id.as_uuid(),
            uuid::Uuid::now_v7(),
            code.email,
            role as StaffRole as _,
            hash
        )
        .fetch_one(&mut *tx)
        .await?;
        let joined = Actor::staff(id);
        let entry = Entry::new(&joined, "staff.join", ("staff", id), now).after(serde_json::json!({ "role": role }));
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }
}
