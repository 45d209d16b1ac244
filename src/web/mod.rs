//! Pages for people: the shopper's widget, the staff console, the demo's storefront. Server-rendered, without a build step.
//!
//! Rule: a page is a client of the API like any other. What it shows and does goes through a route of [`crate::http`] with the person's own
//! token, so the access table holds for pages as well. A page has no other access to the data.

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
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio::sync::watch;
use tower_http::set_header::SetResponseHeaderLayer;

pub use api::Api;
pub use storefront::Storefront;

use crate::{http::is_same_site, mail::MailSettings};

/// The Content-Security-Policy of pages: they use scripts and styles of this server only, and connect only to it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// All pages. The inbox and the storefront exist only where mail is caught and in the demo; elsewhere the front page is the console.
pub fn pages<S: Clone + Send + Sync + 'static>(
    api: Api,
    secure_cookies: bool,
    public_url: &str,
    mail: &MailSettings,
    storefront: Option<watch::Receiver<Storefront>>,
) -> Router<S> {
    let mut pages = Router::new()
        .merge(assets::routes())
        .merge(passwords::routes(api.clone()))
        .merge(console::routes(api, secure_cookies, public_url));
    if let MailSettings::Inbox(inbox) = mail {
        pages = pages.merge(inbox::page(inbox.clone()));
    }
    match storefront {
        Some(storefront) => pages.merge(storefront::routes(storefront)),
        None => pages.route("/", get(|| async { Redirect::to("/console") })),
    }
}

/// A layer that sets the Content-Security-Policy header.
fn policy(policy: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))
}

/// Refuses forms that another site sends. The console's cookies are `SameSite=Strict`, so a browser would not send them either.
async fn same_site(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || is_same_site(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "A form of another site changes nothing here.").into_response()
}

/// A layer that lets any site embed the response. Only for responses that are the same for everybody.
fn embeddable_anywhere() -> SetResponseHeaderLayer<HeaderValue> {
    let name = HeaderName::from_static("cross-origin-resource-policy");
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static("cross-origin"))
}
