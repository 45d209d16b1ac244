//! The table of contents: every route there is, by what a request to it passes. Who may call each is in [`super::access::ACCESS`].

use axum::extract::DefaultBodyLimit;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, chat, conversations, health, help, openapi, orders, proposals, sessions, sign_in, staff, webhooks};

/// The largest event of another system's, in bytes: Shopify's orders of many lines come near.
const LARGEST_HOOK: usize = 1024 * 1024;

/// What anybody may ask.
pub fn public_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::document()).routes(routes!(health::health))
}

/// Where people come in: nobody is known yet.
pub fn sign_in_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_in::register))
        .routes(routes!(sign_in::verify))
        .routes(routes!(sign_in::log_in))
        .routes(routes!(sign_in::guest))
        .routes(routes!(sign_in::assert))
        .routes(routes!(sign_in::ask_for_code))
        .routes(routes!(sign_in::log_in_with_code))
        .routes(routes!(sign_in::ask_for_reset))
        .routes(routes!(sign_in::reset))
        .routes(routes!(staff::sessions::log_in))
        .routes(routes!(staff::sessions::join))
}

/// What is for those who are known.
pub fn api_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::current, sessions::log_out))
        .routes(routes!(sessions::end))
        .routes(routes!(sign_in::change_password))
        .routes(routes!(sign_in::ask_to_prove_order))
        .routes(routes!(sign_in::prove_order))
        .routes(routes!(chat::events))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::messages))
        .routes(routes!(conversations::delete))
        .routes(routes!(conversations::transcript))
        .routes(routes!(help::read))
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::export))
        .routes(routes!(proposals::list))
        .routes(routes!(proposals::get))
        .routes(routes!(proposals::confirm))
        .routes(routes!(proposals::withdraw))
        .routes(routes!(staff::sessions::current, staff::sessions::log_out))
        .routes(routes!(staff::sessions::set_up))
        .routes(routes!(staff::sessions::confirm))
        .routes(routes!(staff::sessions::reauthenticate))
        .routes(routes!(staff::queue::queue))
        .routes(routes!(staff::queue::events))
        .routes(routes!(staff::queue::proposal))
        .routes(routes!(staff::queue::approve))
        .routes(routes!(staff::queue::reject))
        .routes(routes!(staff::queue::withdraw))
        .routes(routes!(staff::queue::received))
        .routes(routes!(staff::queue::call_off))
        .routes(routes!(staff::payments::list))
        .routes(routes!(staff::payments::confirm))
        .routes(routes!(staff::payments::fail))
        .routes(routes!(staff::policies::list))
        .routes(routes!(staff::policies::read_policy, staff::policies::change_policy))
        .routes(routes!(staff::audit::audit))
        .routes(routes!(staff::audit::chain))
        .routes(routes!(staff::conversations::list))
        .routes(routes!(staff::conversations::read))
        .routes(routes!(staff::conversations::take))
        .routes(routes!(staff::conversations::give_back))
        .routes(routes!(staff::conversations::answer))
        .routes(routes!(staff::help::list))
        .routes(routes!(staff::help::write))
        .routes(routes!(staff::hours::read, staff::hours::write, staff::hours::remove))
        .routes(routes!(
            staff::origins::list,
            staff::origins::allow,
            staff::origins::forbid
        ))
        .routes(routes!(staff::store_keys::list, staff::store_keys::add))
        .routes(routes!(staff::store_keys::revoke))
        .routes(routes!(staff::incoming::list))
        .routes(routes!(staff::incoming::retry))
        .routes(routes!(staff::status::status))
        .routes(routes!(staff::status::limits))
        .routes(routes!(staff::doctor::doctor))
        .routes(routes!(staff::usage::usage))
        .routes(routes!(staff::usage::caps, staff::usage::set_caps))
        .routes(routes!(staff::outgoing::list))
        .routes(routes!(staff::outgoing::retry))
        .routes(routes!(staff::outgoing::discard))
        .routes(routes!(staff::outgoing::endpoints, staff::outgoing::add_endpoint))
        .routes(routes!(staff::outgoing::disable_endpoint))
        .routes(routes!(staff::members::list))
        .routes(routes!(staff::members::disable))
        .routes(routes!(staff::members::invite))
        .routes(routes!(staff::members::api_keys, staff::members::add_api_key))
        .routes(routes!(staff::members::revoke_api_key))
}

/// What takes as long as a turn.
pub fn turn_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(chat::send))
}

/// Where other systems say what happened. What they may send has bounds of its own.
pub fn webhook_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::take))
        .route_layer(DefaultBodyLimit::max(LARGEST_HOOK))
}

/// Every route there is, with its documentation.
pub fn routes() -> OpenApiRouter<App> {
    public_routes()
        .merge(sign_in_routes())
        .merge(api_routes())
        .merge(turn_routes())
        .merge(webhook_routes())
}

/// The OpenAPI document as JSON.
pub fn openapi_json() -> String {
    let mut document = routes().into_openapi();
    openapi::complete(&mut document);
    document.to_pretty_json().unwrap_or_default()
}
