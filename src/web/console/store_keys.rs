//! The store's publishable keys, and the widget's tag that carries one.

use axum::{Router, extract::Path, http::Method, response::Response, routing::post};
use serde_json::Value;

use super::{
    Console, Failure, Visitor, done,
    view::{Act, Cell, Form as Fields, Section, Table, list, string, when},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/store-keys", post(add))
        .route("/console/store-keys/{id}/revoke", post(revoke))
}

/// The section of the settings page that lists publishable keys.
pub async fn sections(visitor: &Visitor) -> Result<Vec<Section>, Failure> {
    let found: Value = visitor.get("/v1/staff/store-keys").await?;
    let keys = list(&found, "store_keys");
    let newest = keys.iter().find(|key| key["revoked_at"].is_null());
    let newest = newest.map(|key| string(key, "key")).unwrap_or_default();
    let row = |key: &Value| {
        let text = string(key, "key");
        let act = Act {
            to: format!("/console/store-keys/{}/revoke", string(key, "id")),
            label: "Revoke",
            about: text.clone(),
            fields: vec![],
            calls: ("DELETE", "/v1/staff/store-keys/{id}"),
        };
        let state = if key["revoked_at"].is_null() {
            Cell::Acts(vec![act])
        } else {
            Cell::tone("plain", "revoked")
        };
        vec![Cell::text(text), Cell::text(when(&key["created_at"])), state]
    };
    Ok(vec![
        Section::Secret {
            label: "The widget, for your shop's page: put this server's address before /widget.js",
            value: format!("<script async src=\"/widget.js\" data-store-key=\"{newest}\"></script>"),
        },
        Section::Table(Table {
            caption: "Publishable keys: which store a page is of. They open nothing by themselves",
            head: vec!["Key", "Since", "Do"],
            rows: keys.iter().map(row).collect(),
            empty: "",
        }),
        Section::Form(Fields {
            help: "To change it: make one, put it into your page, revoke the old one.",
            ..Fields::post("Create a publishable key", "/console/store-keys", "Create key", vec![])
                .calling("POST", "/v1/staff/store-keys")
        }),
    ])
}

async fn add(visitor: Visitor) -> Result<Response, Failure> {
    visitor.post("/v1/staff/store-keys", Value::Null).await?;
    Ok(done("/console/settings", "made"))
}

async fn revoke(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .change(Method::DELETE, &format!("/v1/staff/store-keys/{id}"), None)
        .await?;
    Ok(done("/console/settings", "revoked"))
}
