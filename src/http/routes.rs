//! The table of all routes. Each has one line with its method, path, rate class, required access and handler. A handler without a line is
//! not served. `tests/it/security/access.rs` tries each line with every kind of caller.

use axum::http::Method;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{chat, conversations, health, help, orders, proposals, sessions, sign_in, staff, state::App, webhooks};
use crate::identity::{ApiScope, StaffRole};

/// How often a route may be called, and how long it may take. The limit of all requests from one address applies to each class but
/// [`RateClass::Webhook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateClass {
    /// No other limit applies.
    Open,
    /// The lower limit for routes whose callers are not signed in yet, counted by address.
    SignIn,
    /// The limit of one account's requests.
    Account,
    /// The same limit as [`RateClass::Account`], shared with it, but the route may take as long as a turn.
    Turn,
    /// The limit of webhooks, which is higher because a platform sends many at once from a few addresses. Bodies may be larger.
    Webhook,
}

/// What a route requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No credential.
    Public,
    /// A store's publishable key.
    Store,
    /// A shopper's session, including a guest's.
    Session,
    /// A guest's session. Accounts are refused.
    Guest,
    /// A shopper's session that is not a guest's.
    Account,
    /// A staff session, even before its second factor is set up.
    StaffSession,
    /// A staff session of at least this role, or an API key with this scope.
    Staff(StaffRole, Option<ApiScope>),
    /// An admin's session that was authenticated or reauthenticated recently.
    FreshAdmin,
}

use Access::{Account, FreshAdmin, Guest, Public, Session, Staff, StaffSession, Store};
use ApiScope::{AuditRead, DeliveriesRead, PoliciesRead, ProposalsDecide, ProposalsRead, UsageRead};
use StaffRole::{Admin, Approver, Viewer};

/// Generates the access table and the router of each rate class from the same lines.
macro_rules! route_table {
    ($($method:ident $path:literal $rate:ident $access:expr => $($handler:ident)::+;)+) => {
        /// What each route requires of its caller: method, path, access.
        pub const ACCESS: &[(&str, &str, Access)] = &[$((stringify!($method), $path, $access)),+];

        /// The routes of a rate class, with their documentation.
        pub(super) fn of_class(class: RateClass) -> OpenApiRouter<App> {
            let mut router = OpenApiRouter::new();
            $(if class == RateClass::$rate {
                router = router.routes(routes!($($handler)::+));
            })+
            router
        }
    };
}

#[rustfmt::skip]
route_table! {
    GET    "/health"                                     Open     Public                                     => health::health;
    // The signature is the credential; the handler checks it on the raw body.
    POST   "/v1/webhooks/{store}/{source}"               Webhook  Public                                     => webhooks::receive;
    POST   "/v1/registrations"                           SignIn   Store                                      => sign_in::register;
    POST   "/v1/registrations/verify"                    SignIn   Store                                      => sign_in::verify;
    POST   "/v1/sessions"                                SignIn   Store                                      => sign_in::log_in;
    POST   "/v1/sessions/guest"                          SignIn   Store                                      => sign_in::guest;
    POST   "/v1/sessions/assertion"                      SignIn   Store                                      => sign_in::assert;
    POST   "/v1/sessions/code-requests"                  SignIn   Store                                      => sign_in::ask_for_code;
    POST   "/v1/sessions/code"                           SignIn   Store                                      => sign_in::log_in_with_code;
    POST   "/v1/password-resets"                         SignIn   Store                                      => sign_in::ask_for_reset;
    POST   "/v1/password-resets/complete"                SignIn   Store                                      => sign_in::reset;
    GET    "/v1/sessions"                                Account  Session                                    => sessions::list;
    DELETE "/v1/sessions"                                Account  Session                                    => sessions::end_all;
    GET    "/v1/sessions/current"                        Account  Session                                    => sessions::current;
    DELETE "/v1/sessions/current"                        Account  Session                                    => sessions::log_out;
    DELETE "/v1/sessions/{id}"                           Account  Session                                    => sessions::end;
    PUT    "/v1/password"                                Account  Account                                    => sign_in::change_password;
    POST   "/v1/order-proofs"                            Account  Guest                                      => sign_in::ask_to_prove_order;
    POST   "/v1/order-proofs/verify"                     Account  Guest                                      => sign_in::prove_order;
    POST   "/v1/chat/send"                               Turn     Session                                    => chat::send;
    GET    "/v1/turns/{id}/events"                       Account  Session                                    => chat::events;
    GET    "/v1/conversations"                           Account  Session                                    => conversations::list;
    GET    "/v1/conversations/{id}/messages"             Account  Session                                    => conversations::messages;
    DELETE "/v1/conversations/{id}"                      Account  Session                                    => conversations::delete;
    POST   "/v1/conversations/{id}/transcript"           Account  Account                                    => conversations::transcript;
    GET    "/v1/orders"                                  Account  Session                                    => orders::list;
    GET    "/v1/orders/{number}"                         Account  Session                                    => orders::get;
    GET    "/v1/export"                                  Account  Account                                    => orders::export;
    GET    "/v1/proposals"                               Account  Session                                    => proposals::list;
    GET    "/v1/proposals/{id}"                          Account  Session                                    => proposals::get;
    POST   "/v1/proposals/{id}/confirm"                  Account  Account                                    => proposals::confirm;
    POST   "/v1/proposals/{id}/withdraw"                 Account  Session                                    => proposals::withdraw;
    POST   "/v1/staff/sessions"                          SignIn   Store                                      => staff::sessions::log_in;
    POST   "/v1/staff/invitations/accept"                SignIn   Store                                      => staff::sessions::join;
    GET    "/v1/staff/sessions/current"                  Account  StaffSession                               => staff::sessions::current;
    DELETE "/v1/staff/sessions/current"                  Account  StaffSession                               => staff::sessions::log_out;
    POST   "/v1/staff/second-factor"                     Account  StaffSession                               => staff::sessions::set_up;
    POST   "/v1/staff/second-factor/confirm"             Account  StaffSession                               => staff::sessions::confirm;
    POST   "/v1/staff/reauthentication"                  Account  StaffSession                               => staff::sessions::reauthenticate;
    GET    "/v1/staff/proposals"                         Account  Staff(Viewer, Some(ProposalsRead))         => staff::approval_queue::queue;
    GET    "/v1/staff/proposals/events"                  Account  Staff(Viewer, Some(ProposalsRead))         => staff::approval_queue::events;
    GET    "/v1/staff/proposals/{id}"                    Account  Staff(Viewer, Some(ProposalsRead))         => staff::approval_queue::proposal;
    POST   "/v1/staff/proposals/{id}/approve"            Account  Staff(Approver, Some(ProposalsDecide))     => staff::approval_queue::approve;
    POST   "/v1/staff/proposals/{id}/reject"             Account  Staff(Approver, Some(ProposalsDecide))     => staff::approval_queue::reject;
    POST   "/v1/staff/proposals/{id}/withdraw"           Account  Staff(Approver, Some(ProposalsDecide))     => staff::approval_queue::withdraw;
    POST   "/v1/staff/proposals/{id}/received"           Account  Staff(Approver, None)                      => staff::approval_queue::received;
    POST   "/v1/staff/proposals/{id}/call-off"           Account  Staff(Approver, None)                      => staff::approval_queue::call_off;
    GET    "/v1/staff/payments"                          Account  Staff(Viewer, None)                        => staff::payments::list;
    POST   "/v1/staff/payments/{id}/confirm"             Account  Staff(Approver, None)                      => staff::payments::confirm;
    POST   "/v1/staff/payments/{id}/fail"                Account  Staff(Approver, None)                      => staff::payments::fail;
    GET    "/v1/staff/conversations"                     Account  Staff(Viewer, None)                        => staff::conversations::list;
    GET    "/v1/staff/conversations/{id}"                Account  Staff(Viewer, None)                        => staff::conversations::read;
    POST   "/v1/staff/conversations/{id}/take"           Account  Staff(Approver, None)                      => staff::conversations::take;
    POST   "/v1/staff/conversations/{id}/give-back"      Account  Staff(Approver, None)                      => staff::conversations::give_back;
    POST   "/v1/staff/conversations/{id}/messages"       Account  Staff(Approver, None)                      => staff::conversations::answer;
    GET    "/v1/help/{language}/{slug}"                  Account  Session                                    => help::read;
    GET    "/v1/staff/hours"                             Account  Staff(Viewer, None)                        => staff::business_hours::read;
    PUT    "/v1/staff/hours"                             Account  Staff(Admin, None)                         => staff::business_hours::write;
    DELETE "/v1/staff/hours"                             Account  Staff(Admin, None)                         => staff::business_hours::remove;
    GET    "/v1/staff/help"                              Account  Staff(Viewer, None)                        => staff::help::list;
    PUT    "/v1/staff/help/{language}/{slug}"            Account  Staff(Admin, None)                         => staff::help::write;
    GET    "/v1/staff/policies"                          Account  Staff(Viewer, Some(PoliciesRead))          => staff::policies::list;
    GET    "/v1/staff/policies/{tool}"                   Account  Staff(Viewer, Some(PoliciesRead))          => staff::policies::read_policy;
    PUT    "/v1/staff/policies/{tool}"                   Account  FreshAdmin                                 => staff::policies::change_policy;
    GET    "/v1/staff/audit"                             Account  Staff(Viewer, Some(AuditRead))             => staff::audit::audit;
    GET    "/v1/staff/audit/chain"                       Account  Staff(Viewer, Some(AuditRead))             => staff::audit::chain;
    GET    "/v1/staff/origins"                           Account  Staff(Admin, None)                         => staff::origins::list;
    PUT    "/v1/staff/origins"                           Account  FreshAdmin                                 => staff::origins::allow;
    DELETE "/v1/staff/origins"                           Account  FreshAdmin                                 => staff::origins::forbid;
    GET    "/v1/staff/status"                            Account  Staff(Viewer, None)                        => staff::status::status;
    GET    "/v1/staff/doctor"                            Account  Staff(Admin, None)                         => staff::doctor::doctor;
    GET    "/v1/staff/usage"                             Account  Staff(Viewer, Some(UsageRead))             => staff::usage::usage;
    GET    "/v1/staff/budget"                            Account  Staff(Viewer, Some(UsageRead))             => staff::usage::caps;
    PUT    "/v1/staff/budget"                            Account  FreshAdmin                                 => staff::usage::set_caps;
    GET    "/v1/staff/model"                             Account  Staff(Viewer, Some(UsageRead))             => staff::model::read;
    PUT    "/v1/staff/model"                             Account  FreshAdmin                                 => staff::model::choose;
    DELETE "/v1/staff/model"                             Account  FreshAdmin                                 => staff::model::forget;
    GET    "/v1/staff/deliveries"                        Account  Staff(Viewer, Some(DeliveriesRead))        => staff::deliveries::list;
    POST   "/v1/staff/deliveries/{id}/retry"             Account  Staff(Admin, None)                         => staff::deliveries::retry;
    DELETE "/v1/staff/deliveries/{id}"                   Account  Staff(Admin, None)                         => staff::deliveries::discard;
    GET    "/v1/staff/limits"                            Account  Staff(Viewer, Some(PoliciesRead))          => staff::status::limits;
    GET    "/v1/staff/incoming"                          Account  Staff(Viewer, Some(DeliveriesRead))        => staff::incoming_events::list;
    POST   "/v1/staff/incoming/{id}/retry"               Account  Staff(Admin, None)                         => staff::incoming_events::retry;
    GET    "/v1/staff/shop"                              Account  Staff(Viewer, Some(DeliveriesRead))        => staff::shop::read;
    POST   "/v1/staff/shop/sync"                         Account  Staff(Admin, None)                         => staff::shop::sync;
    GET    "/v1/staff/store-keys"                        Account  Staff(Admin, None)                         => staff::store_keys::list;
    POST   "/v1/staff/store-keys"                        Account  FreshAdmin                                 => staff::store_keys::add;
    DELETE "/v1/staff/store-keys/{id}"                   Account  FreshAdmin                                 => staff::store_keys::revoke;
    GET    "/v1/staff/webhook-endpoints"                 Account  Staff(Admin, None)                         => staff::webhook_endpoints::list;
    POST   "/v1/staff/webhook-endpoints"                 Account  FreshAdmin                                 => staff::webhook_endpoints::add;
    DELETE "/v1/staff/webhook-endpoints/{id}"            Account  FreshAdmin                                 => staff::webhook_endpoints::disable;
    GET    "/v1/staff/members"                           Account  Staff(Admin, None)                         => staff::members::list;
    DELETE "/v1/staff/members/{id}"                      Account  FreshAdmin                                 => staff::members::disable;
    POST   "/v1/staff/invitations"                       Account  FreshAdmin                                 => staff::members::invite;
    GET    "/v1/staff/api-keys"                          Account  Staff(Admin, None)                         => staff::members::api_keys;
    POST   "/v1/staff/api-keys"                          Account  FreshAdmin                                 => staff::members::add_api_key;
    DELETE "/v1/staff/api-keys/{id}"                     Account  FreshAdmin                                 => staff::members::revoke_api_key;
}

/// What a route requires of its caller. None if the table has no such route.
pub fn access_of(method: &Method, path: &str) -> Option<Access> {
    // The router serves HEAD as GET, so the access is the same.
    let method = if *method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let row = ACCESS.iter().find(|(m, p, _)| *m == method && *p == path);
    row.map(|(.., access)| *access)
}

/// Whether staff of this role may call a route. A route that needs recent authentication counts as allowed.
pub fn staff_may(role: StaffRole, method: &str, path: &str) -> bool {
    let row = ACCESS.iter().find(|(m, p, _)| (*m, *p) == (method, path));
    match row.map(|(.., access)| *access) {
        Some(Staff(least, _)) => role >= least,
        Some(FreshAdmin) => role >= StaffRole::Admin,
        Some(StaffSession) => true,
        _ => false,
    }
}
