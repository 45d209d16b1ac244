//! Metrics, readiness, traces and errors sent to Sentry (M1, M3, M4).

use std::time::Duration;

use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    Reply, TestApp, database,
    fault_proxy::{Fault, FaultProxy, Upstream},
    process::{Process, free_port},
    recording_server::{RecordingServer, attribute},
    shopper::answer,
};

async fn text(url: String) -> String {
    reqwest::get(url).await.expect("answers").text().await.expect("text")
}

/// The value of a metric, by its name and labels.
fn value(metrics: &str, line: &str) -> f64 {
    let found = metrics
        .lines()
        .find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{line} is not in\n{metrics}"))
}

#[tokio::test]
async fn metrics_count_what_happens_and_no_label_is_anybodys_text() {
    let port = free_port();
    let app =
        TestApp::start_with_settings(|settings| settings.internal_listen = Some(([127, 0, 0, 1], port).into())).await;
    let mia = app.shopper("mia").await;
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "#1001" })),
        Reply::call("label-of-a-stranger", json!({})),
        Reply::text("It is on its way."),
    ]);
    mia.ask("Where is #1001?").await;
    let wrong = json!({ "email": "mia@example.com", "password": "wrong-wrong-wrong" });
    assert_eq!(
        answer(app.with_store_key("/v1/sessions", wrong)).await.0,
        StatusCode::UNAUTHORIZED
    );
    app.http
        .get(format!("{}/v1/path-of-a-stranger", app.url))
        .send()
        .await
        .expect("answers");
    let strange = app
        .http
        .request("STRANGE".parse().expect("a method"), format!("{}/health", app.url));
    strange.send().await.expect("answers");
    mia.propose(
        &app,
        "request_refund",
        json!({ "order_number": "#1002", "amount": "1.00", "reason": "It broke." }),
    )
    .await;
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state = 'done'", 1)
        .await;

    let metrics = text(format!("http://127.0.0.1:{port}/metrics")).await;
    for (line, expected) in [
        (
            r#"countersign_http_requests_total{method="POST",route="/v1/chat/send",status="2xx"}"#,
            2.0,
        ),
        (
            r#"countersign_http_requests_total{method="GET",route="other",status="4xx"}"#,
            1.0,
        ),
        (
            r#"countersign_http_requests_total{method="other",route="/health",status="4xx"}"#,
            1.0,
        ),
        (r#"countersign_http_problems_total{code="wrong_credentials"}"#, 1.0),
        (
            r#"countersign_tool_calls_total{tool="get_order",outcome="answered"}"#,
            1.0,
        ),
        (r#"countersign_tool_calls_total{tool="unknown",outcome="refused"}"#, 1.0),
        (
            r#"countersign_model_requests_total{endpoint="first",outcome="answered"}"#,
            5.0,
        ),
        (
            r#"countersign_model_tokens_total{endpoint="first",direction="output"}"#,
            100.0,
        ),
        (r#"countersign_model_cost_micros_total{endpoint="first"}"#, 700.0),
        (r#"countersign_turns_total{source="model"}"#, 2.0),
        (r#"countersign_waiting{what="approvals",kind="staff"}"#, 1.0),
        (r#"countersign_waiting{what="outbox_dead",kind="mail"}"#, 0.0),
        (r#"countersign_deliveries_total{channel="mail",outcome="done"}"#, 1.0),
        (r#"countersign_breaker_open{dependency="model"}"#, 0.0),
        ("countersign_database_up", 1.0),
    ] {
        assert_eq!(value(&metrics, line), expected, "{line}");
    }
    assert!(
        value(
            &metrics,
            r#"countersign_budget_used_ratios{what="model",kind="store_day"}"#
        ) > 0.0
    );
    // Only labels are compared, because the digits of a value may equal an order's number.
    let labels: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(labels, _)| labels)
        .collect();
    let labels = labels.join("\n");
    for text in ["stranger", "STRANGE", "mia", "1001"] {
        assert!(!labels.contains(text), "{text} is in\n{labels}");
    }
    // Metrics are not served on the public listener.
    let outside = app
        .http
        .get(format!("{}/metrics", app.url))
        .send()
        .await
        .expect("answers");
    assert_eq!(outside.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn readiness_is_about_this_release_and_its_database() {
    let port = free_port();
    let app =
        TestApp::offline_with_settings(|settings| settings.internal_listen = Some(([127, 0, 0, 1], port).into())).await;
    app.shopper("mia").await;
    let ready = || async { answer(app.http.get(format!("http://127.0.0.1:{port}/ready"))).await };
    let (status, seen) = ready().await;
    assert_eq!(
        (status, &seen["ready"], &seen["open_circuits"]),
        (StatusCode::OK, &json!(true), &json!([]))
    );
    let older = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::raw_sql(older)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    let (status, seen) = ready().await;
    assert_eq!(
        (status, &seen["schema"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(false))
    );
    let viewer = app.staff("vic@shop.example", StaffRole::Viewer).await;
    assert_eq!(viewer.read("/v1/staff/status").await.1["schema"], json!(false));
}

#[tokio::test]
async fn a_request_is_one_tree_of_spans_from_the_edge_to_the_database_and_on_to_the_model() {
    let collector = RecordingServer::start().await;
    let app = TestApp::start().await;
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let environment = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str())];
    let mut process = Process::serve_with(&app, &environment).await;
    let mia = app.shopper("mia").await.at(&process.url);
    // An order number that no time or id contains by chance.
    let untold = "#NEVER-TOLD";
    app.model.script([
        Reply::call("get_order", json!({ "order_number": untold })),
        Reply::text("Done."),
    ]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let send = mia
        .post("/v1/chat/send")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .json(&json!({ "text": format!("Where is {untold}?") }));
    assert_eq!(answer(send).await.0, StatusCode::OK);
    process.stop().await;
    let spans: Vec<_> = collector
        .spans()
        .into_iter()
        .filter(|span| hex::encode(&span.trace_id) == trace)
        .collect();
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let request = spans
        .iter()
        .find(|span| attribute(span, "route").as_deref() == Some("/v1/chat/send"))
        .expect("a request");
    let (turn, tool) = (named("turn"), named("tool"));
    assert_eq!(hex::encode(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(turn.parent_span_id, request.span_id);
    assert_eq!(tool.parent_span_id, turn.span_id);
    let look_up = spans.iter().find(|span| {
        span.parent_span_id == tool.span_id && attribute(span, "role").as_deref() == Some("countersign_reader")
    });
    let look_up = look_up.expect("the look-up's transaction");
    assert_eq!(look_up.name, "transaction");
    // Spans name the statements, without their values.
    let statements: Vec<_> = spans
        .iter()
        .flat_map(|span| &span.events)
        .filter(|event| {
            event.name.contains("SELECT")
                || event
                    .attributes
                    .iter()
                    .any(|it| it.key.contains("statement") || it.key == "summary")
        })
        .collect();
    assert!(!statements.is_empty());
    let model = app.model.headers().iter().any(|headers| {
        headers
            .get("traceparent")
            .is_some_and(|it| it.to_str().is_ok_and(|it| it.contains(trace)))
    });
    assert!(model, "the model's provider can go on from the trace");
    assert!(!collector.text().contains("NEVER-TOLD"), "no order number in a trace");
}

#[tokio::test]
async fn without_a_collector_nothing_is_traced_and_a_strangers_trace_is_no_harm() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.respond(|_| Reply::text("Hi."));
    for header in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-zz",
        "",
        &"0".repeat(5000),
    ] {
        let send = mia
            .post("/v1/chat/send")
            .header("traceparent", header)
            .json(&json!({ "text": "Hi" }));
        assert_eq!(answer(send).await.0, StatusCode::OK, "{header}");
    }
}

#[tokio::test]
async fn an_error_reaches_sentry_with_release_environment_and_request_id() {
    let sentry = RecordingServer::start().await;
    let app = TestApp::start().await;
    let socket = database::postgres().await.socket_folder().join(".s.PGSQL.5432");
    let way = FaultProxy::to(Upstream::Unix(socket)).await;
    let database_url = format!("postgres://127.0.0.1:{}/{}", way.address.port(), app.database);
    let dsn = format!("http://canarykey@{}/7", sentry.address);
    let environment = [
        ("SENTRY_DSN", dsn.as_str()),
        ("SENTRY_ENVIRONMENT", "the-tests"),
        ("DATABASE_URL", &database_url),
        ("DATABASE_DEADLINE_MS", "500"),
    ];
    let process = Process::serve_with(&app, &environment).await;
    let mia = app.shopper("mia").await.at(&process.url);
    way.set(Fault::Cut);
    let (status, problem) = mia.read("/v1/orders/NEVER-TOLD").await;
    assert!(status.is_server_error());
    let envelopes = sentry.wait_for_text("the database failed").await;
    let id = problem["request_id"].as_str().expect("an id");
    assert!(envelopes.contains(&format!("\"request_id\":\"{id}\"")), "{envelopes}");
    assert!(envelopes.contains("\"environment\":\"the-tests\""), "{envelopes}");
    assert!(
        envelopes.contains(&format!("\"release\":\"countersign@{}\"", env!("CARGO_PKG_VERSION"))),
        "{envelopes}"
    );
    assert!(
        !envelopes.contains("NEVER-TOLD") && !envelopes.contains(&mia.token),
        "{envelopes}"
    );
    tokio::time::sleep(Duration::from_millis(10)).await;
}
