//! Every error is problem details with a request id and without internals (V2, S5).

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::Connection;

use crate::support::TestApp;

#[tokio::test]
async fn every_kind_of_error_is_problem_details() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let url = |path: &str| format!("{}{path}", app.url);
    let chat = url("/v1/chat/send");
    let requests = [
        (app.http.get(url("/nowhere")), 404),
        (
            app.http.get(url("/v1/turns/not-an-id/events")).bearer_auth(&mia.token),
            404,
        ),
        (app.http.request(Method::PUT, &chat), 405),
        (app.http.post(&chat).json(&json!({})), 401),
        (app.http.post(&chat).bearer_auth(&mia.token).body("text"), 415),
        (
            app.http
                .post(&chat)
                .bearer_auth(&mia.token)
                .header("content-type", "text/plain")
                .body(r#"{"text":"hi"}"#),
            415,
        ),
        (
            app.http
                .post(&chat)
                .bearer_auth(&mia.token)
                .header("content-type", "application/json; charset=utf-16")
                .body("{}"),
            415,
        ),
        (
            app.http
                .post(&chat)
                .bearer_auth(&mia.token)
                .header("content-type", "application/json")
                .body("{"),
            400,
        ),
        (
            app.http
                .post(&chat)
                .bearer_auth(&mia.token)
                .json(&json!({ "text": "x".repeat(10_0000) })),
            413,
        ),
        (
            app.http
                .post(&chat)
                .bearer_auth(&mia.token)
                .header("idempotency-key", "")
                .json(&json!({ "text": "x" })),
            400,
        ),
        (
            app.http
                .post(&chat)
                .bearer_auth(&mia.token)
                .header("idempotency-key", "x".repeat(256))
                .json(&json!({ "text": "x" })),
            400,
        ),
    ];
    for (request, status) in requests {
        let response = request.send().await.expect("answers");
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let header_id = response.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
        let body: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!(
            (&body["status"], &body["request_id"]),
            (&json!(status), &json!(header_id))
        );
        assert!(
            body["type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("urn:countersign:problem:"))
        );
    }
}

#[tokio::test]
async fn a_strangers_request_id_is_not_taken_over() {
    let app = TestApp::offline().await;
    let response = app
        .http
        .get(format!("{}/health", app.url))
        .header("x-request-id", "forged\u{1b}")
        .send()
        .await;
    let response = match response {
        Ok(response) => response,
        Err(_) => app
            .http
            .get(format!("{}/health", app.url))
            .header("x-request-id", "forged")
            .send()
            .await
            .expect("answers"),
    };
    assert_eq!(response.status(), StatusCode::OK);
    assert_ne!(response.headers()["x-request-id"], "forged");
}

#[tokio::test]
async fn without_a_session_the_body_is_not_read() {
    let app = TestApp::offline().await;
    // The body is too large, not JSON or empty, and the answer is still about the missing session.
    for body in ["x".repeat(1_000_000), "{".into(), String::new()] {
        let response = app
            .http
            .post(format!("{}/v1/chat/send", app.url))
            .body(body)
            .send()
            .await
            .expect("answers");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_dead_database_is_a_503_without_details_and_recovers() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    assert_eq!(mia.read("/health").await.0, StatusCode::OK);
    // Every connection is cut, as by a restart of Postgres. Callers do not notice.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        app.count(cut).await;
        assert_eq!(mia.read("/v1/orders/1001").await.0, StatusCode::OK);
    }
    // The database accepts no more connections.
    let closed = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", app.database);
    let elsewhere = crate::support::database::postgres().await.admin("postgres");
    let mut superuser = sqlx::PgConnection::connect_with(&elsewhere).await.expect("connects");
    sqlx::raw_sql(sqlx::AssertSqlSafe(closed))
        .execute(&mut superuser)
        .await
        .expect("runs");
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(&app.database)
        .execute(&mut superuser)
        .await
        .expect("runs");
    // An answer of `/health` is cached for a second.
    assert_eq!(
        wait_for_health(&mia, StatusCode::SERVICE_UNAVAILABLE).await["detail"],
        "The database is away."
    );
    let (status, problem) = mia.read("/v1/orders/1001").await;
    assert!(status.is_server_error());
    assert!(!problem.to_string().contains(&app.database), "{problem}");
    let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", app.database);
    sqlx::raw_sql(sqlx::AssertSqlSafe(open))
        .execute(&mut superuser)
        .await
        .expect("runs");
    assert_eq!(mia.read("/v1/orders/1001").await.0, StatusCode::OK);
    wait_for_health(&mia, StatusCode::OK).await;
}

/// Waits until `/health` answers with this status.
async fn wait_for_health(shopper: &crate::support::TestShopper, expected: StatusCode) -> serde_json::Value {
    for _ in 0..100 {
        let (status, body) = shopper.read("/health").await;
        if status == expected {
            return body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the health did not become {expected}");
}
