//! Logs contain no secrets and no personal data, at any log level (S4).

use std::{
    io::Write,
    process::{Command, Stdio},
};

use countersign::telemetry::{self, LogFormat, SentrySettings, TelemetrySettings};
use serde_json::json;

use crate::support::{
    Misbehaviour, Reply, TestApp,
    process::{Process, free_port},
    recording_server::RecordingServer,
    shopper::answer,
};

/// One line for each rule of the filter: a value, and a log line that contains it.
const CANARIES: &str = include_str!("../../../src/telemetry/canaries.tsv");

#[tokio::test]
async fn canaries_sent_to_every_input_appear_in_no_output() {
    let (sentry, collector) = (RecordingServer::start().await, RecordingServer::start().await);
    let app = TestApp::without_worker().await;
    let internal = format!("127.0.0.1:{}", free_port());
    let mut process = Process::serve_with(
        &app,
        &[
            ("RUST_LOG", "trace"),
            ("RUN_WORKER", "yes"),
            ("INTERNAL_LISTEN", &internal),
            ("SENTRY_DSN", &format!("http://key@{}/7", sentry.address)),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                &format!("http://{}/v1/traces", collector.address),
            ),
            ("COUNTERSIGN_ALLOW_LOOPBACK_WEBHOOKS", "yes"),
        ],
    )
    .await;
    let at = |path: &str, body: serde_json::Value| {
        let request = app.http.post(format!("{}{path}", process.url));
        request.header("x-store-key", app.store.key.as_str()).json(&body)
    };

    // Mail: an address, a password and a mailed code, and a mail that the relay refuses for good.
    let registration = json!({
        "email": "canary.one@example.com", "password": "canary-two on the pier",
        "first_name": "Canarythree", "last_name": "L",
    });
    let (_, pending) = answer(at("/v1/registrations", registration)).await;
    let code = app.mailbox.newest_to("canary.one@example.com", 1).await.code();
    let verification = json!({ "email": "canary.one@example.com", "code": code, "attempt": pending["attempt"] });
    let (_, opened) = answer(at("/v1/registrations/verify", verification)).await;
    let token = opened["token"].as_str().expect("a token").to_owned();
    app.mailbox.misbehave([Misbehaviour::Answers(
        "550 canary.refused@example.com is no canary-user",
    )]);
    answer(at("/v1/sessions/code-requests", json!({ "email": "mia@example.com" }))).await;

    // Wrong credentials, in each place where a credential can be.
    let wrong = json!({ "email": "canary.four@example.com", "password": "canary-five on the pier" });
    answer(at("/v1/sessions", wrong.clone())).await;
    answer(at("/v1/staff/sessions", wrong)).await;
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

    // Every route of the OpenAPI document, with a canary in each part of its path, its query, its headers and its body.
    let mia = app.shopper("mia").await.at(&process.url);
    let document = app.document().await;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let path: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "/canary-part" } else { part })
                .collect::<Vec<_>>()
                .join("/")
                .replace("//", "/");
            let url = format!("{}{path}?canary-query=canary-value", process.url);
            let request = app.http.request(method.to_uppercase().parse().expect("a method"), url);
            let request = request
                .header("x-store-key", app.store.key.as_str())
                .header("user-agent", "canary-agent");
            let request = request
                .header("idempotency-key", "canary-key")
                .header("last-event-id", "canary-id");
            let request = if method == "delete" {
                request
            } else {
                request.bearer_auth(&mia.token)
            };
            let response = request
                .json(&json!({ "canary-field": "canary-text", "email": "canary.body@example.com" }))
                .send();
            // Only the head is awaited, because the body of an event stream has no end.
            response.await.expect("answers");
        }
    }

    // Chat: a message, the arguments of every tool, the model's answers and its failures.
    app.model.script([Reply::text("Hi.")]);
    mia.ask("canary-nineteen, my card is 4111 1111 1111 1111").await;
    let tools: Vec<String> = app.model.requests()[0]["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| tool["function"]["name"].as_str().expect("a name").to_owned())
        .collect();
    assert!(tools.len() >= 18, "{tools:?}");
    for tool in &tools {
        let arguments = json!({ "order_number": "canary-number", "text": "canary-fourteen", "summary": "canary-summary", "reason": "canary-reason", "canary": "4111 1111 1111 1111" });
        app.model
            .script([Reply::call(tool, arguments), Reply::text("canary-eighteen")]);
        mia.ask("canary-nineteen").await;
    }
    app.model.script([
        Reply::call(
            "add_crm_note",
            json!({ "text": "canary-fourteen is at canary.note@example.com" }),
        ),
        Reply::call("hand_off", json!({ "summary": "canary-handed-off" })),
        Reply::call("canary_sixteen", json!({ "canary-seventeen": "canary" })),
        Reply::text("write to canary.foreign@example.com"),
    ]);
    mia.ask("canary-nineteen").await;
    app.model
        .script([Reply::Status(400, r#"{"error":{"message":"canary-twenty"}}"#.into())]);
    mia.ask("canary-nineteen").await;
    app.model.script([Reply::Raw("data: canary-twentyone\n\n".into())]);
    mia.ask("canary-nineteen").await;
    app.model.script([Reply::Cut("canary-cut".into())]);
    mia.ask("canary-nineteen").await;

    // Webhooks: an unsigned one to every source.
    for source in ["shopify", "stripe", "store", "mail"] {
        let webhook = app.http.post(format!(
            "{}/v1/webhooks/{}/{source}",
            process.url, app.store.tenant.slug
        ));
        answer(
            webhook
                .header("x-shopify-hmac-sha256", "canary-twentytwo")
                .header("stripe-signature", "t=1,v1=canary-twentytwo")
                .body("canary-twentythree"),
        )
        .await;
    }
    // The relay's refusal is reported to Sentry as an error.
    let told = sentry.wait_for_text("a delivery was given up").await;
    let metrics = app
        .http
        .get(format!("http://{internal}/metrics"))
        .send()
        .await
        .expect("answers");
    let metrics = metrics.text().await.expect("text");
    process.stop().await;

    let log = process.log();
    assert!(log.lines().count() > 100, "it logged little: {log}");
    let spans = collector.text();
    assert!(spans.contains("/v1/chat/send"), "it traced little");
    for (output, bytes) in [
        ("log", &log),
        ("Sentry", &told),
        ("traces", &spans),
        ("metrics", &metrics),
    ] {
        let found: Vec<&str> = bytes
            .lines()
            .filter(|line| line.to_lowercase().contains("canary"))
            .take(5)
            .collect();
        assert!(found.is_empty(), "{output}: {found:#?}");
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
                !bytes.contains(secret),
                "{output}: {secret}: {:#?}",
                bytes.lines().find(|line| line.contains(secret))
            );
        }
    }
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        if line["message"] == "answered" {
            assert!(line["status"].is_number() && line["ms"].is_number(), "{line}");
            assert!(
                line["span"]["request_id"].is_string() && line["span"]["route"].is_string(),
                "{line}"
            );
        }
    }
    assert!(log.contains(&app.store.tenant.id.to_string()), "the store is named");
}

const CHILD: &str = "COUNTERSIGN_TEST_CHILD";

/// Not a test itself: the next test starts it as a child process.
#[test]
fn child_that_says_everything_and_crashes() {
    let Ok(dsn) = std::env::var(CHILD) else { return };
    let settings = TelemetrySettings {
        log_format: LogFormat::Json,
        sentry: Some(SentrySettings {
            dsn: dsn.into(),
            environment: "child".into(),
        }),
        ..TelemetrySettings::default()
    };
    let telemetry = telemetry::start(&settings);
    for (_, line) in CANARIES.lines().filter_map(|line| line.split_once('\t')) {
        tracing::error!("{line}");
        tracing::error!(said = line, nested = ?Some(json!({ "error": { "detail": line } })), "it failed");
        let _ = std::thread::spawn(move || panic!("{line}")).join();
    }
    drop(telemetry);
}

#[tokio::test]
async fn what_a_crashing_process_says_holds_no_canary() {
    let sentry = RecordingServer::start().await;
    let here = module_path!().trim_start_matches("it::");
    let child = format!("{here}::child_that_says_everything_and_crashes");
    let child = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", &child, "--nocapture"])
        .env(CHILD, format!("http://key@{}/7", sentry.address))
        .env_remove("RUST_LOG")
        .output()
        .await
        .expect("runs");
    let log = String::from_utf8_lossy(&[child.stdout, child.stderr].concat()).into_owned();
    let told = sentry.text();
    let lines = CANARIES.lines().count();
    assert_eq!(log.matches("\"message\":\"panic\"").count(), lines, "{log}");
    assert!(
        told.matches("\"type\":\"event\"").count() >= 2 * lines,
        "{}",
        told.len()
    );
    assert!(
        told.contains("\"mechanism\"") && told.contains("stacktrace"),
        "panics come with where they were"
    );
    for (value, _) in CANARIES.lines().filter_map(|line| line.split_once('\t')) {
        for (output, bytes) in [("log", &log), ("Sentry", &told)] {
            assert!(
                !bytes.contains(value),
                "{output}: {value}: {:?}",
                bytes.lines().find(|line| line.contains(value))
            );
        }
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
