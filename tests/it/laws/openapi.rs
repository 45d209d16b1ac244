//! The OpenAPI document lists every route of the service.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::TestApp;

/// Every route of the document, as `METHOD /path`.
pub fn routes(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .expect("operations")
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// The ids by which generated clients name the routes.
fn operation_ids(document: &Value) -> Vec<&str> {
    let paths = document["paths"].as_object().expect("paths").values();
    paths
        .flat_map(|item| item.as_object().expect("operations").values())
        .map(|operation| operation["operationId"].as_str().expect("an operation id"))
        .collect()
}

#[tokio::test]
async fn every_route_is_in_the_document_and_answers() {
    let app = TestApp::offline().await;
    let document = app.document().await;
    // `routes!` documents each handler that it adds. The sources use no other way to add one.
    let sources = walk("src/http");
    for banned in [".route(", ".nest(", ".nest_service(", ".route_service("] {
        assert!(!sources.contains(banned), "add routes with routes!(), not {banned}");
    }
    for route in routes(&document) {
        let (method, path) = route.split_once(' ').expect("a route");
        let path = path.replace("{id}", "0").replace("{number}", "0");
        let response = app
            .http
            .request(method.parse().expect("a method"), format!("{}{path}", app.url))
            .send()
            .await
            .expect("answers");
        assert!(
            ![StatusCode::METHOD_NOT_ALLOWED].contains(&response.status()),
            "{route}"
        );
        let expected = match path.as_str() {
            "/health" => StatusCode::OK,
            // The credential of a webhook is its signature; this store does not exist.
            path if path.starts_with("/v1/webhooks/") => StatusCode::NOT_FOUND,
            _ => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(response.status(), expected, "{route} without a credential");
    }
    let ids: Vec<&str> = operation_ids(&document);
    let is_camel_case =
        |id: &&&str| id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(|c| c.is_ascii_alphanumeric());
    assert_eq!(ids.iter().filter(is_camel_case).count(), routes(&document).len());
    assert_eq!(
        ids.iter().collect::<BTreeSet<_>>().len(),
        ids.len(),
        "operation ids are unique"
    );
    insta::assert_json_snapshot!("openapi", document);
}

#[tokio::test]
async fn there_is_a_page_to_read_it_on() {
    let app = TestApp::offline().await;
    let page = app
        .http
        .get(format!("{}/docs/", app.url))
        .send()
        .await
        .expect("answers");
    assert_eq!(page.status(), StatusCode::OK);
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .expect("ASCII")
            .contains("script-src 'self'")
    );
    assert!(page.text().await.expect("a page").contains("swagger-ui"));
}

fn walk(folder: &str) -> String {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        // These routes are served on the internal listener.
        .filter(|path| !path.ends_with("operations.rs"))
        .map(|path| {
            if path.is_dir() {
                walk(path.to_str().expect("UTF-8"))
            } else {
                std::fs::read_to_string(path).expect("a file")
            }
        })
        .collect()
}
