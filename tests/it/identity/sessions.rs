//! Logging in and out, and which tokens are valid afterwards (A1, A2, A3, A5, A9, A10).

use chrono::Duration;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, shopper::answer};

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_get_one_answer() {
    let app = TestApp::offline().await;
    let log_in = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        let request = app
            .http
            .post(format!("{}/v1/sessions", app.url))
            .header("x-store-key", app.store.key.as_str())
            .json(&body);
        let (status, mut problem) = answer(request).await;
        problem["request_id"] = Value::Null;
        (status, problem)
    };
    let wrong = log_in("mia@example.com", "not the password").await;
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong, log_in("nobody@example.com", PASSWORD).await);
}

#[tokio::test]
async fn an_unknown_store_key_is_401_before_the_body_is_read() {
    let app = TestApp::offline().await;
    for key in [
        "",
        "pk_nope",
        &format!("pk_{}", "A".repeat(43)),
        app.store.key.as_str().trim_end_matches(char::is_alphanumeric),
    ] {
        let request = app
            .http
            .post(format!("{}/v1/sessions", app.url))
            .header("x-store-key", key)
            .body("{garbage");
        assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED, "{key}");
    }
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_log_out_and_after_its_time() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let session = "/v1/sessions/current";
    assert_eq!(mia.read(session).await.0, StatusCode::OK);
    let log_out = app.http.delete(format!("{}{session}", app.url)).bearer_auth(&mia.token);
    assert_eq!(answer(log_out).await.0, StatusCode::NO_CONTENT);
    assert_eq!(mia.read(session).await.0, StatusCode::UNAUTHORIZED);

    let idle = app.shopper("mia").await;
    app.clock.advance(Duration::hours(23));
    assert_eq!(idle.read(session).await.0, StatusCode::OK, "use slides the idle expiry");
    app.clock.advance(Duration::hours(23));
    assert_eq!(idle.read(session).await.0, StatusCode::OK);
    app.clock.advance(Duration::hours(25));
    assert_eq!(idle.read(session).await.0, StatusCode::UNAUTHORIZED, "unused for a day");

    let busy = app.shopper("mia").await;
    for _ in 0..30 {
        app.clock.advance(Duration::hours(23));
        busy.read(session).await;
    }
    assert_eq!(busy.read(session).await.0, StatusCode::OK, "not yet thirty days");
    app.clock.advance(Duration::hours(23) + Duration::hours(9));
    assert_eq!(
        busy.read(session).await.0,
        StatusCode::UNAUTHORIZED,
        "thirty days is the end, however busy"
    );
}

#[tokio::test]
async fn no_bytes_are_a_credential_but_the_token() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let elsewhere = app.shopper_of_other_store("mia").await;
    // The tenant part of one token with the secret of another.
    let spliced = format!("{}{}", &elsewhere.token[..24], &mia.token[24..]);
    let long = "x".repeat(10_000);
    for token in [
        "",
        "x",
        &long,
        "\u{7f}",
        &mia.token[1..],
        &format!("{}A", mia.token),
        &mia.token.to_uppercase(),
        &spliced,
    ] {
        let Ok(header) = reqwest::header::HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()) else {
            continue;
        };
        let request = app
            .http
            .get(format!("{}/v1/orders", app.url))
            .header("authorization", header);
        assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED, "{token}");
    }
    let non_ascii = reqwest::header::HeaderValue::from_bytes(b"Bearer \xff\xfe").expect("a header");
    assert_eq!(
        answer(
            app.http
                .get(format!("{}/v1/orders", app.url))
                .header("authorization", non_ascii)
        )
        .await
        .0,
        StatusCode::UNAUTHORIZED
    );
    let twice = mia
        .get("/v1/orders")
        .header("authorization", format!("Bearer {}", elsewhere.token));
    assert_eq!(answer(twice).await.0, StatusCode::UNAUTHORIZED);
    let with_key = |key: &str| mia.get("/v1/orders").header("x-store-key", key);
    assert_eq!(answer(with_key(app.store.key.as_str())).await.0, StatusCode::OK);
    let other = app.other_store.key.as_str();
    assert_eq!(
        answer(with_key(other)).await.0,
        StatusCode::UNAUTHORIZED,
        "the store key of another tenant"
    );
}

#[tokio::test]
async fn a_cookie_works_on_this_site_and_on_no_other() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let cookie = format!("countersign={}", mia.token);
    let host = app.url.trim_start_matches("http://");
    let send = |origin: Option<&str>| {
        let request = app
            .http
            .post(format!("{}/v1/chat/send", app.url))
            .header("cookie", &cookie)
            .json(&json!({ "text": "hello" }));
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    };
    assert_eq!(
        answer(app.http.get(format!("{}/v1/orders", app.url)).header("cookie", &cookie))
            .await
            .0,
        StatusCode::OK
    );
    assert_eq!(answer(send(Some(&app.url))).await.0, StatusCode::OK);
    for origin in [
        None,
        Some("null"),
        Some("https://evil.test"),
        Some(&*format!("https://{host}.evil.test")),
    ] {
        assert_eq!(answer(send(origin)).await.0, StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert_eq!(
        app.count("SELECT count(*) FROM turns").await,
        1,
        "only the allowed one did anything"
    );
}

#[tokio::test]
async fn the_cookie_is_http_only_and_same_site() {
    let app = TestApp::offline().await;
    let body = json!({ "email": "mia@example.com", "password": PASSWORD });
    let response = app
        .http
        .post(format!("{}/v1/sessions", app.url))
        .header("x-store-key", app.store.key.as_str())
        .json(&body)
        .send()
        .await
        .expect("answers");
    let cookie = response.headers()["set-cookie"].to_str().expect("ASCII").to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}

#[tokio::test]
async fn a_turn_looks_nothing_up_once_its_session_has_ended() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.respond(|_| {
        let call = Reply::call("get_profile", json!({}));
        Reply::After(std::time::Duration::from_millis(700), Box::new(call))
    });
    let log_out = async {
        while app.model.requests().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let session = format!("{}/v1/sessions/current", app.url);
        answer(app.http.delete(session).bearer_auth(&mia.token)).await.0
    };
    let (answered, status) = tokio::join!(mia.ask("Where do I live?"), log_out);
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(answered["message"]["source"], "fallback", "{answered}");
    assert_eq!(app.model.requests().len(), 1, "the model is not asked again");
    assert_eq!(app.count("SELECT count(*) FROM tool_calls").await, 0);
}
