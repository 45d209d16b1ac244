//! The page *Settings* holds the widget's code and its keys, the websites, the webhook endpoints and the business hours.

use askama::Template;
use axum::{
    Router,
    extract::Path,
    http::Method,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Console, Failure, Page, Submitted, Visitor, done, render};
use crate::{chat::business_hours::Hours, integrations::webhook_delivery::Endpoint, tenancy::store_keys::ListedKey};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/settings", get(settings))
        .route("/console/store-keys", post(create_key))
        .route("/console/store-keys/{id}/revoke", post(revoke_key))
        .route("/console/origins", post(add_website))
        .route("/console/origins/forbid", post(remove_website))
        .route("/console/endpoints", post(add_endpoint))
        .route("/console/endpoints/{id}/disable", post(disable_endpoint))
        .route("/console/hours", post(change_hours))
}

/// The days of the week: the form field's name and its label. Monday is first, as in the API.
const DAYS: [(&str, &str); 7] = [
    ("monday", "Monday"),
    ("tuesday", "Tuesday"),
    ("wednesday", "Wednesday"),
    ("thursday", "Thursday"),
    ("friday", "Friday"),
    ("saturday", "Saturday"),
    ("sunday", "Sunday"),
];

#[derive(Deserialize)]
struct StoreKeys {
    store_keys: Vec<ListedKey>,
}

#[derive(Deserialize)]
struct AllowedOrigins {
    origins: Vec<String>,
}

#[derive(Deserialize)]
struct Endpoints {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct StaffHours {
    hours: Option<Hours>,
}

/// The field of a day in the form of business hours.
struct Day {
    name: &'static str,
    label: &'static str,
    hours: String,
}

#[derive(Template)]
#[template(path = "console/settings.html")]
struct SettingsPage {
    page: Page,
    public_url: String,
    keys: Vec<ListedKey>,
    websites: Vec<String>,
    endpoints: Vec<Endpoint>,
    time_zone: String,
    week: Vec<Day>,
    closed_on: String,
}

impl SettingsPage {
    /// The script tag that a shop puts into its pages. It has the newest key that is not revoked.
    fn widget(&self) -> String {
        let newest = self.keys.iter().find(|key| key.revoked_at.is_none());
        let key = newest.map_or("", |key| &key.key);
        let url = &self.public_url;
        format!("<script async src=\"{url}/widget.js\" data-store-key=\"{key}\"></script>")
    }
}

/// Joins a list with commas, as the form shows it.
fn joined<T: ToString>(parts: &[T]) -> String {
    parts.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

async fn settings(visitor: Visitor) -> Result<Response, Failure> {
    let StoreKeys { store_keys } = visitor.get("/v1/staff/store-keys").await?;
    let AllowedOrigins { origins } = visitor.get("/v1/staff/origins").await?;
    let Endpoints { endpoints } = visitor.get("/v1/staff/webhook-endpoints").await?;
    let StaffHours { hours } = visitor.get("/v1/staff/hours").await?;
    let hours_of = |day: usize| {
        let day = hours.as_ref().and_then(|hours| hours.week.get(day));
        day.map_or_else(String::new, |spans| joined(spans))
    };
    let day = |(at, (name, label))| Day {
        name,
        label,
        hours: hours_of(at),
    };
    Ok(render(&SettingsPage {
        page: visitor.page("Settings").await?,
        public_url: visitor.public_url().to_owned(),
        keys: store_keys,
        websites: origins,
        endpoints,
        week: DAYS.into_iter().enumerate().map(day).collect(),
        closed_on: hours
            .as_ref()
            .map_or_else(String::new, |hours| joined(&hours.closed_on)),
        time_zone: hours.map_or_else(String::new, |hours| hours.time_zone),
    }))
}

async fn create_key(visitor: Visitor) -> Result<Response, Failure> {
    visitor.post("/v1/staff/store-keys", Value::Null).await?;
    Ok(done("/console/settings", "key-created"))
}

async fn revoke_key(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    visitor.delete(&format!("/v1/staff/store-keys/{id}")).await?;
    Ok(done("/console/settings", "revoked"))
}

async fn add_website(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let website = json!({ "origin": form.text("origin") });
    visitor.put("/v1/staff/origins", website).await?;
    Ok(done("/console/settings", "website-added"))
}

async fn remove_website(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let website = json!({ "origin": form.text("origin") });
    visitor.change(Method::DELETE, "/v1/staff/origins", website).await?;
    Ok(done("/console/settings", "website-removed"))
}

/// The API's answer about a new endpoint.
#[derive(Deserialize)]
struct MadeEndpoint {
    secret: String,
}

async fn add_endpoint(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let new = json!({ "url": form.text("url") });
    let made: MadeEndpoint = visitor.create("/v1/staff/webhook-endpoints", new).await?;
    let label = "Signing secret: copy it now, it is shown only once";
    visitor
        .page_with_secret("Your new webhook endpoint", label, made.secret, "/console/settings")
        .await
}

async fn disable_endpoint(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    visitor.delete(&format!("/v1/staff/webhook-endpoints/{id}")).await?;
    Ok(done("/console/settings", "endpoint-disabled"))
}

async fn change_hours(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    match form.optional("time_zone") {
        Some(zone) => {
            let week = DAYS.map(|(name, _)| form.parts(name));
            let hours = json!({ "time_zone": zone, "week": week, "closed_on": form.parts("closed_on") });
            visitor.put("/v1/staff/hours", hours).await?;
        }
        None => match visitor.delete("/v1/staff/hours").await {
            Err(failure) if failure.status() != 404 => return Err(failure),
            _ => {}
        },
    }
    Ok(done("/console/settings", "saved"))
}
