//! Registering, logging in and out.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    App, SessionRules,
    body::Body,
    documented::{BadBody, Unauthenticated},
    extract::cookie_name,
    problem::{Problem, ProblemDetails},
};
use crate::{
    identity::{self, Session, Shopper, shoppers},
    ids::{SessionId, ShopperId},
    tenancy::{Pool, Tenant, Web},
};

/// The store that the caller's publishable key names: known before the body is read.
pub struct Store(Tenant);

impl Store {
    pub(super) fn tenant(&self) -> &Tenant {
        &self.0
    }
}

impl FromRequestParts<App> for Store {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let mut keys = parts.headers.get_all("x-store-key").iter();
        let key = match (keys.next(), keys.next()) {
            (Some(key), None) => key.to_str().ok(),
            _ => None,
        };
        Ok(Self(shoppers::store(&app.web, key).await?))
    }
}

/// A new account. Personal: no `Debug`.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[validate(email, length(max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    email: String,
    /// 10 to 256 characters.
    #[validate(length(min = 10, max = 256))]
    #[schema(example = "correct horse battery")]
    password: String,
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    #[schema(example = "Mia")]
    first_name: String,
    #[validate(length(min = 1, max = 120), custom(function = crate::text::single_line), custom(function = crate::text::not_blank))]
    #[schema(example = "Jones")]
    last_name: String,
}

/// A log-in. Personal: no `Debug`.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    #[validate(length(min = 1, max = 254), custom(function = crate::text::single_line))]
    #[schema(example = "mia@example.com")]
    email: String,
    #[validate(length(min = 1, max = 256))]
    #[schema(example = "correct horse battery")]
    password: String,
}

impl LogIn {
    pub(super) fn into_parts(self) -> (String, SecretString) {
        (self.email, self.password.into())
    }
}

/// A session that was just opened. The token is shown this once.
#[derive(Serialize, ToSchema)]
pub struct OpenedSession {
    token: String,
    shopper_id: ShopperId,
    expires_at: DateTime<Utc>,
}

/// The session that the caller came with.
#[derive(Serialize, ToSchema)]
pub struct CurrentSession {
    id: SessionId,
    shopper_id: ShopperId,
    created_at: DateTime<Utc>,
    /// At the latest; unused, it ends sooner.
    expires_at: DateTime<Utc>,
}

/// Makes a shopper account and logs it in.
#[utoipa::path(post, path = "/v1/shoppers", tag = "sessions", security(("store_key" = [])), request_body = Registration, responses(
    (status = 201, body = OpenedSession),
    (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "The e-mail address has an account"),
    Unauthenticated, BadBody))]
pub async fn register(
    Store(store): Store,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    Body(new): Body<Registration>,
) -> Result<(StatusCode, HeaderMap, Json<OpenedSession>), Problem> {
    let new = shoppers::Registration {
        email: new.email,
        password: new.password.into(),
        first_name: new.first_name,
        last_name: new.last_name,
    };
    let opened = shoppers::register(&web, &store, new, rules.clock.now(), rules.lifetimes).await?;
    Ok(opened_session(opened, &rules))
}

/// Logs a shopper in.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", security(("store_key" = [])), request_body = LogIn, responses(
    (status = 201, body = OpenedSession), Unauthenticated, BadBody))]
pub async fn log_in(
    Store(store): Store,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    Body(log_in): Body<LogIn>,
) -> Result<(StatusCode, HeaderMap, Json<OpenedSession>), Problem> {
    let (email, password) = log_in.into_parts();
    let opened = shoppers::log_in(&web, &store, &email, password, rules.clock.now(), rules.lifetimes).await?;
    Ok(opened_session(opened, &rules))
}

/// Tells about the caller's session.
#[utoipa::path(get, path = "/v1/sessions/current", tag = "sessions", responses((status = 200, body = CurrentSession), Unauthenticated))]
pub async fn current(shopper: Shopper, State(web): State<Pool<Web>>) -> Result<Json<CurrentSession>, Problem> {
    let Session {
        id,
        created_at,
        expires_at,
    } = identity::sessions::current(&web, &shopper).await?;
    Ok(Json(CurrentSession {
        id,
        shopper_id: shopper.id(),
        created_at,
        expires_at,
    }))
}

/// Logs out: the token is worth nothing from here on.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "sessions", responses(
    (status = 204),
    (status = 403, body = ProblemDetails, content_type = "application/problem+json", description = "A cookie from another site"),
    Unauthenticated))]
pub async fn log_out(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    identity::sessions::end(&web, &shopper, rules.clock.now()).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie(&rules, "", 0)))
}

fn opened_session(opened: shoppers::LoggedIn, rules: &SessionRules) -> (StatusCode, HeaderMap, Json<OpenedSession>) {
    let token = opened.token.expose().to_owned();
    let cookie = set_cookie(rules, &token, rules.lifetimes.absolute.num_seconds());
    (
        StatusCode::CREATED,
        cookie,
        Json(OpenedSession {
            token,
            shopper_id: opened.shopper,
            expires_at: opened.session.expires_at,
        }),
    )
}

fn set_cookie(rules: &SessionRules, value: &str, max_age: i64) -> HeaderMap {
    let secure = if rules.secure_cookies { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}",
        cookie_name(rules.secure_cookies)
    );
    HeaderValue::try_from(cookie)
        .map(|cookie| HeaderMap::from_iter([(header::SET_COOKIE, cookie)]))
        .unwrap_or_default()
}
