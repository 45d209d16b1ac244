//! The visitor of a page, in whose name the page calls the API, and the page that is shown when the API refuses.

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, StatusCode, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{Console, Page, STAFF_COOKIE, STORE_COOKIE, encoded, render};
use crate::{
    http,
    identity::StaffRole,
    money::Currency,
    web::api::{Caller, Refusal},
};

/// An extractor for the person who visits a page. The API decides what they may do.
pub struct Visitor {
    console: Console,
    pub caller: Caller,
    /// The key of the store that this browser last signed in to.
    pub store_key: Option<String>,
    /// The address of the page.
    here: String,
}

/// The person who is signed in, and their store.
#[derive(Deserialize)]
pub struct Me {
    pub email: String,
    pub role: StaffRole,
    pub store: String,
    pub currency: String,
    pub time_zone: String,
}

/// The API says this of the language model while it does not answer.
#[derive(Deserialize)]
pub struct Outage {
    local_since: Option<String>,
    pub reason: String,
    pub mend: String,
    answered_by: String,
}

impl Outage {
    pub fn who_answers(&self) -> &'static str {
        match self.answered_by.as_str() {
            "second" => "The second language model answers",
            _ => "The assistant answers by fixed rules",
        }
    }

    pub fn since(&self) -> &str {
        self.local_since.as_deref().unwrap_or_default()
    }
}

/// The part of the service's status that every page shows.
#[derive(Deserialize)]
struct Status {
    model_outage: Option<Outage>,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Self::Rejection> {
        let (token, store_key) = (
            cookie(&parts.headers, &STAFF_COOKIE.full_name(console.secure)),
            cookie(&parts.headers, &STORE_COOKIE.full_name(console.secure)),
        );
        let here = parts.uri.path_and_query().map_or("/console", |path| path.as_str());
        Ok(Self {
            caller: Caller::new(parts, token),
            console: console.clone(),
            store_key,
            here: here.to_owned(),
        })
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut cookies = http::cookies(headers);
    cookies
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

impl Visitor {
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let found = self.console.api.get(&self.caller, path).await;
        found.map_err(|refusal| self.refused(refusal))
    }

    /// Creates something by the API, and returns the API's answer.
    pub async fn create<T: DeserializeOwned>(&self, path: &str, body: impl Serialize) -> Result<T, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: impl Serialize) -> Result<(), Failure> {
        self.change(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: impl Serialize) -> Result<(), Failure> {
        self.change(Method::PUT, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.call(Method::DELETE, path, None::<()>).await.map(|IgnoredAny| ())
    }

    /// Changes something by the API, and ignores the answer's body.
    pub async fn change(&self, method: Method, path: &str, body: impl Serialize) -> Result<(), Failure> {
        self.call(method, path, Some(body)).await.map(|IgnoredAny| ())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<impl Serialize>,
    ) -> Result<T, Failure> {
        // This never fails: the bodies are texts and numbers, which always serialise.
        let body = body.map(|body| serde_json::to_value(body).unwrap_or_default());
        let done = self.console.api.call(&self.caller, method, path, body).await;
        done.map_err(|refusal| self.refused(refusal))
    }

    /// The frame of a page for the person who is signed in.
    pub async fn page(&self, title: impl Into<String>) -> Result<Page, Failure> {
        let me: Me = self.get("/v1/staff/sessions/current").await?;
        let can_act = me.role >= StaffRole::Approver;
        let mut page = Page::new(title, &self.here, Some(me));
        if can_act {
            // A page is shown whether or not this can be said.
            let status: Option<Status> = self.get("/v1/staff/status").await.ok();
            page.outage = status.and_then(|status| status.model_outage);
        }
        Ok(page)
    }

    /// The currency of the store.
    pub async fn currency(&self) -> Result<Currency, Failure> {
        let me: Me = self.get("/v1/staff/sessions/current").await?;
        me.currency.parse().map_err(|_| self.refused(Refusal::unreadable()))
    }

    /// Renders a page that shows a secret once, with a link to go on.
    pub async fn page_with_secret(
        &self,
        title: &str,
        label: &'static str,
        value: String,
        back: &'static str,
    ) -> Result<Response, Failure> {
        let page = self.page(title).await?;
        Ok(render(&SecretPage {
            page,
            label,
            value,
            back,
        }))
    }

    /// The failure of a page that does not exist.
    pub fn not_found(&self) -> Failure {
        self.refused(Refusal::not_found())
    }

    /// A page that says that there is none at this address, with the menu if somebody is signed in.
    pub async fn no_such_page(&self) -> Response {
        let title = "This page does not exist";
        let page = self.page(title).await;
        let page = FailurePage {
            page: page.unwrap_or_else(|_| Page::new(title, &self.here, None)),
            words: "The console has no page at this address.".into(),
        };
        (StatusCode::NOT_FOUND, render(&page)).into_response()
    }

    /// The public URL of this service, without a final slash.
    pub fn public_url(&self) -> &str {
        &self.console.public_url
    }

    fn refused(&self, refusal: Refusal) -> Failure {
        Failure {
            refusal,
            here: self.here.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/secret.html")]
struct SecretPage {
    page: Page,
    label: &'static str,
    value: String,
    back: &'static str,
}

/// Why a page cannot be shown.
pub struct Failure {
    refusal: Refusal,
    here: String,
}

#[derive(Template)]
#[template(path = "console/failure.html")]
struct FailurePage {
    page: Page,
    words: String,
}

impl Failure {
    pub fn status(&self) -> u16 {
        self.refusal.status
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let next = encoded(&self.here);
        let to = match (self.refusal.status, self.refusal.code()) {
            (401, "unauthenticated") => format!("/console/sign-in?next={next}"),
            (403, "second_factor_not_set_up") => "/console/second-factor".to_owned(),
            (403, "reauthenticate") => format!("/console/prove?next={next}"),
            (status, _) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let page = FailurePage {
                    page: Page::new("That did not work", &self.here, None),
                    words: self.refusal.words(),
                };
                return (status, render(&page)).into_response();
            }
        };
        Redirect::to(&to).into_response()
    }
}
