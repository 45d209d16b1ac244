//! The pages by which staff sign in with a password and a second factor, sign out, and reauthenticate where that is required.

use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{Console, Failure, Page, STAFF_COOKIE, STORE_COOKIE, Submitted, Visitor, done, qr::Qr, render};
use crate::identity::StaffNext;

/// How long the browser keeps the cookie with the store's key, in seconds: a year.
const STORE_COOKIE_SECONDS: i64 = 31_536_000;
/// How long the browser keeps the session's cookie, in seconds: a day. The server ends the session earlier.
const SESSION_COOKIE_SECONDS: i64 = 86_400;

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/sign-in", get(sign_in_page).post(sign_in))
        .route("/console/sign-out", post(sign_out))
        .route("/console/second-factor", get(set_up).post(confirm))
        .route("/console/prove", get(password_page).post(password))
}

/// The query parameters of the pages: where to go on, and the key of the store.
#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
    store: Option<String>,
}

/// Returns `next` if it is an address of the console, else the start page. This prevents open redirects.
fn console_path(next: &str) -> &str {
    let fits = next.starts_with("/console") && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fits { next } else { "/console" }
}

/// The store's key in the address where somebody wanted to go: the link to a console names it, and leads here first.
fn store_in(next: &str) -> Option<String> {
    let (_, query) = next.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "store").map(|(_, key)| key.into_owned())
}

/// The API's answer about a new session.
#[derive(Deserialize)]
struct Opened {
    token: String,
    next: StaffNext,
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage<'a> {
    page: Page,
    store_key: &'a str,
    next: &'a str,
    /// Why the last attempt failed.
    fault: Option<String>,
}

impl<'a> SignInPage<'a> {
    fn new(store_key: &'a str, next: &'a str, fault: Option<String>) -> Self {
        Self {
            page: Page::new("Sign in", "/console/sign-in", None),
            store_key,
            next: console_path(next),
            fault,
        }
    }
}

async fn sign_in_page(visitor: Visitor, Query(next): Query<Next>) -> Response {
    let key = next.store.or_else(|| store_in(&next.next)).or(visitor.store_key);
    let key = key.unwrap_or_default();
    render(&SignInPage::new(&key, &next.next, None))
}

async fn sign_in(
    visitor: Visitor,
    State(console): State<Console>,
    axum::Form(form): axum::Form<Submitted>,
) -> Response {
    let (key, next) = (form.text("store"), form.text("next"));
    let caller = visitor.caller.with_store_key(key);
    let credentials = json!({
        "email": form.text("email"),
        "password": form.text("password"),
        "code": form.optional("code"),
    });
    let opened: Opened = match console.api.post(&caller, "/v1/staff/sessions", credentials).await {
        Ok(opened) => opened,
        Err(refusal) => return render(&SignInPage::new(key, next, Some(refusal.words()))),
    };
    let to = match opened.next {
        StaffNext::SetUpSecondFactor => "/console/second-factor",
        StaffNext::Work => console_path(next),
    };
    let mut response = Redirect::to(to).into_response();
    let cookies = [
        console.set_cookie(STAFF_COOKIE, &opened.token, SESSION_COOKIE_SECONDS),
        console.set_cookie(STORE_COOKIE, key, STORE_COOKIE_SECONDS),
    ];
    response
        .headers_mut()
        .extend(cookies.into_iter().flatten().map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

async fn sign_out(visitor: Visitor, State(console): State<Console>) -> Response {
    // Whatever the API answers, the browser deletes the session's cookie.
    let _ = visitor.delete("/v1/staff/sessions/current").await;
    let mut response = Redirect::to("/console/sign-in").into_response();
    if let Some(cookie) = console.set_cookie(STAFF_COOKIE, "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A new second factor. It is shown only once.
#[derive(Deserialize)]
struct NewFactor {
    secret: String,
    uri: String,
}

#[derive(Template)]
#[template(path = "console/second_factor.html")]
struct SecondFactorPage {
    page: Page,
    factor: NewFactor,
    qr: Option<Qr>,
}

async fn set_up(visitor: Visitor) -> Result<Response, Failure> {
    let factor: NewFactor = visitor.create("/v1/staff/second-factor", json!({})).await?;
    Ok(render(&SecondFactorPage {
        page: visitor.page("Set up your second factor").await?,
        qr: Qr::of(&factor.uri),
        factor,
    }))
}

/// The API's answer about a second factor that was just confirmed.
#[derive(Deserialize)]
struct Confirmed {
    session: Opened,
    recovery_codes: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/recovery_codes.html")]
struct RecoveryCodesPage {
    page: Page,
    codes: String,
}

async fn confirm(
    visitor: Visitor,
    State(console): State<Console>,
    axum::Form(form): axum::Form<Submitted>,
) -> Result<Response, Failure> {
    let code = json!({ "code": form.text("code") });
    let confirmed: Confirmed = visitor.create("/v1/staff/second-factor/confirm", code).await?;
    let mut response = render(&RecoveryCodesPage {
        page: Page::new("Save your recovery codes", "/console/second-factor", None),
        codes: confirmed.recovery_codes.join("\n"),
    });
    if let Some(cookie) = console.set_cookie(STAFF_COOKIE, &confirmed.session.token, SESSION_COOKIE_SECONDS) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "console/password.html")]
struct PasswordPage<'a> {
    page: Page,
    next: &'a str,
}

async fn password_page(visitor: Visitor, Query(next): Query<Next>) -> Result<Response, Failure> {
    Ok(render(&PasswordPage {
        page: visitor.page("Confirm that it is you").await?,
        next: console_path(&next.next),
    }))
}

async fn password(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let proof = json!({ "password": form.text("password"), "code": form.optional("code") });
    visitor.post("/v1/staff/reauthentication", proof).await?;
    Ok(done(
        console_path(form.text("next")),
        "confirmed,-please-repeat-your-change",
    ))
}

#[cfg(test)]
mod tests {
    use super::{console_path, store_in};

    #[test]
    fn a_link_to_a_console_fills_in_its_store() {
        assert_eq!(store_in("/console?store=pk_1&x=2").as_deref(), Some("pk_1"));
        assert_eq!((store_in("/console"), store_in("")), (None, None));
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(console_path("/console/audit?before=3"), "/console/audit?before=3");
        for bad in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/console\\@evil.example",
            "/docs",
            "/console\nSet-Cookie: x",
        ] {
            assert_eq!(console_path(bad), "/console", "{bad}");
        }
    }
}
