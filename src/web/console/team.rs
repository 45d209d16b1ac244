//! The page *Team and API keys* shows who has access: people have a role, and machines have keys.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Console, Failure, Page, Submitted, Visitor, done, last_of_full, query, render};
use crate::{
    identity::{ApiScope, StaffRole, api_keys::ApiKey, members::Member},
    ids::StaffId,
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/people", get(list))
        .route("/console/people/invite", post(invite))
        .route("/console/people/{id}/disable", post(remove_access))
        .route("/console/keys", post(create_key))
        .route("/console/keys/{id}/revoke", post(revoke_key))
}

/// The member and the API key after which the lists continue.
#[derive(Deserialize)]
struct Pages {
    #[serde(default)]
    members: String,
    #[serde(default)]
    keys: String,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct ApiKeys {
    api_keys: Vec<ApiKey>,
}

#[derive(Template)]
#[template(path = "console/team.html")]
struct TeamPage {
    page: Page,
    members: Vec<Member>,
    more_members: Option<String>,
    keys: Vec<ApiKey>,
    more_keys: Option<String>,
    scopes: [ApiScope; 6],
}

impl TeamPage {
    fn role(&self, member: &Member) -> &'static str {
        match member.role {
            StaffRole::Viewer => "Viewer",
            StaffRole::Approver => "Approver",
            StaffRole::Admin => "Admin",
        }
    }

    fn scopes(&self, key: &ApiKey) -> String {
        let names = key.scopes.iter().map(|scope| scope.name());
        names.collect::<Vec<_>>().join(", ")
    }
}

async fn list(visitor: Visitor, Query(pages): Query<Pages>) -> Result<Response, Failure> {
    const LIMIT: usize = 100;
    let after = query(&[("after", pages.members.trim())]);
    let Members { members } = visitor.get(&format!("/v1/staff/members?limit={LIMIT}&{after}")).await?;
    let before = query(&[("before", pages.keys.trim())]);
    let ApiKeys { api_keys: keys } = visitor
        .get(&format!("/v1/staff/api-keys?limit={LIMIT}&{before}"))
        .await?;
    let more_members = last_of_full(&members, LIMIT).map(|last| format!("/console/people?members={}", last.id));
    let more_keys = last_of_full(&keys, LIMIT).map(|last| format!("/console/people?keys={}", last.id));
    Ok(render(&TeamPage {
        page: visitor.page("Team and API keys").await?,
        members,
        more_members,
        keys,
        more_keys,
        scopes: ApiScope::ALL,
    }))
}

async fn invite(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let invitation = json!({ "email": form.text("email"), "role": form.text("role") });
    visitor.post("/v1/staff/invitations", invitation).await?;
    Ok(done("/console/people", "invited"))
}

async fn remove_access(visitor: Visitor, Path(id): Path<StaffId>) -> Result<Response, Failure> {
    visitor.delete(&format!("/v1/staff/members/{id}")).await?;
    Ok(done("/console/people", "access-removed"))
}

/// The API's answer about a new API key.
#[derive(Deserialize)]
struct MadeKey {
    token: String,
}

async fn create_key(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let new = json!({ "name": form.text("name"), "days": form.number("days"), "scopes": form.all("scope") });
    let made: MadeKey = visitor.create("/v1/staff/api-keys", new).await?;
    let label = "Copy the key now: it is shown only once";
    visitor
        .page_with_secret("Your new API key", label, made.token, "/console/people")
        .await
}

async fn revoke_key(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    visitor.delete(&format!("/v1/staff/api-keys/{id}")).await?;
    Ok(done("/console/people", "revoked"))
}
