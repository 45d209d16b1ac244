//! A member of the store's staff who is logged in and decides on proposals.

use countersign::identity::{StaffRole, staff};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, TestApp, app::TestStore, shopper::answer};

#[derive(Clone)]
pub struct TestStaff {
    pub url: String,
    pub token: String,
    http: reqwest::Client,
}

impl TestStaff {
    /// Adds a member of the staff and logs it in over HTTP.
    pub async fn log_in(app: &TestApp, store: &TestStore, email: &str, role: StaffRole) -> Self {
        staff::add(&app.pools.executor, &store.tenant, email, role, PASSWORD.into())
            .await
            .expect("added");
        let body = json!({ "email": email, "password": PASSWORD });
        let request = app
            .http
            .post(format!("{}/v1/staff/sessions", app.url))
            .header("x-store-key", store.key.as_str())
            .json(&body);
        let (status, opened) = answer(request).await;
        assert_eq!(status, StatusCode::CREATED, "{opened}");
        Self {
            url: app.url.clone(),
            token: opened["token"].as_str().expect("a token").to_owned(),
            http: app.http.clone(),
        }
    }

    /// The same client with another credential.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same person, with requests going to another replica.
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http
            .request(method.parse().expect("a method"), format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    pub async fn read(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request("GET", path)).await
    }

    pub async fn approve(&self, proposal: &Value) -> (StatusCode, Value) {
        let path = format!(
            "/v1/staff/proposals/{}/approve",
            proposal["id"].as_str().expect("an id")
        );
        answer(
            self.request("POST", &path)
                .json(&json!({ "digest": proposal["digest"] })),
        )
        .await
    }

    pub async fn reject(&self, proposal: &Value, reason: &str) -> (StatusCode, Value) {
        let path = format!("/v1/staff/proposals/{}/reject", proposal["id"].as_str().expect("an id"));
        answer(self.request("POST", &path).json(&json!({ "reason": reason }))).await
    }

    pub async fn set_policy(&self, tool: &str, policy: Value) {
        let (status, body) = answer(self.request("PUT", &format!("/v1/staff/policies/{tool}")).json(&policy)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
}
