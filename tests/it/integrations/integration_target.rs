//! Runs the worked example of docs/integration-target.md against the demo and its control API.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{browser::Demo, process::free_port};

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
