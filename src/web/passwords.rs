//! The pages that mailed links lead to: a shopper sets a new password, and an invited member of staff sets a first one.
//!
//! The link's secret follows the `#`, so no server, log or referrer sees it until the form is sent.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Query, State},
    http::{StatusCode, request::Parts},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::language::{Language, TextKey};

use super::{
    Api, POLICY,
    api::{Caller, Refusal},
    policy, same_site,
};

/// What a page is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Reset,
    Join,
}

impl Purpose {
    /// The API route that the form is sent to.
    fn route(self) -> &'static str {
        match self {
            Self::Reset => "/v1/password-resets/complete",
            Self::Join => "/v1/staff/invitations/accept",
        }
    }
}

#[derive(Template)]
#[template(path = "password.html")]
struct Page<'a> {
    language: Language,
    title: String,
    token: &'a str,
    fault: Option<TextKey>,
    /// Whether the password was set.
    done: bool,
    /// The page to go on to, if there is one.
    next: Option<String>,
}

/// The query parameters of the mailed link.
#[derive(Deserialize)]
struct Link {
    /// The store's publishable key.
    #[serde(default)]
    store: String,
    #[serde(default)]
    lang: String,
}

#[derive(Deserialize)]
struct Sent {
    token: String,
    password: String,
}

pub fn routes<S: Clone + Send + Sync + 'static>(api: Api) -> Router<S> {
    let page = |purpose| {
        get(move |Query(link): Query<Link>| async move { show(purpose, &link, "", None, StatusCode::OK) }).post(
            move |State(api): State<Api>, Query(link): Query<Link>, parts: Parts, Form(sent): Form<Sent>| async move {
                let caller = Caller::new(&parts, None).with_store_key(&link.store);
                let body = json!({ "token": sent.token.trim(), "password": sent.password });
                let answered = api.post::<Value>(&caller, purpose.route(), body).await;
                answer(purpose, &link, &sent.token, answered)
            },
        )
    };
    Router::new()
        .route("/reset-password", page(Purpose::Reset))
        .route("/staff/join", page(Purpose::Join))
        .layer(middleware::from_fn(same_site))
        .layer(policy(POLICY))
        .with_state(api)
}

fn answer(purpose: Purpose, link: &Link, token: &str, answered: Result<Value, Refusal>) -> Response {
    let language = language(&link.lang);
    match answered {
        Ok(_) => {
            let key: String = url::form_urlencoded::byte_serialize(link.store.as_bytes()).collect();
            let next = (purpose == Purpose::Join).then(|| format!("/console/sign-in?store={key}"));
            render(
                StatusCode::OK,
                &Page {
                    language,
                    title: title(purpose).in_language(language),
                    token: "",
                    fault: None,
                    done: true,
                    next,
                },
            )
        }
        Err(refusal) => {
            let (status, fault) = match refusal.status {
                401 => (StatusCode::UNAUTHORIZED, TextKey("password-spent")),
                // A token of the wrong length is handled like an invalid link.
                422 if refusal.names("token") => (StatusCode::UNAUTHORIZED, TextKey("password-spent")),
                422 => (StatusCode::UNPROCESSABLE_ENTITY, TextKey("password-weak")),
                _ => (StatusCode::SERVICE_UNAVAILABLE, TextKey("password-later")),
            };
            show(purpose, link, token, Some(fault), status)
        }
    }
}

/// The language that the mailed link names, which is the language of the mail.
fn language(tag: &str) -> Language {
    tag.parse().unwrap_or(Language::EN)
}

fn title(purpose: Purpose) -> TextKey {
    match purpose {
        Purpose::Reset => TextKey("password-reset"),
        Purpose::Join => TextKey("password-join"),
    }
}

impl Page<'_> {
    fn text(&self, key: TextKey) -> String {
        key.in_language(self.language)
    }
}

fn show(purpose: Purpose, link: &Link, token: &str, fault: Option<TextKey>, status: StatusCode) -> Response {
    let language = language(&link.lang);
    render(
        status,
        &Page {
            language,
            title: title(purpose).in_language(language),
            token,
            fault,
            done: false,
            next: None,
        },
    )
}

fn render(status: StatusCode, page: &Page<'_>) -> Response {
    match page.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
