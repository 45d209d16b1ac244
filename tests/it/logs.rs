//! What the logs must not say, whatever happens and however much is logged (S4).

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{Reply, TestApp, process::Process, shopper::answer};

#[tokio::test]
async fn canaries_through_every_door_are_in_no_line_of_the_log() {
    let app = TestApp::start().await;
    let process = Process::serve_with(&app, &[("RUST_LOG", "trace"), ("RUN_WORKER", "yes")]).await;
    let at = |path: &str, body: serde_json::Value| {
        let request = app.http.post(format!("{}{path}", process.url));
        request.header("x-store-key", app.store.key.as_str()).json(&body)
    };

    // Mail: an address, a password, and the code in the letter.
    let registration = json!({
        "email": "canary.one@example.com", "password": "canary-two on the pier",
        "first_name": "Canarythree", "last_name": "L",
    });
    answer(at("/v1/registrations", registration)).await;
    let code = app.mailbox.newest_to("canary.one@example.com", 1).await.code();
    let verification = json!({ "email": "canary.one@example.com", "code": code });
    let (_, opened) = answer(at("/v1/registrations/verify", verification)).await;
    let token = opened["token"].as_str().expect("a token").to_owned();

    // Credentials that are wrong, in each place where one can stand.
    let wrong = json!({ "email": "canary.four@example.com", "password": "canary-five on the pier" });
    answer(at("/v1/sessions", wrong)).await;
    answer(app.http.get(format!(
        "{}/v1/orders?token=canary-six&email=canary.seven%40example.com",
        process.url
    )))
    .await;
    let headers = app.http.get(format!("{}/v1/orders/canary-order-eight", process.url));
    answer(
        headers
            .bearer_auth("canary-nine")
            .header("cookie", "sid=canary-ten; theme=canary-eleven"),
    )
    .await;
    answer(at(
        "/v1/sessions",
        json!({ "canary-twelve": { "password": ["canary-thirteen"] } }),
    ))
    .await;

    // Chat: a message, a tool's arguments, what the model says, and how it fails.
    let mia = app.shopper("mia").await.at(&process.url);
    app.model.script([
        Reply::call("add_crm_note", json!({ "text": "canary-fourteen" })),
        Reply::call("change_order_address", json!({ "order_number": "canary-fifteen" })),
        Reply::call("canary_sixteen", json!({ "canary-seventeen": "4111 1111 1111 1111" })),
        Reply::text("canary-eighteen"),
    ]);
    mia.ask("canary-nineteen, my card is 4111 1111 1111 1111").await;
    app.model
        .script([Reply::Status(400, r#"{"error":{"message":"canary-twenty"}}"#.into())]);
    mia.ask("canary-nineteen").await;
    app.model.script([Reply::Raw("data: canary-twentyone\n\n".into())]);
    mia.ask("canary-nineteen").await;

    // A webhook that nobody signed.
    let webhook = app
        .http
        .post(format!("{}/v1/webhooks/{}/shopify", process.url, app.store.tenant.slug));
    answer(
        webhook
            .header("x-shopify-hmac-sha256", "canary-twentytwo")
            .body("canary-twentythree"),
    )
    .await;

    let log = process.log();
    let found: Vec<&str> = log
        .lines()
        .filter(|line| line.to_lowercase().contains("canary"))
        .take(5)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    for secret in [
        code.as_str(),
        &token,
        &mia.token,
        "4111 1111",
        "reader-of-the-tests",
        "sk-fake",
        "secret key of the tests",
    ] {
        assert!(
            !log.contains(secret),
            "{secret}: {:#?}",
            log.lines().find(|line| line.contains(secret))
        );
    }
    assert!(log.lines().count() > 100, "it logged little: {log}");
    for line in log.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "not JSON: {line}"
        );
    }
}

#[test]
fn redact_cleans_a_log_of_before() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("redact")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut input = b"GET /look?email=kim%40example.com 200\nAuthorization: Bearer abcdefgh\nnothing here\n".to_vec();
    input.extend(b"not UTF-8 \xff, 4111 1111 1111 1111, no line end");
    child.stdin.take().expect("a pipe").write_all(&input).expect("written");
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).expect("UTF-8"),
        "GET /look?email=[redacted] 200\nAuthorization: [redacted]\nnothing here\nnot UTF-8 \u{fffd}, [redacted card], no line end"
    );
}
