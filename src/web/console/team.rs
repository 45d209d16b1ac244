//! Who may come in: staff, and machines by their keys.

use axum::{
    Router,
    extract::{Path, Query},
    http::Method,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done, query,
    view::{Act, Cell, Field, Form as Fields, Section, Table, list, string, when, words},
};

const SCOPES: [&str; 6] = [
    "proposals:read",
    "proposals:decide",
    "policies:read",
    "audit:read",
    "usage:read",
    "deliveries:read",
];

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/people", get(people))
        .route("/console/people/invite", post(invite))
        .route("/console/people/{id}/disable", post(disable))
        .route("/console/keys", post(add_key))
        .route("/console/keys/{id}/revoke", post(revoke_key))
}

/// Where the lists go on.
#[derive(Deserialize)]
struct Pages {
    #[serde(default)]
    members: String,
    #[serde(default)]
    keys: String,
}

/// A link to what follows a full page.
fn more(rows: &[Value], list: &str, label: &str) -> Option<(String, String)> {
    let last = rows.last().filter(|_| rows.len() == 100)?;
    Some((
        format!("/console/people?{}", query(&[(list, &string(last, "id"))])),
        label.to_owned(),
    ))
}

async fn people(visitor: Visitor, Query(pages): Query<Pages>) -> Result<Response, Failure> {
    let members: Value = visitor
        .get(&format!(
            "/v1/staff/members?{}",
            query(&[("after", pages.members.trim())])
        ))
        .await?;
    let keys: Value = visitor
        .get(&format!(
            "/v1/staff/api-keys?{}",
            query(&[("before", pages.keys.trim())])
        ))
        .await?;
    let links: Vec<_> = [
        more(list(&members, "members"), "members", "More staff"),
        more(list(&keys, "api_keys"), "keys", "More keys"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let act = |to: String, label, about: String, calls| {
        Cell::Acts(vec![Act {
            to,
            label,
            about,
            fields: vec![],
            calls,
        }])
    };
    let member = |member: &Value| {
        let (id, email, gone) = (
            string(member, "id"),
            string(member, "email"),
            !member["disabled_at"].is_null(),
        );
        let factor = member["second_factor"] == true;
        vec![
            Cell::text(&email),
            Cell::text(string(member, "role")),
            Cell::tone(
                if factor { "good" } else { "warn" },
                if factor { "set up" } else { "not yet" },
            ),
            Cell::text(when(&member["created_at"])),
            if gone {
                Cell::tone("plain", "no access")
            } else {
                act(
                    format!("/console/people/{id}/disable"),
                    "Remove access",
                    email,
                    ("DELETE", "/v1/staff/members/{id}"),
                )
            },
        ]
    };
    let key = |key: &Value| {
        let (id, name, gone) = (string(key, "id"), string(key, "name"), !key["revoked_at"].is_null());
        vec![
            Cell::text(&name),
            Cell::text(string(key, "prefix")),
            Cell::text(words(&key["scopes"])),
            Cell::text(when(&key["last_used_at"])),
            Cell::text(when(&key["expires_at"])),
            if gone {
                Cell::tone("plain", "revoked")
            } else {
                act(
                    format!("/console/keys/{id}/revoke"),
                    "Revoke",
                    name,
                    ("DELETE", "/v1/staff/api-keys/{id}"),
                )
            },
        ]
    };
    let roles = [
        ("viewer", "Viewer: sees"),
        ("approver", "Approver: decides"),
        ("admin", "Admin: makes the rules"),
    ];
    let scopes = SCOPES.map(|scope| Field {
        value: scope.into(),
        ..Field::new("scope", scope, "checkbox")
    });
    let mut fields = vec![
        Field::new("name", "What it is for", "text"),
        Field::new("days", "Expires after (days, 1 to 366)", "number").of(90),
    ];
    fields.extend(scopes);
    let sections = vec![
        Section::Table(Table {
            caption: "Staff",
            head: vec!["E-mail address", "Role", "Second factor", "Since", "Do"],
            rows: list(&members, "members").iter().map(member).collect(),
            empty: "No colleagues yet.",
        }),
        Section::Form(
            Fields::post(
                "Invite a colleague",
                "/console/people/invite",
                "Send invitation",
                vec![
                    Field::new("email", "E-mail address", "email"),
                    Field::select("role", "Role", &roles, "viewer"),
                ],
            )
            .calling("POST", "/v1/staff/invitations"),
        ),
        Section::Table(Table {
            caption: "API keys",
            head: vec!["Name", "Begins with", "Scopes", "Last used", "Expires", "Do"],
            rows: list(&keys, "api_keys").iter().map(key).collect(),
            empty: "None.",
        }),
        Section::Form(
            Fields::post("Create an API key", "/console/keys", "Create key", fields)
                .calling("POST", "/v1/staff/api-keys"),
        ),
    ];
    let sections = sections
        .into_iter()
        .chain((!links.is_empty()).then_some(Section::Links(links)));
    visitor.page("Team and API keys", sections.collect()).await
}

async fn invite(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    visitor
        .post(
            "/v1/staff/invitations",
            json!({ "email": form.text("email"), "role": form.text("role") }),
        )
        .await?;
    Ok(done("/console/people", "invited"))
}

async fn disable(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .change(Method::DELETE, &format!("/v1/staff/members/{id}"), None)
        .await?;
    Ok(done("/console/people", "shut-out"))
}

async fn add_key(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let new = json!({ "name": form.text("name"), "days": form.number("days"), "scopes": form.all("scope") });
    let made = visitor.post("/v1/staff/api-keys", new).await?;
    let key = ("Copy the key now: it is shown only once", string(&made, "token"));
    visitor
        .page_with_secret("Your new API key", key, "/console/people")
        .await
}

async fn revoke_key(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .change(Method::DELETE, &format!("/v1/staff/api-keys/{id}"), None)
        .await?;
    Ok(done("/console/people", "revoked"))
}
