//! Shopper sessions: opened at sign-in, extended by use, ended by log-out or time.

use chrono::{DateTime, Duration, Utc};

use super::{Device, Identity, IdentityError, Proof, SessionToken, guests};
use crate::{
    ids::{OrderId, SessionId, ShopperId, TenantId},
    mail::{self, Mail},
    tenancy::{Pool, Scope, Tx, Web},
};

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A session ends when it is unused for this long. Every use extends it.
    pub idle: Duration,
    /// A session ends after this time, however much it is used.
    pub absolute: Duration,
}

impl Default for Lifetimes {
    /// A day idle, thirty days in all: OWASP's advice for low-risk shop sessions, which cannot move money by themselves.
    fn default() -> Self {
        Self {
            idle: Duration::hours(24),
            absolute: Duration::days(30),
        }
    }
}

/// The expiry is extended in the database at most once in this interval, so that most requests only read.
const EXTENSION_INTERVAL: Duration = Duration::minutes(1);

/// Proof of a live shopper session, of a guest too. Only [`Identity::shopper`] builds it.
#[derive(Clone, Debug)]
pub struct Shopper {
    tenant: TenantId,
    id: ShopperId,
    session: SessionId,
    guest: bool,
    order: Option<OrderId>,
}

impl Shopper {
    pub fn id(&self) -> ShopperId {
        self.id
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whether the shopper is a guest.
    pub fn is_guest(&self) -> bool {
        self.guest
    }

    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether the session lives still, and with it the proof of an order that it has. One round trip.
    pub async fn is_still_signed_in(&self, web: &Pool<Web>, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let (tenant, session) = (self.tenant.as_uuid(), self.session.as_uuid());
        let order = self.order.map(OrderId::as_uuid);
        let lives = |pool| async move {
            sqlx::query_scalar!(
                r#"SELECT session_lives($1, $2, $3, $4) AS "lives!""#,
                tenant,
                session,
                order,
                now
            )
            .fetch_one(&pool)
            .await
        };
        web.unscoped(lives).await
    }

    /// What this shopper's transactions may see: the shopper's own rows and, to read, the one order that a guest has proved.
    pub fn scope(&self) -> Scope {
        Scope::shopper(self.tenant, self.id).with_order(self.order)
    }
}

/// What a shopper is shown about a session of theirs.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub address: Option<String>,
    pub device: Option<String>,
}

/// A sign-in that succeeded.
pub struct LoggedIn {
    pub token: SessionToken,
    pub session: SessionId,
    pub expires_at: DateTime<Utc>,
    pub shopper: ShopperId,
    pub guest: bool,
}

impl Identity {
    /// The shopper whose live session `token` is. One round trip, and one more at most once a minute to extend the expiry.
    pub async fn shopper(&self, token: &SessionToken) -> Result<Shopper, IdentityError> {
        let (tenant, hashes, now) = (token.tenant().as_uuid(), token.hashes(&self.keyring), self.now());
        let find = |pool| {
            let hashes = hashes.clone();
            async move {
                sqlx::query!(
                    r#"SELECT id AS "id!: SessionId", shopper_id AS "shopper!: ShopperId", last_seen_at AS "last_seen_at!", guest AS "guest!",
                        order_id AS "order: OrderId" FROM find_session($1, $2::bytea[], $3)"#,
                    tenant,
                    &hashes,
                    now
                )
                .fetch_optional(&pool)
                .await
            }
        };
        let found = self.web.unscoped(find).await?.ok_or(IdentityError::NoSession)?;
        let shopper = Shopper {
            tenant: token.tenant(),
            id: found.shopper,
            session: found.id,
            guest: found.guest,
            order: found.order,
        };
        if now - found.last_seen_at >= EXTENSION_INTERVAL {
            self.slide(&shopper, now).await?;
        }
        Ok(shopper)
    }

    async fn slide(&self, shopper: &Shopper, now: DateTime<Utc>) -> Result<(), IdentityError> {
        let mut tx = self.web.begin(shopper.scope()).await?;
        sqlx::query!(
            "UPDATE sessions SET last_seen_at = $2, idle_until = $3 WHERE id = $1",
            shopper.session.as_uuid(),
            now,
            now + self.lifetimes.idle
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Opens a session for a shopper whose identity the caller has just proved. The `guest`'s session from which that was done ends, and
    /// what was said in it becomes the shopper's. The session rests on `proof` beside the account.
    pub(super) async fn open(
        &self,
        tx: &mut Tx<Web>,
        (device, guest): (&Device, Option<&Shopper>),
        shopper: ShopperId,
        proof: Proof<'_>,
    ) -> Result<LoggedIn, IdentityError> {
        let (token, id, now) = (SessionToken::generate(tx.tenant_id()), SessionId::new(), self.now());
        if let Some(guest) = guest {
            guests::become_shopper(tx, guest, shopper, now).await?;
        }
        let (order, assertion_key) = match proof {
            Proof::Account => (None, None),
            Proof::Order(order) => (Some(order), None),
            Proof::Assertion { kid } => (None, Some(kid)),
        };
        let expires_at = now + self.lifetimes.absolute;
        let guest = sqlx::query_scalar!(
            r#"WITH session AS (
                INSERT INTO sessions (tenant_id, shopper_id, id, token_hash, created_at, last_seen_at, idle_until, expires_at, address, device, order_id, assertion_key)
                VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11))
            SELECT guest FROM shoppers WHERE shopper_id = $2"#,
            tx.tenant_id().as_uuid(),
            shopper.as_uuid(),
            id.as_uuid(),
            &token.hash(&self.keyring)[..],
            now,
            now + self.lifetimes.idle,
            expires_at,
            device.address.to_canonical().to_string(),
            device.name,
            order.map(OrderId::as_uuid),
            assertion_key
        )
        .fetch_one(&mut **tx)
        .await?;
        if !guest {
            self.mail_new_sign_in(tx, shopper, id, device, now).await?;
        }
        Ok(LoggedIn {
            token,
            session: id,
            expires_at,
            shopper,
            guest,
        })
    }

    /// Mails the owner when a session is opened from a new address on an account that was used before.
    async fn mail_new_sign_in(
        &self,
        tx: &mut Tx<Web>,
        shopper: ShopperId,
        session: SessionId,
        device: &Device,
        now: DateTime<Utc>,
    ) -> Result<(), IdentityError> {
        let is_new = sqlx::query_scalar!(
            r#"SELECT count(*) > 1 AND count(*) FILTER (WHERE address = $2) = 1 AS "is_new!" FROM sessions WHERE shopper_id = $1"#,
            shopper.as_uuid(),
            device.address.to_canonical().to_string()
        )
        .fetch_one(&mut **tx)
        .await?;
        if is_new {
            let key = format!("sign_in:{session}");
            mail::queue(tx, &Mail::NewSignIn { session }, "new_sign_in", &key, now).await?;
        }
        Ok(())
    }

    /// The shopper's live sessions, newest first, at most `limit`; with `before`, only those before it.
    pub async fn sessions(
        &self,
        shopper: &Shopper,
        (limit, before): (u32, Option<uuid::Uuid>),
    ) -> Result<Vec<Session>, IdentityError> {
        let mut tx = self.web.begin(shopper.scope()).await?;
        Ok(sqlx::query_as!(
            Session,
            r#"SELECT id AS "id: SessionId", created_at, last_seen_at, least(expires_at, idle_until) AS "expires_at!", address, device
            FROM sessions WHERE shopper_id = $4 AND revoked_at IS NULL AND idle_until > $1 AND expires_at > $1
                AND ($3::uuid IS NULL OR (created_at, id) < (SELECT b.created_at, b.id FROM sessions b WHERE b.id = $3))
            ORDER BY created_at DESC, id DESC LIMIT $2"#,
            self.now(),
            i64::from(limit),
            before,
            shopper.id.as_uuid()
        )
        .fetch_all(&mut *tx)
        .await?)
    }

    /// Ends one of the shopper's sessions.
    pub async fn end_session(&self, shopper: &Shopper, session: SessionId) -> Result<(), IdentityError> {
        let mut tx = self.web.begin(shopper.scope()).await?;
        let ended = sqlx::query!(
            "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            session.as_uuid(),
            self.now()
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        match ended.rows_affected() {
            0 => Err(IdentityError::NotFound),
            _ => Ok(()),
        }
    }

    /// Ends all of the shopper's sessions.
    pub async fn end_sessions(&self, shopper: &Shopper) -> Result<(), IdentityError> {
        let mut tx = self.web.begin(shopper.scope()).await?;
        end_all(&mut tx, shopper.id, self.now()).await?;
        Ok(tx.commit().await?)
    }
}

/// Ends every session of a shopper: after a change of password, nobody who had the old one stays signed in.
pub(super) async fn end_all(tx: &mut Tx<Web>, shopper: ShopperId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $2 WHERE shopper_id = $1 AND revoked_at IS NULL",
        shopper.as_uuid(),
        now
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
