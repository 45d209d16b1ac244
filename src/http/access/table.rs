//! Who may call which route: one table. A route without a row is closed to everybody.

use axum::http::Method;

use crate::identity::{ApiScope, StaffRole};

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
    ("POST",   "/v1/staff/proposals/{id}/received",   Staff(Approver, None)),
    ("POST",   "/v1/staff/proposals/{id}/call-off",   Staff(Approver, None)),
    ("GET",    "/v1/staff/payments",                  Staff(Viewer, None)),
    ("POST",   "/v1/staff/payments/{id}/confirm",     Staff(Approver, None)),
    ("POST",   "/v1/staff/payments/{id}/fail",        Staff(Approver, None)),
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
    ("GET",    "/v1/staff/limits",                    Staff(Viewer, Some(PoliciesRead))),
    ("GET",    "/v1/staff/incoming",                  Staff(Viewer, Some(DeliveriesRead))),
    ("POST",   "/v1/staff/incoming/{id}/retry",       Staff(StaffRole::Admin, None)),
    ("GET",    "/v1/staff/store-keys",                Staff(StaffRole::Admin, None)),
    ("POST",   "/v1/staff/store-keys",                FreshAdmin),
    ("DELETE", "/v1/staff/store-keys/{id}",           FreshAdmin),
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

/// Whether a route is for somebody of the staff with this role, a password given a moment ago aside.
pub fn staff_may(role: StaffRole, method: &str, path: &str) -> bool {
    let row = ACCESS.iter().find(|(m, p, _)| (*m, *p) == (method, path));
    match row.map(|(.., access)| *access) {
        Some(Staff(least, _)) => role >= least,
        Some(FreshAdmin) => role >= StaffRole::Admin,
        Some(StaffAnyhow) => true,
        _ => false,
    }
}
