//! The store's own people and machines: who they are and what they may.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{
    Identity, IdentityError, StaffToken, Visit,
    api_keys::{ApiScope, MachineKey},
    codes::{self, NewCode, Purpose},
    password,
    shoppers::normalise,
};
use crate::{
    ids::{StaffId, TenantId},
    tenancy::{
        Executor, Pool, Scope, Tenant,
        audit::{self, Actor, Entry},
    },
};

/// What a member of staff may do. Each role may do what the ones before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    sqlx::Type,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum StaffRole {
    /// Sees.
    Viewer,
    /// Decides on proposals.
    Approver,
    /// Changes policies.
    Admin,
}

/// Proof of a live staff session or machine key. Built by this room alone.
#[derive(Clone)]
pub struct StaffMember {
    pub(super) tenant: TenantId,
    pub(super) who: Who,
}

#[derive(Clone)]
pub(super) enum Who {
    Person(Person),
    Machine(MachineKey),
}

#[derive(Clone)]
pub(super) struct Person {
    pub id: StaffId,
    pub session: uuid::Uuid,
    pub role: StaffRole,
    pub email: String,
    /// False until the second factor is set up.
    pub full_access: bool,
    pub proved_at: Option<DateTime<Utc>>,
}

/// How long after password and code were given rules and keys may be changed.
const FRESH: chrono::Duration = chrono::Duration::minutes(10);

/// Why a member of staff may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The role is not enough, or the key has not the scope.
    Role,
    /// The second factor must be set up first.
    SecondFactor,
    /// Password and code must be given again first.
    Reauthenticate,
}

impl StaffMember {
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The person's id, or the key's.
    pub fn id(&self) -> uuid::Uuid {
        match &self.who {
            Who::Person(person) => person.id.as_uuid(),
            Who::Machine(key) => key.id,
        }
    }

    pub fn is_machine(&self) -> bool {
        matches!(self.who, Who::Machine(_))
    }

    /// Id and address of a person; none for a machine.
    pub fn person(&self) -> Option<(StaffId, &str)> {
        match &self.who {
            Who::Person(person) => Some((person.id, &person.email)),
            Who::Machine(_) => None,
        }
    }

    /// To keep people from deciding for themselves.
    pub(crate) fn email(&self) -> Option<&str> {
        self.person().map(|(_, email)| email)
    }

    /// For the audit.
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Person(person) => Actor::staff(person.id),
            Who::Machine(key) => Actor::machine(key.id),
        }
    }

    /// What staff transactions may see: the tenant.
    pub fn scope(&self) -> Scope {
        Scope::tenant(self.tenant)
    }

    /// Whether this one may do what needs `role` of people and `scope` of machines, and of people, if `fresh`, their
    /// password a moment ago.
    pub fn may(
        &self,
        role: StaffRole,
        scope: Option<ApiScope>,
        fresh: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        match &self.who {
            Who::Machine(key) if scope.is_some_and(|scope| key.scopes.contains(&scope)) => Ok(()),
            Who::Machine(_) => Err(Refusal::Role),
            Who::Person(person) if person.role < role => Err(Refusal::Role),
            Who::Person(person) if !person.full_access => Err(Refusal::SecondFactor),
            Who::Person(person) if fresh && person.proved_at.is_none_or(|at| at + FRESH < now) => {
                Err(Refusal::Reauthenticate)
            }
            Who::Person(_) => Ok(()),
        }
    }
}

/// A member of staff as colleagues see it.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct Member {
    pub id: StaffId,
    pub email: String,
    pub role: StaffRole,
    pub second_factor: bool,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
}

impl Identity {
    /// The member of staff whose live session `token` is. One round trip.
    pub async fn staff(&self, token: &StaffToken) -> Result<StaffMember, IdentityError> {
        let (tenant, hashes, now) = (token.tenant(), token.hashes(&self.keyring), self.now());
        let find = |pool| {
            let hashes = hashes.clone();
            async move {
                sqlx::query_as!(
                    Person,
                    r#"SELECT staff_id AS "id!: StaffId", id AS "session!", role AS "role!: StaffRole", email AS "email!", full_access AS "full_access!", proved_at
                    FROM find_staff_session($1, $2::bytea[], $3)"#,
                    tenant.as_uuid(),
                    &hashes,
                    now
                )
                .fetch_optional(&pool)
                .await
            }
        };
        let person = self.web.unscoped(find).await?.ok_or(IdentityError::NoSession)?;
        Ok(StaffMember {
            tenant,
            who: Who::Person(person),
        })
    }

    /// Everybody on the staff.
    pub async fn members(&self, staff: &StaffMember) -> Result<Vec<Member>, IdentityError> {
        let mut tx = self.web.begin(staff.scope()).await?;
        Ok(sqlx::query_as!(
            Member,
            r#"SELECT id AS "id: StaffId", email, role AS "role: StaffRole", totp_confirmed_at IS NOT NULL AS "second_factor!", created_at, disabled_at
            FROM staff ORDER BY email LIMIT 1000"#
        )
        .fetch_all(&mut *tx)
        .await?)
    }

    /// Shuts somebody out from the next request on. Nobody shuts out themselves.
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
        let entry = Entry {
            at: now,
            actor,
            action: "staff.disable",
            target_kind: "staff",
            target_id: member.to_string(),
            before: None,
            after: None,
        };
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }

    /// Mails an invitation to join the staff. One who is there already gets the role when the invitation is taken up.
    pub async fn invite(
        &self,
        admin: &StaffMember,
        email: &str,
        role: StaffRole,
        visit: &super::Device,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let (now, email) = (self.now(), normalise(email));
        let mut tx = self.web.begin(admin.scope()).await?;
        self.may_mail(&mut tx, &email, visit).await?;
        let new = NewCode {
            purpose: Purpose::InviteStaff,
            email: &email,
            shopper: None,
            order: None,
            details: Some(serde_json::json!({ "role": role })),
            mail: true,
        };
        let id = codes::issue(&mut tx, new, now).await?;
        let entry = Entry {
            at: now,
            actor,
            action: "staff.invite",
            target_kind: "invitation",
            target_id: id.to_string(),
            before: None,
            after: Some(serde_json::json!({ "role": role })),
        };
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }

    /// Joins the staff with the link of an invitation. What follows is a log-in like any other.
    pub async fn join(&self, visit: &Visit, link: &str, password: SecretString) -> Result<(), IdentityError> {
        let now = self.now();
        password::is_strong(&password, &[])?;
        let mut tx = self.web.begin(Scope::tenant(visit.store.id)).await?;
        super::throttle::GUESS_FROM_ADDRESS
            .take(
                &mut tx,
                &self.keyring,
                &[&super::throttle::network(visit.device.address)],
                now,
            )
            .await?;
        let redeemed = codes::redeem_link(&mut tx, &self.keyring, Purpose::InviteStaff, link, now).await?;
        let invited = redeemed.and_then(|code| {
            let role = code.details?.get("role").cloned()?;
            Some((code.email, serde_json::from_value::<StaffRole>(role).ok()?))
        });
        let Some((email, role)) = invited else {
            tx.commit().await?;
            return Err(IdentityError::WrongCode);
        };
        let hash = password::hash(password).await?;
        let id = sqlx::query_scalar!(
            r#"INSERT INTO staff (tenant_id, id, email, role, password_hash) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (tenant_id, email) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash, disabled_at = NULL
            RETURNING id AS "id: StaffId""#,
            visit.store.id.as_uuid(),
            uuid::Uuid::now_v7(),
            email,
            role as StaffRole as _,
            hash
        )
        .fetch_one(&mut *tx)
        .await?;
        let entry = Entry {
            at: now,
            actor: &Actor::staff(id),
            action: "staff.join",
            target_kind: "staff",
            target_id: id.to_string(),
            before: None,
            after: Some(serde_json::json!({ "role": role })),
        };
        audit::append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }
}

/// Adds a member of staff, or gives one a new password and role and takes the second factor off, from the command line.
pub async fn add(
    executor: &Pool<Executor>,
    store: &Tenant,
    email: &str,
    role: StaffRole,
    password: SecretString,
) -> Result<(), IdentityError> {
    let hash = password::hash(password).await?;
    let mut tx = executor.begin(Scope::tenant(store.id)).await?;
    sqlx::query!(
        "INSERT INTO staff (tenant_id, id, email, role, password_hash) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, email) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash, disabled_at = NULL,
            totp_secret = NULL, totp_confirmed_at = NULL",
        store.id.as_uuid(),
        uuid::Uuid::now_v7(),
        normalise(email),
        role as StaffRole as _,
        hash
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Seals with the current secret the second factors that rest on the old one. Returns how many it were.
pub async fn reseal(
    tx: &mut crate::tenancy::Tx<Executor>,
    keyring: &crate::keyring::Keyring,
) -> Result<usize, IdentityError> {
    let purpose = crate::keyring::Purpose::Totp;
    let rows =
        sqlx::query!(r#"SELECT id, totp_secret AS "secret!" FROM staff WHERE totp_secret IS NOT NULL FOR UPDATE"#)
            .fetch_all(&mut **tx)
            .await?;
    let mut resealed = 0;
    for row in rows.into_iter().filter(|row| !keyring.is_current(&row.secret)) {
        let plain = keyring.open(purpose, &row.secret).ok_or(IdentityError::Crypto)?;
        let sealed = keyring.seal(purpose, &plain).ok_or(IdentityError::Crypto)?;
        sqlx::query!("UPDATE staff SET totp_secret = $2 WHERE id = $1", row.id, sealed)
            .execute(&mut **tx)
            .await?;
        resealed += 1;
    }
    Ok(resealed)
}
