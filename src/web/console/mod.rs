//! The staff console: pages that the server renders and that work without a script. Each page is a client of the API with the person's own
//! token, so roles, reauthentication, limits and the audit apply to it as well.
//!
//! Each page of the menu has a file here and a template of the same name in `templates/console`.

mod approvals;
mod audit;
mod charts;
mod conversations;
mod deliveries;
mod doctor;
mod filters;
mod form;
mod help_articles;
mod incoming;
mod layout;
mod payments;
mod qr;
mod rules;
mod settings;
mod shop;
mod sign_in;
mod team;
mod usage;
mod visitor;

use std::sync::Arc;

use axum::{
    Router,
    http::HeaderValue,
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::any,
};

use super::{Api, POLICY, policy, same_site};
use crate::http::Cookie;
use form::Submitted;
use layout::{Page, render};
use visitor::{Failure, Visitor};

/// The session of a member of staff.
const STAFF_COOKIE: Cookie = Cookie {
    name: "countersign-staff",
    same_site: "Strict",
};
/// The key of the store that was signed in to last.
const STORE_COOKIE: Cookie = Cookie {
    name: "countersign-store",
    same_site: "Strict",
};

/// What all pages need.
#[derive(Clone)]
struct Console {
    api: Api,
    secure: bool,
    /// The public URL of this service, without a final slash.
    public_url: Arc<str>,
}

impl Console {
    /// A `Set-Cookie` header value for one of the console's cookies.
    fn set_cookie(&self, cookie: Cookie, value: &str, seconds: i64) -> Option<HeaderValue> {
        cookie.set(self.secure, value, seconds)
    }
}

pub fn routes<S: Clone + Send + Sync + 'static>(api: Api, secure: bool, public_url: &str) -> Router<S> {
    let public_url = public_url.into();
    Router::new()
        .merge(sign_in::routes())
        .merge(approvals::routes())
        .merge(conversations::routes())
        .merge(payments::routes())
        .merge(help_articles::routes())
        .merge(rules::routes())
        .merge(usage::routes())
        .merge(deliveries::routes())
        .merge(incoming::routes())
        .merge(shop::routes())
        .merge(team::routes())
        .merge(settings::routes())
        .merge(audit::routes())
        .merge(doctor::routes())
        .route("/console/", any(|| async { Redirect::to("/console") }))
        .route("/console/{*page}", any(no_such_page))
        // A form's address is no page either, as when its answer is loaded again.
        .method_not_allowed_fallback(no_such_page)
        .layer(middleware::from_fn(same_site))
        .layer(policy(POLICY))
        .with_state(Console {
            api,
            secure,
            public_url,
        })
}

async fn no_such_page(visitor: Visitor) -> Response {
    visitor.no_such_page().await
}

/// Builds a query string from the pairs that have a value.
fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// Encodes a text for use in an address.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The last row if the list fills its page. There may then be a next page, which begins after this row.
fn last_of_full<T>(rows: &[T], page: usize) -> Option<&T> {
    rows.last().filter(|_| rows.len() == page)
}

/// Redirects to a page of the console, which then shows what was done.
fn done(to: &str, word: &str) -> Response {
    let separator = if to.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{to}{separator}done={word}")).into_response()
}
