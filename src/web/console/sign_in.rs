//! In and out: password, second factor, proving oneself again.

use axum::{
    Router,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor,
    charts::Qr,
    done,
    layout::Page,
    view::{Field, Form as Fields, Section, string},
};

/// How long the browser keeps which store it was, in seconds: a year.
const A_YEAR: u32 = 31_536_000;
/// How long it keeps the session; the server ends it earlier.
const A_DAY: u32 = 86_400;

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/sign-in", get(show_sign_in).post(sign_in))
        .route("/console/sign-out", post(sign_out))
        .route("/console/second-factor", get(factor).post(confirm))
        .route("/console/prove", get(prove_page).post(prove))
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
    store: Option<String>,
}

/// Only to a page of ours: never where a link from elsewhere says.
fn ours(next: &str) -> &str {
    let fits = next.starts_with("/console") && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fits { next } else { "/console" }
}

async fn show_sign_in(visitor: Visitor, Query(next): Query<Next>) -> Response {
    let key = next.store.clone().or(visitor.store_key).unwrap_or_default();
    sign_in_page(&key, ours(&next.next), None)
}

fn sign_in_page(key: &str, next: &str, fault: Option<String>) -> Response {
    let mut sections: Vec<Section> = fault.map(|text| Section::note("bad", text)).into_iter().collect();
    sections.push(Section::Form(Fields::post(
        "Who are you?",
        "/console/sign-in",
        "Sign in",
        vec![
            Field::hidden("next", next),
            Field::new("store", "The store's key (pk_…)", "text").of(key),
            Field::new("email", "E-mail address", "email").completes("username"),
            Field::new("password", "Password", "password").completes("current-password"),
            Field::new("code", "Code of your authenticator app, if you have set one up", "text")
                .optional()
                .completes("one-time-code"),
        ],
    )));
    Page::new("Sign in", "/console/sign-in", None, sections).into_response()
}

async fn sign_in(visitor: Visitor, State(console): State<Console>, axum::Form(form): axum::Form<Form>) -> Response {
    let key = form.text("store");
    let caller = visitor.caller.with_store_key(key);
    let mut credentials = json!({ "email": form.text("email"), "password": form.text("password") });
    if let Some(code) = form.optional("code") {
        credentials["code"] = code.into();
    }
    let opened: Value = match console.api.post(&caller, "/v1/staff/sessions", credentials).await {
        Ok(opened) => opened,
        Err(refusal) => return sign_in_page(key, ours(form.text("next")), Some(refusal.words())),
    };
    let to = match opened["next"].as_str() {
        Some("set_up_second_factor") => "/console/second-factor",
        _ => ours(form.text("next")),
    };
    let mut response = Redirect::to(to).into_response();
    let cookies = [
        console.set_cookie("staff", &string(&opened, "token"), A_DAY),
        console.set_cookie("store", key, A_YEAR),
    ];
    response
        .headers_mut()
        .extend(cookies.into_iter().flatten().map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

async fn sign_out(visitor: Visitor, State(console): State<Console>) -> Response {
    // Whatever the API says, the browser forgets it.
    let _ = visitor
        .change(axum::http::Method::DELETE, "/v1/staff/sessions/current", None)
        .await;
    let mut response = Redirect::to("/console/sign-in").into_response();
    if let Some(cookie) = console.set_cookie("staff", "", 0) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Shows the secret of a new second factor.
async fn factor(visitor: Visitor) -> Result<Response, Failure> {
    let made = visitor.post("/v1/staff/second-factor", json!({})).await?;
    let mut sections = vec![Section::note(
        "plain",
        "Who may decide needs a second factor. Add this to an authenticator app, then give the code it shows.",
    )];
    sections.extend(Qr::of("To scan with the app", &string(&made, "uri")).map(Section::Qr));
    sections.extend([
        Section::Secret {
            label: "To type into the app",
            value: string(&made, "secret"),
        },
        Section::Secret {
            label: "Or as a link, for a password manager",
            value: string(&made, "uri"),
        },
        Section::Form(Fields::post(
            "Put it into force",
            "/console/second-factor",
            "Confirm",
            vec![Field::new("code", "The six digits it shows", "text").completes("one-time-code")],
        )),
    ]);
    visitor.page("Your second factor", sections).await
}

async fn confirm(
    visitor: Visitor,
    State(console): State<Console>,
    axum::Form(form): axum::Form<Form>,
) -> Result<Response, Failure> {
    let set_up = visitor
        .post("/v1/staff/second-factor/confirm", json!({ "code": form.text("code") }))
        .await?;
    let codes = super::view::list(&set_up, "recovery_codes")
        .iter()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>();
    let sections = vec![
        Section::Secret {
            label: "Recovery codes: each opens once what the app would. They are not shown again.",
            value: codes.join("\n"),
        },
        Section::Links(vec![("/console".into(), "I have kept them: to the approvals".into())]),
    ];
    let mut response = Page::new("Keep these", "/console/second-factor", None, sections).into_response();
    if let Some(cookie) = console.set_cookie("staff", &string(&set_up["session"], "token"), A_DAY) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn prove_page(visitor: Visitor, Query(next): Query<Next>) -> Result<Response, Failure> {
    let form = Fields {
        help: "Rules, keys and people are changed only by somebody whose password was given in the last ten minutes.",
        ..Fields::post(
            "Your password again",
            "/console/prove",
            "Go on",
            vec![
                Field::hidden("next", ours(&next.next)),
                Field::new("password", "Password", "password").completes("current-password"),
                Field::new("code", "Code of your authenticator app", "text")
                    .optional()
                    .completes("one-time-code"),
            ],
        )
    };
    visitor.page("Prove that it is you", vec![Section::Form(form)]).await
}

async fn prove(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let mut proof = json!({ "password": form.text("password") });
    if let Some(code) = form.optional("code") {
        proof["code"] = code.into();
    }
    visitor.post("/v1/staff/reauthentication", proof).await?;
    Ok(done(ours(form.text("next")), "please-send-it-again"))
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
