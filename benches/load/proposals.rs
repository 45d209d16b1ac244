//! Measures proposals a second: proposed through chat, decided by staff, executed by the worker.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::data::{self, Session};

const CONCURRENCY: usize = 16;

/// Proposals a second. Executed ones are counted from the first decision.
pub struct Rates {
    pub proposed: f64,
    pub decided: f64,
    pub executed: f64,
}

pub async fn measure(admin: &PgConnectOptions, url: &str, sessions: &[Session]) -> Rates {
    let client = Arc::new(Client {
        http: reqwest::Client::new(),
        url: url.to_owned(),
    });
    let start = Instant::now();
    let proposals: Vec<(u32, Value)> = stream::iter(sessions.iter().cloned())
        .map(|session| {
            let client = client.clone();
            async move { (session.tenant, client.propose(&session).await) }
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let proposed = start.elapsed();
    let start = Instant::now();
    stream::iter(&proposals)
        .for_each_concurrent(CONCURRENCY, |(tenant, proposal)| {
            let client = client.clone();
            async move { client.approve(*tenant, proposal).await }
        })
        .await;
    let decided = start.elapsed();
    let mut db = PgConnection::connect_with(admin).await.expect("connects");
    let executed = loop {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM proposals WHERE state <> 'executed'")
            .fetch_one(&mut db)
            .await
            .expect("counts");
        if left == 0 {
            break start.elapsed();
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{left} proposals were not executed"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let rate = |took: Duration| proposals.len() as f64 / took.as_secs_f64();
    Rates {
        proposed: rate(proposed),
        decided: rate(decided),
        executed: rate(executed),
    }
}

struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    async fn propose(&self, session: &Session) -> Value {
        let body = json!({ "text": format!("refund #{}", session.order) });
        let answer = self.post("/v1/chat/send", &session.token, &body).await;
        assert!(answer["proposals"][0].is_object(), "{answer}");
        answer["proposals"][0].clone()
    }

    async fn approve(&self, tenant: u32, proposal: &Value) {
        let path = format!(
            "/v1/staff/proposals/{}/approve",
            proposal["id"].as_str().expect("an id")
        );
        let answer = self
            .post(
                &path,
                &data::staff_token(tenant).0,
                &json!({ "digest": proposal["digest"] }),
            )
            .await;
        assert_eq!(answer["state"], "approved", "{answer}");
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(token)
            .json(body);
        request.send().await.expect("answers").json().await.expect("JSON")
    }
}
