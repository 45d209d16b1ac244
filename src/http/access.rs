//! Who may call which route: one table, read by the middleware that every request to a route passes. A route without a row
//! is closed to everybody.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{App, address::ClientAddress, credentials, problem::Problem};
use crate::{
    identity::{
        ApiKeyToken, ApiScope, Device, SessionToken, Shopper, StaffMember, StaffRole, StaffToken, Visit, staff::Refusal,
    },
    ids::TenantId,
    tenancy::{StoreKey, Tenant},
};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// A store's publishable key.
    Store,
    /// A live session, a guest's too.
    Session,
    /// A guest's session and no other.
    Guest,
    /// The session of somebody known.
    Account,
    /// A staff session, before its second factor is set up too.
    StaffAnyhow,
    /// A staff session of at least this role, or a machine's key with this scope.
    Staff(StaffRole, Option<ApiScope>),
    /// An admin's session whose password was given a moment ago.
    FreshAdmin,
}

use Access::{Account, FreshAdmin, Guest, Public, Session, Staff, StaffAnyhow, Store};
use ApiScope::{AuditRead, DeliveriesRead, PoliciesRead, ProposalsDecide, ProposalsRead, UsageRead};
use StaffRole::{Approver, Viewer};

/// Every route there is.
#[rustfmt::skip]
pub const ACCESS: &[(&str, &str, Access)] = &[
    ("GET",    "/health",                             Public),
    // The signature is the credential; the handler checks it on the raw body.
    ("POST",   "/v1/webhooks/{store}/{source}",       Public),
    ("POST",   "/v1/registrations",                   Store),
    ("POST",   "/v1/registrations/verify",            Store),
    ("POST",   "/v1/sessions",                        Store),
    ("POST",   "/v1/sessions/guest",                  Store),
    ("POST",   "/v1/sessions/assertion",              Store),
    ("POST",   "/v1/sessions/code-requests",          Store),
    ("POST",   "/v1/sessions/code",                   Store),
    ("POST",   "/v1/password-resets",                 Store),
    ("POST",   "/v1/password-resets/complete",        Store),
    ("GET",    "/v1/sessions",                        Session),
    ("DELETE", "/v1/sessions",                        Session),
    ("GET",    "/v1/sessions/current",                Session),
    ("DELETE", "/v1/sessions/current",                Session),
    ("DELETE", "/v1/sessions/{id}",                   Session),
    ("PUT",    "/v1/password",                        Account),
    ("POST",   "/v1/order-proofs",                    Guest),
    ("POST",   "/v1/order-proofs/verify",             Guest),
    ("POST",   "/v1/chat/send",                       Session),
    ("GET",    "/v1/turns/{id}/events",               Session),
    ("GET",    "/v1/conversations",                   Session),
    ("GET",    "/v1/conversations/{id}/messages",     Session),
    ("DELETE", "/v1/conversations/{id}",              Session),
    ("POST",   "/v1/conversations/{id}/transcript",   Account),
    ("GET",    "/v1/orders",                          Session),
    ("GET",    "/v1/orders/{number}",                 Session),
    ("GET",    "/v1/export",                          Account),
    ("GET",    "/v1/proposals",                       Session),
    ("GET",    "/v1/proposals/{id}",                  Session),
    ("POST",   "/v1/proposals/{id}/confirm",          Account),
    ("POST",   "/v1/proposals/{id}/withdraw",         Session),
    ("POST",   "/v1/staff/sessions",                  Store),
    ("POST",   "/v1/staff/invitations/accept",        Store),
    ("GET",    "/v1/staff/sessions/current",          StaffAnyhow),
    ("DELETE", "/v1/staff/sessions/current",          StaffAnyhow),
    ("POST",   "/v1/staff/second-factor",             StaffAnyhow),
    ("POST",   "/v1/staff/second-factor/confirm",     StaffAnyhow),
    ("POST",   "/v1/staff/reauthentication",          StaffAnyhow),
    ("GET",    "/v1/staff/proposals",                 Staff(Viewer, Some(ProposalsRead))),
    ("GET",    "/v1/staff/proposals/events",          Staff(Viewer, Some(ProposalsRead))),
    ("GET",    "/v1/staff/proposals/{id}",            Staff(Viewer, Some(ProposalsRead))),
    ("POST",   "/v1/staff/proposals/{id}/approve",    Staff(Approver, Some(ProposalsDecide))),
    ("POST",   "/v1/staff/proposals/{id}/reject",     Staff(Approver, Some(ProposalsDecide))),
    ("POST",   "/v1/staff/proposals/{id}/withdraw",   Staff(Approver, Some(ProposalsDecide))),
    ("GET",    "/v1/staff/conversations",             Staff(Viewer, None)),
    ("GET",    "/v1/staff/conversations/{id}",        Staff(Viewer, None)),
    ("POST",   "/v1/staff/conversations/{id}/take",   Staff(Approver, None)),
    ("POST",   "/v1/staff/conversations/{id}/give-back", Staff(Approver, None)),
    ("POST",   "/v1/staff/conversations/{id}/messages", Staff(Approver, None)),
    ("GET",    "/v1/help/{language}/{slug}",          Session),
    ("GET",    "/v1/staff/hours",                     Staff(Viewer, None)),
    ("PUT",    "/v1/staff/hours",                     Staff(StaffRole::Admin, None)),
    ("DELETE", "/v1/staff/hours",                     Staff(StaffRole::Admin, None)),
    ("GET",    "/v1/staff/help",                      Staff(Viewer, None)),
    ("PUT",    "/v1/staff/help/{language}/{slug}",    Staff(StaffRole::Admin, None)),
    ("GET",    "/v1/staff/policies",                  Staff(Viewer, Some(PoliciesRead))),
    ("GET",    "/v1/staff/policies/{tool}",           Staff(Viewer, Some(PoliciesRead))),
    ("PUT",    "/v1/staff/policies/{tool}",           FreshAdmin),
    ("GET",    "/v1/staff/audit",                     Staff(Viewer, Some(AuditRead))),
    ("GET",    "/v1/staff/audit/chain",               Staff(Viewer, Some(AuditRead))),
    ("GET",    "/v1/staff/origins",                   Staff(StaffRole::Admin, None)),
    ("PUT",    "/v1/staff/origins",                   FreshAdmin),
    ("DELETE", "/v1/staff/origins",                   FreshAdmin),
    ("GET",    "/v1/staff/status",                    Staff(Viewer, None)),
    ("GET",    "/v1/staff/doctor",                    Staff(StaffRole::Admin, None)),
    ("GET",    "/v1/staff/usage",                     Staff(Viewer, Some(UsageRead))),
    ("GET",    "/v1/staff/budget",                    Staff(Viewer, Some(UsageRead))),
    ("PUT",    "/v1/staff/budget",                    FreshAdmin),
    ("GET",    "/v1/staff/deliveries",                Staff(Viewer, Some(DeliveriesRead))),
    ("POST",   "/v1/staff/deliveries/{id}/retry",     Staff(StaffRole::Admin, None)),
    ("DELETE", "/v1/staff/deliveries/{id}",           Staff(StaffRole::Admin, None)),
    ("GET",    "/v1/staff/webhook-endpoints",         Staff(StaffRole::Admin, None)),
    ("POST",   "/v1/staff/webhook-endpoints",         FreshAdmin),
    ("DELETE", "/v1/staff/webhook-endpoints/{id}",    FreshAdmin),
    ("GET",    "/v1/staff/members",                   Staff(StaffRole::Admin, None)),
    ("DELETE", "/v1/staff/members/{id}",              FreshAdmin),
    ("POST",   "/v1/staff/invitations",               FreshAdmin),
    ("GET",    "/v1/staff/api-keys",                  Staff(StaffRole::Admin, None)),
    ("POST",   "/v1/staff/api-keys",                  FreshAdmin),
    ("DELETE", "/v1/staff/api-keys/{id}",             FreshAdmin),
];

/// What a route asks of its caller; none for one that has no row.
pub fn of(method: &Method, path: &str) -> Option<Access> {
    // HEAD is GET without the body, here as in the router.
    let method = if *method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let row = ACCESS.iter().find(|(m, p, _)| *m == method && *p == path);
    row.map(|(.., access)| *access)
}

/// Turns the credential into a proof and checks it against the table, before anything of the request is read.
pub async fn authorise(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_default();
    let Some(access) = of(request.method(), &path) else {
        return not_allowed(&path);
    };
    let (mut parts, body) = request.into_parts();
    match check(&app, access, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// The answer where the path is known and the method is not.
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
            let visit = AtTheDoor { store, guest };
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
        StaffAnyhow | Staff(..) | FreshAdmin => {
            let staff = staff(app, parts).await?;
            name_tenant(staff.tenant());
            let (role, scope, fresh) = match access {
                Staff(role, scope) => (role, scope, false),
                FreshAdmin => (StaffRole::Admin, None, true),
                _ => (Viewer, None, false),
            };
            match staff.may(role, scope, fresh, app.clock.now()) {
                Ok(()) => {}
                Err(Refusal::SecondFactor) if access == StaffAnyhow => {}
                Err(refusal) => return Err(refusal.into()),
            }
            parts.extensions.insert(staff);
        }
    }
    Ok(())
}

/// Says in the request's log line and span whose it is.
fn name_tenant(tenant: TenantId) {
    tracing::Span::current().record("tenant", tracing::field::display(tenant));
}

/// A store's key beside a credential must be of the same store.
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

/// The guest's session that somebody signs in from, if there is one. A dead one is no reason to refuse.
async fn guest(app: &App, store: &Tenant, parts: &Parts) -> Result<Option<Shopper>, Problem> {
    match shopper(app, parts).await {
        Ok(shopper) => Ok(Some(shopper).filter(|shopper| shopper.is_guest() && shopper.tenant() == store.id)),
        Err(problem) if problem.is_server_fault() => Err(problem),
        Err(_) => Ok(None),
    }
}

/// The member of staff or the machine. A shopper is known here, and refused.
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

/// Proofs are handed on by [`authorise`]; a handler that asks for one its row in the table does not promise gets a 500, in
/// the first test that calls it.
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
struct AtTheDoor {
    store: Tenant,
    guest: Option<Shopper>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let device = Device::from_request_parts(parts, app).await?;
        let AtTheDoor { store, guest } = proof(parts)?;
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
