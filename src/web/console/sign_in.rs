//! Staff sign in with a password and a second factor, sign out, and give the password again before what needs it fresh.

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

use super::{Console, Failure, Page, Submitted, Visitor, done, qr::Qr, render};
use crate::identity::StaffNext;

/// The browser keeps which store it was for a year, in seconds.
const A_YEAR: u32 = 31_536_000;
/// The browser keeps the session for so many seconds; the server ends it earlier.
const A_DAY: u32 = 86_400;

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/sign-in", get(sign_in_page).post(sign_in))
        .route("/console/sign-out", post(sign_out))
        .route("/console/second-factor", get(set_up).post(confirm))
        .route("/console/prove", get(password_page).post(password))
}

/// The address says where to go on, and which store it is.
#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
    store: Option<String>,
}

/// The way goes on at a page of the console, and never where a link from elsewhere says.
fn ours(next: &str) -> &str {
    let fits = next.starts_with("/console") && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fits { next } else { "/console" }
}

/// The API tells this of a session that was just opened.
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
    /// The last attempt failed because of this.
    fault: Option<String>,
}

impl<'a> SignInPage<'a> {
    fn new(store_key: &'a str, next: &'a str, fault: Option<String>) -> Self {
        Self {
            page: Page::new("Sign in", "/console/sign-in", None),
            store_key,
            next: ours(next),
            fault,
        }
    }
}

async fn sign_in_page(visitor: Visitor, Query(next): Query<Next>) -> Response {
    let key = next.store.or(visitor.store_key).unwrap_or_default();
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
        StaffNext::Work => ours(next),
    };
    let mut response = Redirect::to(to).into_response();
    let cookies = [
        console.set_cookie("staff", &opened.token, A_DAY),
        console.set_cookie("store", key, A_YEAR),
    ];
    response
        .headers_mut()
        .extend(cookies.into_iter().flatten().map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

async fn sign_out(visitor: Visitor, State(console): State<Console>) -> Response {
    // Whatever the API says, the browser forgets the session.
    let _ = visitor.delete("/v1/staff/sessions/current").await;
    let mut response = Redirect::to("/console/sign-in").into_response();
    if let Some(cookie) = console.set_cookie("staff", "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A new second factor is shown this once.
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

/// The API tells this of a second factor that was just confirmed.
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
    if let Some(cookie) = console.set_cookie("staff", &confirmed.session.token, A_DAY) {
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
        next: ours(&next.next),
    }))
}

async fn password(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let proof = json!({ "password": form.text("password"), "code": form.optional("code") });
    visitor.post("/v1/staff/reauthentication", proof).await?;
    Ok(done(ours(form.text("next")), "confirmed,-please-repeat-your-change"))
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(ours("/console/audit?before=3"), "/console/audit?before=3");
        for bad in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/console\\@evil.example",
            "/docs",
            "/console\nSet-Cookie: x",
        ] {
            assert_eq!(ours(bad), "/console", "{bad}");
        }
    }
}
