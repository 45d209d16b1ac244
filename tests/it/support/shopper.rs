//! A shopper who is logged in, sends messages and reads answers over HTTP.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, Reply, TestApp, app::TestStore};

#[derive(Clone)]
pub struct TestShopper {
    pub url: String,
    pub token: String,
    http: reqwest::Client,
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct SentEvent {
    pub id: u32,
    pub name: String,
    pub data: Value,
}

impl TestShopper {
    pub async fn log_in(app: &TestApp, store: &TestStore, id: &str) -> Self {
        let response = app
            .http
            .post(format!("{}/v1/sessions", app.url))
            .header("x-store-key", store.key.as_str())
            .json(&json!({ "email": format!("{id}@example.com"), "password": PASSWORD }))
            .send()
            .await
            .expect("answers");
        assert_eq!(response.status(), StatusCode::CREATED);
        let body: Value = response.json().await.expect("JSON");
        Self::with_token(app, body["token"].as_str().expect("a token"))
    }

    pub fn with_token(app: &TestApp, token: &str) -> Self {
        Self {
            url: app.url.clone(),
            token: token.to_owned(),
            http: app.http.clone(),
        }
    }

    /// The same browser, with another credential.
    pub fn with(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same shopper, talking to another replica.
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Sends a GET request and returns its status and JSON.
    pub async fn read(&self, path: &str) -> (StatusCode, Value) {
        answer(self.get(path)).await
    }

    /// Sends a message with an `Accept-Language` header and returns the whole answer.
    pub async fn ask_in(&self, language: &str, body: Value) -> Value {
        let sent = self.post("/v1/chat/send").header("accept-language", language);
        let (status, body) = answer(sent.json(&body)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Sends a message, checks that the status is 200 and returns the answer.
    pub async fn ask(&self, text: &str) -> Value {
        let (status, body) = answer(self.post("/v1/chat/send").json(&json!({ "text": text }))).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Sends a message and returns the text of the answer.
    pub async fn ask_text(&self, text: &str) -> String {
        self.ask(text).await["message"]["text"]
            .as_str()
            .expect("a text")
            .to_owned()
    }

    /// Sends a message to which the model responds with one call of a write tool, and returns the proposal that it became.
    pub async fn propose(&self, app: &TestApp, tool: &str, arguments: Value) -> Value {
        app.model
            .script([Reply::call(tool, arguments), Reply::text("I have asked for it.")]);
        let answer = self.ask("please").await;
        assert!(
            answer["proposals"][0].is_object(),
            "{tool}: {answer} {:?}",
            app.model.requests().last()
        );
        let proposal = answer["proposals"][0].clone();
        let (english, german) = (&proposal["plan"]["summary"], &proposal["plan"]["translations"]["de"]);
        assert!(german.is_string() && german != english, "{tool}: {german}");
        proposal
    }

    /// Sends a message to which the model responds with one call of a tool, and returns what the model is told of its result.
    pub async fn tool_result(&self, app: &TestApp, tool: &str, arguments: Value) -> String {
        app.model.script([Reply::call(tool, arguments), Reply::EchoToolResult]);
        self.ask_text("please").await
    }

    /// Waits until a proposal is no longer pending, approved or executing, and returns it.
    pub async fn wait_until_ended(&self, proposal: &Value) -> Value {
        let path = format!("/v1/proposals/{}", proposal["id"].as_str().expect("an id"));
        for _ in 0..1500 {
            let (status, now) = self.read(&path).await;
            assert_eq!(status, StatusCode::OK);
            if !matches!(now["state"].as_str(), Some("pending" | "approved" | "executing")) {
                return now;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the proposal did not end");
    }

    /// Confirms a proposal that waits for the shopper's decision.
    pub async fn confirm(&self, proposal: &Value) -> (StatusCode, Value) {
        let path = format!("/v1/proposals/{}/confirm", proposal["id"].as_str().expect("an id"));
        answer(self.post(&path).json(&json!({ "digest": proposal["digest"] }))).await
    }

    /// Sends a message and reads the whole stream of its turn.
    pub async fn stream(&self, body: Value) -> Vec<SentEvent> {
        events(self.post("/v1/chat/send").json(&body)).await
    }
}

/// Sends a request and returns its status and JSON. An empty body becomes null.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("answers");
    let status = response.status();
    let body = response.bytes().await.expect("a body");
    (
        status,
        if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).expect("JSON")
        },
    )
}

/// Sends a request for an event stream and returns all its events.
pub async fn events(request: RequestBuilder) -> Vec<SentEvent> {
    let response = request
        .header("accept", "text/event-stream")
        .send()
        .await
        .expect("answers");
    assert_eq!(response.status(), StatusCode::OK);
    parse_events(&response.text().await.expect("a stream"))
}

pub fn parse_events(text: &str) -> Vec<SentEvent> {
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| {
            line.strip_prefix(name)
                .map(|rest| rest.trim_start_matches(": ").to_owned())
        })
    };
    text.split("\n\n")
        .filter(|block| block.contains("data:"))
        .map(|block| SentEvent {
            id: field(block, "id").and_then(|id| id.parse().ok()).expect("an id"),
            name: field(block, "event").expect("a name"),
            data: serde_json::from_str(&field(block, "data").expect("data")).expect("JSON"),
        })
        .collect()
}
