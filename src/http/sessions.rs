//! Routes by which shoppers list and end their own sessions.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    SecureCookies,
    extract::{NewestFirst, Path, Query},
    problem::Problem,
    responses::{BadQuery, CrossSite, NotFound, Unauthenticated},
    sign_in::set_cookie,
};
use crate::{
    identity::{Identity, Session, Shopper},
    ids::{SessionId, ShopperId},
};

/// The session of this request.
#[derive(Serialize, ToSchema)]
pub struct CurrentSession {
    id: SessionId,
    shopper_id: ShopperId,
    /// Whether the shopper is a guest, who has not signed in.
    guest: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<LiveSession>,
}

/// An active session, with what helps its owner to recognise it.
#[derive(Serialize, ToSchema)]
pub struct LiveSession {
    id: SessionId,
    /// Whether it is the session of this request.
    current: bool,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    /// When the session ends if it is not used before.
    expires_at: DateTime<Utc>,
    /// The IP address that it was opened from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The browser's User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// Shows the caller's session.
#[utoipa::path(get, path = "/v1/sessions/current", operation_id = "getCurrentSession", tag = "sessions", responses((status = 200, body = CurrentSession), Unauthenticated))]
pub async fn current(shopper: Shopper) -> Json<CurrentSession> {
    Json(CurrentSession {
        id: shopper.session(),
        shopper_id: shopper.id(),
        guest: shopper.is_guest(),
    })
}

/// Lists the shopper's active sessions, newest first.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "listSessions", tag = "sessions", params(NewestFirst), responses((status = 200, body = Sessions), BadQuery, Unauthenticated))]
pub async fn list(
    shopper: Shopper,
    State(identity): State<Identity>,
    Query(page): Query<NewestFirst>,
) -> Result<Json<Sessions>, Problem> {
    let sessions = identity.sessions(&shopper, (page.limit, page.before)).await?;
    let live = |session: Session| LiveSession {
        id: session.id,
        current: session.id == shopper.session(),
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        address: session.address,
        device: session.device,
    };
    Ok(Json(Sessions {
        sessions: sessions.into_iter().map(live).collect(),
    }))
}

/// Logs out. The token is invalid from now on.
#[utoipa::path(delete, path = "/v1/sessions/current", operation_id = "logOut", tag = "sessions", responses((status = 204), CrossSite, Unauthenticated))]
pub async fn log_out(
    shopper: Shopper,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    identity.end_session(&shopper, shopper.session()).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie(cookies, "", 0)))
}

/// Ends one of the shopper's sessions, which may be on another device.
#[utoipa::path(delete, path = "/v1/sessions/{id}", operation_id = "endSession", tag = "sessions", params(("id" = SessionId, Path)),
    responses((status = 204), CrossSite, NotFound, Unauthenticated))]
pub async fn end(
    shopper: Shopper,
    State(identity): State<Identity>,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    identity.end_session(&shopper, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Logs out everywhere.
#[utoipa::path(delete, path = "/v1/sessions", operation_id = "endAllSessions", tag = "sessions", responses((status = 204), CrossSite, Unauthenticated))]
pub async fn end_all(
    shopper: Shopper,
    State(identity): State<Identity>,
    State(cookies): State<SecureCookies>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    identity.end_sessions(&shopper).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie(cookies, "", 0)))
}
