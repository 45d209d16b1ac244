//! Sessions: made at log-in, slid by use, ended by log-out or time.

use chrono::{DateTime, Duration, Utc};

use super::{IdentityError, SessionToken};
use crate::{
    ids::{SessionId, ShopperId, TenantId},
    tenancy::{Pool, Scope, Tx, Web},
};

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Unused for this long, a session ends. Every use slides it.
    pub idle: Duration,
    /// However much it is used, a session ends after this.
    pub absolute: Duration,
}

impl Default for Lifetimes {
    /// A day idle, thirty days in all: OWASP's advice for low-risk shop sessions that can move no money by themselves.
    fn default() -> Self {
        Self {
            idle: Duration::hours(24),
            absolute: Duration::days(30),
        }
    }
}

/// A sliding expiry is written at most once in this time, so that most requests only read.
const SLIDE_AFTER: Duration = Duration::minutes(1);

/// Proof of a live shopper session. Built by [`resolve`] alone.
#[derive(Clone, Debug)]
pub struct Shopper {
    tenant: TenantId,
    id: ShopperId,
    session: SessionId,
}

impl Shopper {
    pub fn id(&self) -> ShopperId {
        self.id
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What this shopper's transactions may see: its own rows.
    pub fn scope(&self) -> Scope {
        Scope::shopper(self.tenant, self.id)
    }
}

/// What the owner of a session is told about it.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// The shopper whose live session `token` is. One round trip, and one more a minute to slide the expiry.
pub async fn resolve(
    web: &Pool<Web>,
    token: &SessionToken,
    now: DateTime<Utc>,
    lifetimes: Lifetimes,
) -> Result<Shopper, IdentityError> {
    let (tenant, hash) = (token.tenant().as_uuid(), token.hash());
    let find = |pool| async move {
        sqlx::query!(
            r#"SELECT id AS "id!: SessionId", shopper_id AS "shopper!: ShopperId", last_seen_at AS "last_seen_at!" FROM find_session($1, $2, $3)"#,
            tenant,
            &hash[..],
            now
        )
        .fetch_optional(&pool)
        .await
    };
    let found = web.unscoped(find).await?.ok_or(IdentityError::NoSession)?;
    let shopper = Shopper {
        tenant: token.tenant(),
        id: found.shopper,
        session: found.id,
    };
    if now - found.last_seen_at >= SLIDE_AFTER {
        slide(web, &shopper, now, lifetimes).await?;
    }
    Ok(shopper)
}

async fn slide(
    web: &Pool<Web>,
    shopper: &Shopper,
    now: DateTime<Utc>,
    lifetimes: Lifetimes,
) -> Result<(), IdentityError> {
    let mut tx = web.begin(shopper.scope()).await?;
    sqlx::query!(
        "UPDATE sessions SET last_seen_at = $2, idle_until = $3 WHERE id = $1",
        shopper.session.as_uuid(),
        now,
        now + lifetimes.idle
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Opens a session for a shopper whose identity the caller has just proved.
pub(super) async fn open(
    tx: &mut Tx<Web>,
    shopper: ShopperId,
    now: DateTime<Utc>,
    lifetimes: Lifetimes,
) -> Result<(SessionToken, Session), IdentityError> {
    let token = SessionToken::generate(tx.tenant_id());
    let session = Session {
        id: SessionId::new(),
        created_at: now,
        expires_at: now + lifetimes.absolute,
    };
    sqlx::query!(
        "INSERT INTO sessions (tenant_id, shopper_id, id, token_hash, created_at, last_seen_at, idle_until, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7)",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid(),
        session.id.as_uuid(),
        &token.hash()[..],
        now,
        now + lifetimes.idle,
        session.expires_at
    )
    .execute(&mut **tx)
    .await?;
    Ok((token, session))
}

/// The session that `shopper` came with.
pub async fn current(web: &Pool<Web>, shopper: &Shopper) -> Result<Session, IdentityError> {
    let mut tx = web.begin(shopper.scope()).await?;
    sqlx::query_as!(
        Session,
        r#"SELECT id AS "id: SessionId", created_at, expires_at FROM sessions WHERE id = $1"#,
        shopper.session.as_uuid()
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(IdentityError::NoSession)
}

/// Ends the session that `shopper` came with.
pub async fn end(web: &Pool<Web>, shopper: &Shopper, now: DateTime<Utc>) -> Result<(), IdentityError> {
    let mut tx = web.begin(shopper.scope()).await?;
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        shopper.session.as_uuid(),
        now
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
