//! Where mailed links lead to: a new password for a shopper, a first one for somebody who joins the staff.
//!
//! The link's secret stands behind its `#`: no server, log or referrer sees it until the form is sent.

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

use crate::language::{Language, LocalizedText};

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
    /// The route of the API that takes the form.
    fn route(self) -> &'static str {
        match self {
            Self::Reset => "/v1/password-resets/complete",
            Self::Join => "/v1/staff/invitations/accept",
        }
    }
}

/// A page's words.
struct Words {
    language: &'static str,
    reset: &'static str,
    join: &'static str,
    secret: &'static str,
    password: &'static str,
    hint: &'static str,
    save: &'static str,
    set: &'static str,
    spent: &'static str,
    weak: &'static str,
    later: &'static str,
    sign_in: &'static str,
}

static WORDS: LocalizedText<Words> = LocalizedText {
    en: ENGLISH,
    de: GERMAN,
};

const ENGLISH: Words = Words {
    language: "en",
    reset: "A new password",
    join: "Join the staff",
    secret: "The part of the link after #",
    password: "Your new password",
    hint: "10 to 256 characters, and not easy to guess: a few words that do not belong together are good.",
    save: "Set it",
    set: "Your password is set. Sign in with it.",
    spent: "This link has been used or is too old. Ask for another one.",
    weak: "This password is too short or too easy to guess. Please choose another.",
    later: "That did not work just now. Please try again in a minute.",
    sign_in: "To the sign-in",
};

const GERMAN: Words = Words {
    language: "de",
    reset: "Ein neues Passwort",
    join: "Zum Team",
    secret: "Der Teil des Links nach dem #",
    password: "Ihr neues Passwort",
    hint: "10 bis 256 Zeichen und nicht leicht zu erraten: gut sind ein paar Wörter, die nicht zusammengehören.",
    save: "Festlegen",
    set: "Ihr Passwort ist festgelegt. Melden Sie sich damit an.",
    spent: "Dieser Link ist verbraucht oder zu alt. Lassen Sie sich einen neuen schicken.",
    weak: "Dieses Passwort ist zu kurz oder zu leicht zu erraten. Bitte wählen Sie ein anderes.",
    later: "Das hat gerade nicht geklappt. Bitte versuchen Sie es in einer Minute noch einmal.",
    sign_in: "Zur Anmeldung",
};

#[derive(Template)]
#[template(path = "password.html")]
struct Page<'a> {
    words: &'static Words,
    title: &'static str,
    token: &'a str,
    fault: Option<&'static str>,
    /// It is done: where to go on, if there is such a page of ours.
    done: bool,
    next: Option<String>,
}

/// What the mail puts into the link.
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
    let words = words(&link.lang);
    match answered {
        Ok(_) => {
            let key: String = url::form_urlencoded::byte_serialize(link.store.as_bytes()).collect();
            let next = (purpose == Purpose::Join).then(|| format!("/console/sign-in?store={key}"));
            render(
                StatusCode::OK,
                &Page {
                    words,
                    title: title(purpose, words),
                    token: "",
                    fault: None,
                    done: true,
                    next,
                },
            )
        }
        Err(refusal) => {
            let (status, fault) = match refusal.status {
                401 => (StatusCode::UNAUTHORIZED, words.spent),
                // A link of a wrong length is no link of ours.
                422 if refusal.names("token") => (StatusCode::UNAUTHORIZED, words.spent),
                422 => (StatusCode::UNPROCESSABLE_ENTITY, words.weak),
                _ => (StatusCode::SERVICE_UNAVAILABLE, words.later),
            };
            show(purpose, link, token, Some(fault), status)
        }
    }
}

fn words(language: &str) -> &'static Words {
    WORDS.in_language(language.parse().unwrap_or(Language::En))
}

fn title(purpose: Purpose, words: &'static Words) -> &'static str {
    match purpose {
        Purpose::Reset => words.reset,
        Purpose::Join => words.join,
    }
}

fn show(purpose: Purpose, link: &Link, token: &str, fault: Option<&'static str>, status: StatusCode) -> Response {
    let words = words(&link.lang);
    render(
        status,
        &Page {
            words,
            title: title(purpose, words),
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
