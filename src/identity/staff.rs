//! The store's staff and its machines: who they are and what they may do.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{
    Identity, IdentityError, StaffToken, normalise, password,
    scopes::{ApiScope, MachineKey},
};
use crate::{
    ids::{StaffId, TenantId},
    tenancy::{Executor, Pool, Scope, Tenant, Tx, Web, audit::Actor},
};

/// The role of a member of staff. Each role includes the ones before it.
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
    /// Reads.
    Viewer,
    /// Decides on proposals.
    Approver,
    /// Changes policies.
    Admin,
}

impl StaffRole {
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

/// Proof of a live staff session or API key. Only this room builds it.
#[derive(Clone)]
pub struct StaffMember {
    pub(super) tenant: TenantId,
    pub(super) principal: StaffPrincipal,
}

#[derive(Clone)]
pub(super) enum StaffPrincipal {
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

/// How long after a login with password and code, or after giving them again, policies and keys may be changed.
const REAUTHENTICATION_TTL: chrono::Duration = chrono::Duration::minutes(10);

/// Why a member of staff may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The role is not enough, or the key lacks the scope.
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

    /// The id of the person, or of the API key.
    pub fn id(&self) -> uuid::Uuid {
        match &self.principal {
            StaffPrincipal::Person(person) => person.id.as_uuid(),
            StaffPrincipal::Machine(key) => key.id,
        }
    }

    pub fn is_machine(&self) -> bool {
        matches!(self.principal, StaffPrincipal::Machine(_))
    }

    /// The id and address of a person; none for a machine.
    pub fn person(&self) -> Option<(StaffId, &str)> {
        match &self.principal {
            StaffPrincipal::Person(person) => Some((person.id, &person.email)),
            StaffPrincipal::Machine(_) => None,
        }
    }

    /// The session of a person; none for a machine.
    pub fn session(&self) -> Option<uuid::Uuid> {
        match &self.principal {
            StaffPrincipal::Person(person) => Some(person.session),
            StaffPrincipal::Machine(_) => None,
        }
    }

    /// The address and role of a person; none for a machine.
    pub fn email_and_role(&self) -> Option<(&str, StaffRole)> {
        match &self.principal {
            StaffPrincipal::Person(person) => Some((&person.email, person.role)),
            StaffPrincipal::Machine(_) => None,
        }
    }

    /// The address of the person who acts, or for whom a key acts, so that nobody decides for themselves.
    pub(crate) fn email(&self) -> &str {
        match &self.principal {
            StaffPrincipal::Person(person) => &person.email,
            StaffPrincipal::Machine(key) => &key.maker_email,
        }
    }

    /// Whether the session or key is still valid, for work that lasts longer than a request.
    pub async fn is_live(&self, tx: &mut Tx<Web>, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let (id, tenant) = (self.credential(), self.tenant.as_uuid());
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM staff_sessions s JOIN staff m ON (m.tenant_id, m.id) = (s.tenant_id, s.staff_id)
                WHERE s.tenant_id = $1 AND s.id = $2 AND s.epoch = m.epoch AND m.disabled_at IS NULL AND s.revoked_at IS NULL AND s.expires_at > $3)
            OR EXISTS (SELECT FROM api_keys k JOIN staff m ON (m.tenant_id, m.id) = (k.tenant_id, k.created_by)
                WHERE k.tenant_id = $1 AND k.id = $2 AND k.epoch = m.epoch AND m.disabled_at IS NULL AND k.revoked_at IS NULL AND k.expires_at > $3) AS "live!""#,
            tenant,
            id,
            now
        )
        .fetch_one(&mut **tx)
        .await
    }

    /// The id of the session or key.
    fn credential(&self) -> uuid::Uuid {
        match &self.principal {
            StaffPrincipal::Person(person) => person.session,
            StaffPrincipal::Machine(key) => key.id,
        }
    }

    /// This caller as the audit names it.
    pub fn actor(&self) -> Actor {
        match &self.principal {
            StaffPrincipal::Person(person) => Actor::staff(person.id),
            StaffPrincipal::Machine(key) => Actor::machine(key.id),
        }
    }

    /// What staff transactions may see: the tenant.
    pub fn scope(&self) -> Scope {
        Scope::tenant(self.tenant)
    }

    /// Whether this caller may do something that needs `role` of people and `scope` of machines and, if `fresh`, of people that they gave
    /// their password a moment ago.
    pub fn may(
        &self,
        role: StaffRole,
        scope: Option<ApiScope>,
        fresh: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        match &self.principal {
            // A key can do no more than its maker's role.
            StaffPrincipal::Machine(key)
                if key.maker_role >= role && scope.is_some_and(|scope| key.scopes.contains(&scope)) =>
            {
                Ok(())
            }
            StaffPrincipal::Machine(_) => Err(Refusal::Role),
            StaffPrincipal::Person(person) if person.role < role => Err(Refusal::Role),
            StaffPrincipal::Person(person) if !person.full_access => Err(Refusal::SecondFactor),
            StaffPrincipal::Person(person)
                if fresh && person.proved_at.is_none_or(|at| at + REAUTHENTICATION_TTL < now) =>
            {
                Err(Refusal::Reauthenticate)
            }
            StaffPrincipal::Person(_) => Ok(()),
        }
    }
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
            principal: StaffPrincipal::Person(person),
        })
    }
}

/// Adds a member of staff from the command line. An existing member gets the new password and role, and loses the second factor.
pub async fn add(
    executor: &Pool<Executor>,
    store: &Tenant,
    email: &str,
    role: StaffRole,
    password: SecretString,
) -> Result<(), IdentityError> {
    let hash = password::hash(password, None).await?;
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

/// Encrypts with the current secret the second factors that were encrypted with the old one. Returns how many that were.
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
