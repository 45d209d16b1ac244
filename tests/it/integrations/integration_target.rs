//! Runs the worked example of docs/integration-target.md against the demo and its control API.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{browser::Demo, process::free_port, shopper::answer};

#[test]
fn the_worked_example_passes() {
    let (api, control) = (free_port(), free_port());
    let mut demo = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args([
            "demo",
            "--listen",
            &format!("127.0.0.1:{api}"),
            "--control",
            &format!("127.0.0.1:{control}"),
        ])
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut printed = BufReader::new(demo.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    assert!(printed.any(|line| line.contains("1. Log in")), "it starts");
    let output = Command::new("python3")
        .arg("docs/examples/integration-target/test_store.py")
        .env("API_URL", format!("http://127.0.0.1:{api}"))
        .env("CONTROL_URL", format!("http://127.0.0.1:{control}"))
        .output()
        .expect("runs");
    let _ = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status();
    let _ = demo.wait();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Ran 5 tests"), "{said}");
}

#[tokio::test]
async fn after_a_reset_the_shop_page_vouches_for_its_visitors_again() {
    let demo = Demo::start().await;
    for _ in 0..2 {
        let vouched = demo
            .http
            .get(format!("{}/demo/assertion?as=mia", demo.url))
            .send()
            .await
            .expect("answers");
        let vouched: Value = vouched.json().await.expect("JSON");
        let enters = demo
            .http
            .post(format!("{}/v1/sessions/assertion", demo.url))
            .header("x-store-key", &demo.key);
        let entered = enters.json(&vouched).send().await.expect("answers");
        assert_eq!(entered.status(), StatusCode::CREATED);
        let reset = demo
            .http
            .post(format!("{}/reset", demo.control))
            .send()
            .await
            .expect("answers");
        assert!(reset.status().is_success());
    }
}

#[tokio::test]
async fn the_control_says_what_it_expects() {
    let demo = Demo::start().await;
    let url = |path: &str| format!("{}{path}", demo.control);
    for (request, status, expected) in [
        (
            demo.http.post(url("/model/replies")).json(&json!({ "orders": [] })),
            StatusCode::BAD_REQUEST,
            "{\"replies\":[{\"text\":",
        ),
        (
            demo.http.put(url("/clock")).body("tomorrow"),
            StatusCode::BAD_REQUEST,
            "{\"now\":\"2027-03-01T09:30:00Z\"}",
        ),
        (
            demo.http.get(url("/mails?address=mia@example.com")),
            StatusCode::BAD_REQUEST,
            "/mails?to=",
        ),
        (
            demo.http.post(url("/model/orders")),
            StatusCode::NOT_FOUND,
            "POST /model/replies",
        ),
        (demo.http.post(url("/clock")), StatusCode::NOT_FOUND, "PUT /clock"),
    ] {
        let (found, problem) = answer(request).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(found == status && detail.contains(expected), "{found}: {problem}");
        assert_eq!(problem["status"], status.as_u16(), "{problem}");
    }
    let (_, facts) = answer(demo.http.get(&demo.control)).await;
    for (person, role) in facts["staff"]
        .as_array()
        .expect("staff")
        .iter()
        .zip(["admin", "approver", "viewer"])
    {
        let credentials = json!({ "email": person["email"], "password": facts["password"] });
        let sign_in = demo.http.post(format!("{}/v1/staff/sessions", demo.url));
        let (status, _) = answer(sign_in.header("x-store-key", &demo.key).json(&credentials)).await;
        assert_eq!(
            (status, person["role"].as_str()),
            (StatusCode::CREATED, Some(role)),
            "{person}"
        );
    }
}
