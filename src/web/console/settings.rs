//! The page *Settings*: publishable keys, pages that may call, business hours, webhook endpoints.

use axum::{
    Router,
    extract::Path,
    http::Method,
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done,
    view::{Act, Cell, Field, Form as Fields, Section, Table, list, string, when, words},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/settings", get(settings))
        .route("/console/origins", post(allow_origin))
        .route("/console/origins/forbid", post(forbid_origin))
        .route("/console/endpoints", post(add_endpoint))
        .route("/console/endpoints/{id}/disable", post(disable_endpoint))
}

async fn settings(visitor: Visitor) -> Result<Response, Failure> {
    let origins: Value = visitor.get("/v1/staff/origins").await?;
    let endpoints: Value = visitor.get("/v1/staff/webhook-endpoints").await?;
    let origin = |origin: &Value| {
        let text = words(origin);
        let act = Act {
            to: "/console/origins/forbid".into(),
            label: "Take away",
            about: text.clone(),
            fields: vec![("origin", text.clone())],
            calls: ("DELETE", "/v1/staff/origins"),
        };
        vec![Cell::text(text), Cell::Acts(vec![act])]
    };
    let endpoint = |endpoint: &Value| {
        let (id, url) = (string(endpoint, "id"), string(endpoint, "url"));
        let act = Act {
            to: format!("/console/endpoints/{id}/disable"),
            label: "Switch off",
            about: url.clone(),
            fields: vec![],
            calls: ("DELETE", "/v1/staff/webhook-endpoints/{id}"),
        };
        let gone = !endpoint["disabled_at"].is_null();
        vec![
            Cell::text(url),
            Cell::text(when(&endpoint["created_at"])),
            if gone {
                Cell::tone("plain", "off")
            } else {
                Cell::Acts(vec![act])
            },
        ]
    };
    let mut sections = super::store_keys::sections(&visitor).await?;
    sections.extend([
        Section::Table(Table {
            caption: "Pages that may call from a browser",
            head: vec!["Origin", "Do"],
            rows: list(&origins, "origins").iter().map(origin).collect(),
            empty: "None: the widget works on no other site yet.",
        }),
        Section::Form(
            Fields::post(
                "Let a page in",
                "/console/origins",
                "Let in",
                vec![Field::new("origin", "Such as https://shop.example", "url")],
            )
            .calling("PUT", "/v1/staff/origins"),
        ),
        Section::Table(Table {
            caption: "Who is told what happened",
            head: vec!["URL", "Since", "Do"],
            rows: list(&endpoints, "endpoints").iter().map(endpoint).collect(),
            empty: "Nobody.",
        }),
        super::business_hours::section(&visitor).await?,
        Section::Form(
            Fields::post(
                "Tell somebody",
                "/console/endpoints",
                "Add",
                vec![Field::new("url", "Such as https://shop.example/hooks", "url")],
            )
            .calling("POST", "/v1/staff/webhook-endpoints"),
        ),
    ]);
    visitor.page("Settings", sections).await
}

async fn allow_origin(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    visitor
        .change(
            Method::PUT,
            "/v1/staff/origins",
            Some(json!({ "origin": form.text("origin") })),
        )
        .await?;
    Ok(done("/console/settings", "let-in"))
}

async fn forbid_origin(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    visitor
        .change(
            Method::DELETE,
            "/v1/staff/origins",
            Some(json!({ "origin": form.text("origin") })),
        )
        .await?;
    Ok(done("/console/settings", "taken-away"))
}

async fn add_endpoint(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let made = visitor
        .post("/v1/staff/webhook-endpoints", json!({ "url": form.text("url") }))
        .await?;
    let secret = ("What events are signed with, shown this once", string(&made, "secret"));
    visitor
        .page_with_secret("A new endpoint", secret, "/console/settings")
        .await
}

async fn disable_endpoint(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .change(Method::DELETE, &format!("/v1/staff/webhook-endpoints/{id}"), None)
        .await?;
    Ok(done("/console/settings", "switched-off"))
}
