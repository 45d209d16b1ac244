//! Pages for people: the shopper's widget, the staff console, the demo's storefront. Server-rendered, without a build step.
//!
//! Law: a page is a client of the API like any other. What it shows and does goes through a route of [`crate::http`], with the
//! person's own token: the table of who may call what holds for pages as well, and there is no other way to the data.

mod api;
mod assets;
pub mod console;
pub mod inbox;
mod passwords;
mod storefront;
pub mod trial;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::watch;
use tower_http::set_header::SetResponseHeaderLayer;

pub use api::Api;
pub use storefront::Storefront;

use crate::{http::is_same_site, mail::MailSettings};

/// Pages that run nothing but our own script, style themselves by our own sheet and talk to nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// All pages. The inbox and the storefront are the demo's alone.
pub fn pages<S: Clone + Send + Sync + 'static>(
    api: Api,
    secure_cookies: bool,
    mail: &MailSettings,
    storefront: Option<watch::Receiver<Storefront>>,
) -> Router<S> {
    let mut pages = Router::new()
        .merge(assets::routes())
        .merge(passwords::routes(api.clone()))
        .merge(console::routes(api, secure_cookies));
    if let MailSettings::Inbox(inbox) = mail {
        pages = pages.merge(inbox::page(inbox.clone()));
    }
    if let Some(storefront) = storefront {
        pages = pages.merge(storefront::routes(storefront));
    }
    pages
}

/// The header that bounds what a page may run.
fn policy(policy: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))
}

/// A form of another site's changes nothing: the cookie is not sent with it, and it would be refused if it were.
async fn same_site(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || is_same_site(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "A form of another site changes nothing here.").into_response()
}

/// A layer that lets any site embed the response. Only for responses that are the same for everybody.
fn for_every_site() -> SetResponseHeaderLayer<HeaderValue> {
    let name = HeaderName::from_static("cross-origin-resource-policy");
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static("cross-origin"))
}
