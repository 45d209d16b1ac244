//! The connector that docs/examples has for people to copy, and the pieces of code of docs/connector.md, do what they are said to.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use chrono::Utc;
use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::connect;
use crate::support::{
    STORE,
    fake_connector::{FakeConnector, signed},
    shop::{app, sent, succeeds},
};

/// The example over the demo store's records, until it is dropped.
struct Example {
    child: Child,
    url: String,
}

impl Example {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let records = folder.path().join("records.jsonl");
        std::fs::write(&records, STORE).expect("written");
        let mut child = Command::new("python3")
            .arg("docs/examples/connector.py")
            .arg(":memory:")
            .arg(&records)
            .env("SECRET", FakeConnector::SECRET)
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        // It has read the records when it says where it listens.
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .expect("an address")
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_example_is_a_whole_connector() {
    let app = app().await;
    let example = Example::start();
    let orders = STORE.lines().filter(|line| line.contains(r#""type":"order""#)).count();
    let out = succeeds(connect(&app, Some(&example.url)).await).await;
    assert!(out.contains(&format!("orders: {orders} fetched")), "{out}");
    let known = "SELECT count(*) FROM orders WHERE reference = number";
    assert_eq!(app.count(known).await, orders as i64, "each is known by its reference");

    let mia = app.shopper("mia").await;
    let cancel = json!({ "order_number": "#1003", "reason": "no_longer_needed" });
    let proposal = mia.propose(&app, "cancel_order", cancel).await;
    let staff = app.staff("kim@store.example", StaffRole::Approver).await;
    assert_eq!(staff.approve(&proposal).await.0, StatusCode::OK);
    assert_eq!(mia.wait_until_ended(&proposal).await["state"], "executed");
    sent(&app).await;
    // It tells of what it did, and nothing of that is unknown or refused here.
    let told = "SELECT count(*) FROM incoming_webhooks WHERE body->'data'->>'status' = 'cancelled' AND state = 'done'";
    for _ in 0..200 {
        if app.count(told).await > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(app.count(told).await > 0);
    let (_, order) = mia.read("/v1/orders/1003").await;
    assert_eq!(order["status"], "cancelled", "{order}");

    // A change is made once for its key, and only for who signs.
    let url = format!("{}/v1/changes", example.url);
    let coupon = json!({ "type": "changes", "key": "k", "operation": "teleport", "order": "#1001" }).to_string();
    for (secret, expected) in [
        (
            FakeConnector::SECRET,
            (StatusCode::OK, json!({ "refused": "unsupported" })),
        ),
        (
            "whsec_b3RoZXI=",
            (StatusCode::UNAUTHORIZED, json!({ "code": "wrong_signature" })),
        ),
    ] {
        let headers = signed(secret, "msg_1", Utc::now().timestamp(), &coupon);
        let request = app.http.post(&url).body(coupon.clone());
        let request = headers
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(crate::support::shopper::answer(request).await, expected);
    }
}

/// Runs a program over standard input, and returns what it prints.
fn run(program: &str, argument: &str, input: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args([argument, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("written");
    drop(pipe);
    let output = child.wait_with_output().expect("ends");
    Some(String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned())
}

#[test]
fn the_code_of_the_page_verifies_signatures() {
    let page = std::fs::read_to_string("docs/connector.md").expect("text");
    let code = |language: &str| {
        let block = page.split(&format!("```{language}\n")).nth(1).expect("a block");
        block.split("```").next().expect("its end").to_owned()
    };
    let (now, body) = (Utc::now().timestamp(), r#"{"type":"shop"}"#);
    let case = |secret: &str, time: i64, sent: &str| {
        let headers: serde_json::Map<String, Value> = signed(secret, "msg_1", time, body)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        json!([headers, sent])
    };
    let cases = json!([
        case(FakeConnector::SECRET, now, body),
        case(FakeConnector::SECRET, now, "{}"),
        case(FakeConnector::SECRET, now - 301, body),
        case("whsec_b3RoZXI=", now, body),
        [{}, body],
        [{ "webhook-id": "é", "webhook-timestamp": "é", "webhook-signature": "v1,é é" }, body],
    ])
    .to_string();
    let secret = FakeConnector::SECRET;
    let python = format!(
        "{}\nimport json\nprint([int(is_signed('{secret}', headers, body.encode())) for headers, body in json.loads(r'''{cases}''')])",
        code("python")
    );
    let node = format!(
        "{}\nconsole.log(JSON.stringify({cases}.map(([headers, body]) => +isSigned('{secret}', headers, Buffer.from(body)))))",
        code("js")
    );
    let right = "[1, 0, 0, 0, 0, 0]";
    assert_eq!(run("python3", "-B", &python).as_deref(), Some(right), "python3");
    // Node is not on every machine that runs the tests.
    if let Some(found) = run("node", "--no-warnings", &node) {
        assert_eq!(found.replace(',', ", "), right, "node");
    }
}
