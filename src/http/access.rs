//! The authorisation middleware. It turns a request's credential into a proof, such as [`Shopper`], and checks it against the
//! access table in `routes`.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

pub use super::routes::{ACCESS, Access, access_of, staff_may};

use Access::{Account, FreshAdmin, Guest, Public, Session, Staff, StaffSession, Store};
use StaffRole::Viewer;

use super::{client_ip::ClientAddress, credentials, problem::Problem, state::App};
use crate::{
    identity::{ApiKeyToken, Device, SessionToken, Shopper, StaffMember, StaffRole, StaffToken, Visit, staff::Refusal},
    ids::TenantId,
    tenancy::{StoreKey, Tenant},
};

/// Authenticates and authorises a request before its body is read.
pub async fn authorise(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_default();
    let Some(access) = access_of(request.method(), &path) else {
        return not_allowed(&path);
    };
    let (mut parts, body) = request.into_parts();
    match check(&app, access, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// Answers 405 with an `Allow` header: the path exists, but not with this method.
fn not_allowed(path: &str) -> Response {
    let methods: Vec<&str> = ACCESS
        .iter()
        .filter(|(_, p, _)| *p == path)
        .map(|(method, ..)| *method)
        .collect();
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    if let Ok(allow) = methods.join(", ").parse() {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

async fn check(app: &App, access: Access, parts: &mut Parts) -> Result<(), Problem> {
    match access {
        Public => {}
        Store => {
            let mut keys = parts.headers.get_all("x-store-key").iter();
            let key = match (keys.next(), keys.next()) {
                (Some(key), None) => key.to_str().ok(),
                _ => None,
            };
            let store = app.identity.store(key).await?;
            name_tenant(store.id);
            let guest = guest(app, &store, parts).await?;
            let visit = SignInVisit { store, guest };
            parts.extensions.insert(visit);
        }
        Session | Guest | Account => {
            let shopper = shopper(app, parts).await?;
            match access {
                Guest if !shopper.is_guest() => return Err(Problem::forbidden()),
                Account if shopper.is_guest() => return Err(Problem::sign_in_first()),
                _ => {}
            }
            name_tenant(shopper.tenant());
            parts.extensions.insert(shopper);
        }
        StaffSession | Staff(..) | FreshAdmin => {
            let staff = staff(app, parts).await?;
            name_tenant(staff.tenant());
            let (role, scope, fresh) = match access {
                Staff(role, scope) => (role, scope, false),
                FreshAdmin => (StaffRole::Admin, None, true),
                _ => (Viewer, None, false),
            };
            match staff.may(role, scope, fresh, app.clock.now()) {
                Ok(()) => {}
                Err(Refusal::SecondFactor) if access == StaffSession => {}
                Err(refusal) => return Err(refusal.into()),
            }
            parts.extensions.insert(staff);
        }
    }
    Ok(())
}

/// Records the store in the request's span, which its log lines carry.
fn name_tenant(tenant: TenantId) {
    tracing::Span::current().record("tenant", tracing::field::display(tenant));
}

/// Refuses a request whose `X-Store-Key` names another store than its credential.
fn same_store(parts: &Parts, tenant: TenantId) -> Result<(), Problem> {
    let fits = |key: &HeaderValue| {
        let key = key.to_str().ok().and_then(|key| key.parse::<StoreKey>().ok());
        key.is_some_and(|key| key.tenant() == tenant)
    };
    match parts.headers.get_all("x-store-key").iter().all(fits) {
        true => Ok(()),
        false => Err(Problem::unauthenticated()),
    }
}

async fn shopper(app: &App, parts: &Parts) -> Result<Shopper, Problem> {
    let credential = credentials::session(parts, app.secure_cookies.0).ok_or_else(Problem::unauthenticated)?;
    if credential.from_cookie && !credentials::is_safe_or_same_site(parts) {
        return Err(Problem::cross_site());
    }
    let token = SessionToken::parse(&credential.token).ok_or_else(Problem::unauthenticated)?;
    same_store(parts, token.tenant())?;
    Ok(app.identity.shopper(&token).await?)
}

/// The guest session that somebody signs in from, if there is one. An invalid session is ignored and not refused.
async fn guest(app: &App, store: &Tenant, parts: &Parts) -> Result<Option<Shopper>, Problem> {
    match shopper(app, parts).await {
        Ok(shopper) => Ok(Some(shopper).filter(|shopper| shopper.is_guest() && shopper.tenant() == store.id)),
        Err(problem) if problem.is_server_fault() => Err(problem),
        Err(_) => Ok(None),
    }
}

/// The member of staff or the API key behind a request. A signed-in shopper gets 403 and not 401.
async fn staff(app: &App, parts: &Parts) -> Result<StaffMember, Problem> {
    let text = credentials::single_bearer(&parts.headers).ok().flatten();
    if let Some(token) = text.and_then(StaffToken::parse) {
        same_store(parts, token.tenant())?;
        return Ok(app.identity.staff(&token).await?);
    }
    if let Some(token) = text.and_then(ApiKeyToken::parse) {
        same_store(parts, token.tenant())?;
        return Ok(app.identity.machine(&token).await?);
    }
    shopper(app, parts).await?;
    Err(Problem::forbidden())
}

/// Reads a proof that [`authorise`] has stored in the request. A handler that asks for a proof which its row of the access table does
/// not provide gets a 500, so the first test that calls the route fails.
fn proof<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, Problem> {
    parts.extensions.get::<T>().cloned().ok_or_else(|| {
        tracing::error!(
            wanted = std::any::type_name::<T>(),
            "a route asks for a proof that its access does not promise"
        );
        Problem::internal()
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Shopper {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        proof(parts)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for StaffMember {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        proof(parts)
    }
}

#[derive(Clone)]
struct SignInVisit {
    store: Tenant,
    guest: Option<Shopper>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let device = Device::from_request_parts(parts, app).await?;
        let SignInVisit { store, guest } = proof(parts)?;
        Ok(Self { store, device, guest })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Device {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let ClientAddress(address) = proof(parts)?;
        let name = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        let name = name.map(|name| name.chars().take(200).collect());
        Ok(Self { address, name })
    }
}
