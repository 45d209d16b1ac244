//! The staff console: server-rendered pages that work without a script. Each is a client of the API with the person's own
//! token, so roles, fresh passwords, limits and the audit hold here as they do there.

mod approvals;
mod audit;
mod business_hours;
mod charts;
mod conversations;
mod deliveries;
mod doctor;
mod help_articles;
mod incoming_events;
mod layout;
mod paging;
mod payments;
mod rules;
mod settings;
mod sign_in;
mod store_keys;
mod team;
mod usage;
mod view;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, StatusCode, request::Parts},
    middleware,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Api, POLICY,
    api::{Caller, Refusal},
    policy, same_site,
};
use crate::{
    http,
    identity::StaffRole,
    money::{self, Currency},
};
use layout::Page;
use view::Section;

/// What pages share.
#[derive(Clone)]
struct Console {
    api: Api,
    secure: bool,
}

impl Console {
    /// The cookies' names: `__Host-` makes a browser refuse them from a subdomain or over plain HTTP.
    fn cookie(&self, name: &str) -> String {
        format!("{}countersign-{name}", if self.secure { "__Host-" } else { "" })
    }

    /// A cookie of the console's, for `seconds`; 0 takes it away.
    fn set_cookie(&self, name: &str, value: &str, seconds: u32) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.cookie(name);
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
            .parse()
            .ok()
    }
}

pub fn routes<S: Clone + Send + Sync + 'static>(api: Api, secure: bool) -> Router<S> {
    let console = Console { api, secure };
    Router::new()
        .merge(sign_in::routes())
        .merge(approvals::routes())
        .merge(conversations::routes())
        .merge(payments::routes())
        .merge(help_articles::routes())
        .merge(rules::routes())
        .merge(usage::routes())
        .merge(deliveries::routes())
        .merge(incoming_events::routes())
        .merge(team::routes())
        .merge(settings::routes())
        .merge(business_hours::routes())
        .merge(store_keys::routes())
        .merge(audit::routes())
        .merge(doctor::routes())
        .layer(middleware::from_fn(same_site))
        .layer(policy(POLICY))
        .with_state(console)
}

/// Who looks at a page. What they may do is for the API to say.
struct Visitor {
    console: Console,
    caller: Caller,
    store_key: Option<String>,
    /// Where they are, to come back to.
    here: String,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Self::Rejection> {
        let (token, store_key) = (
            cookie(&parts.headers, &console.cookie("staff")),
            cookie(&parts.headers, &console.cookie("store")),
        );
        Ok(Self {
            caller: Caller::new(parts, token),
            console: console.clone(),
            store_key,
            here: parts
                .uri
                .path_and_query()
                .map_or("/console", |path| path.as_str())
                .to_owned(),
        })
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut cookies = http::cookies(headers);
    cookies
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

/// Who is signed in, for the head of each page.
#[derive(Deserialize)]
struct Me {
    email: String,
    role: StaffRole,
    store: String,
    currency: String,
}

impl Visitor {
    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let found = self.console.api.get(&self.caller, path).await;
        found.map_err(|refusal| self.refused(refusal))
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        self.change(Method::POST, path, Some(body)).await
    }

    async fn change(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let done = self.console.api.call(&self.caller, method, path, body).await;
        done.map_err(|refusal| self.refused(refusal))
    }

    async fn me(&self) -> Result<Me, Failure> {
        self.get("/v1/staff/sessions/current").await
    }

    /// What the store's amounts are in.
    async fn currency(&self) -> Result<Currency, Failure> {
        let code = self.me().await?.currency;
        code.parse().map_err(|_| self.refused(Refusal::unreadable()))
    }

    /// A page in its frame.
    async fn page(&self, title: &str, sections: Vec<Section>) -> Result<Response, Failure> {
        let me = self.me().await?;
        Ok(Page::new(title, &self.here, Some(&me), sections).into_response())
    }

    /// A page with what is shown this once, and the way back.
    async fn page_with_secret(
        &self,
        title: &str,
        (label, value): (&'static str, String),
        back: &str,
    ) -> Result<Response, Failure> {
        let sections = vec![
            Section::Secret { label, value },
            Section::Links(vec![(back.to_owned(), "I have saved it".to_owned())]),
        ];
        self.page(title, sections).await
    }

    fn refused(&self, refusal: Refusal) -> Failure {
        Failure {
            refusal,
            here: self.here.clone(),
        }
    }
}

/// Why there is no page.
struct Failure {
    refusal: Refusal,
    here: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let next: String = url::form_urlencoded::byte_serialize(self.here.as_bytes()).collect();
        let to = match (self.refusal.status, self.refusal.code()) {
            (401, "unauthenticated") => format!("/console/sign-in?next={next}"),
            (403, "second_factor_not_set_up") => "/console/second-factor".to_owned(),
            (403, "reauthenticate") => format!("/console/prove?next={next}"),
            (status, _) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let words = Section::note("bad", self.refusal.words());
                return (status, Page::new("That did not work", &self.here, None, vec![words])).into_response();
            }
        };
        Redirect::to(&to).into_response()
    }
}

/// A query of the pairs that have a value.
fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// Back to a page of ours, with a word on what was done.
fn done(to: &str, word: &str) -> Response {
    let separator = if to.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{to}{separator}done={word}")).into_response()
}

/// A form as browsers send it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Form(Vec<(String, String)>);

impl Form {
    fn text(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.trim())
    }

    /// None when it was left empty.
    fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// An amount of money, in units of which 10^`decimals` make one; the API says what is wrong with anything else.
    fn amount(&self, name: &str, decimals: u32) -> Value {
        self.optional(name).map_or(Value::Null, |text| {
            money::units(text, decimals).map_or_else(|| text.into(), Value::from)
        })
    }

    /// A whole number or nothing; the API says what is wrong with anything else.
    fn number(&self, name: &str) -> Value {
        self.optional(name).map_or(Value::Null, |text| {
            text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        })
    }
}
