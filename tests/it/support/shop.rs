//! The command that connects a store with its shop, as a process; and what a shopper and staff decide, until the shop was told of it.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use chrono::Utc;
use countersign::identity::{StaffRole, shoppers};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    PASSWORD, TestApp, TestShopper,
    process::{SECRET_KEY, database_environment},
    shopper::answer,
};

/// An app that may call a fake shop.
pub async fn app() -> TestApp {
    TestApp::start_with_settings(|settings| settings.outbound.allow_loopback = true).await
}

/// Starts `countersign connect` for the first store. With a shop's address it is connected, without one the fetch goes on.
pub async fn connect(app: &TestApp, platform: &str, shop: Option<&str>, secrets: &[&str]) -> Child {
    let mut arguments = vec!["connect", platform, "--store", "one"];
    arguments.extend(shop.into_iter().flat_map(|shop| ["--shop", shop]));
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .envs(database_environment(app).await)
        .env("SECRET_KEY", SECRET_KEY)
        .env("PUBLIC_URL", &app.url)
        .env("COUNTERSIGN_ALLOW_LOOPBACK_WEBHOOKS", "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let secrets: String = secrets.iter().map(|secret| format!("{secret}\n")).collect();
    let _ = child.stdin.take().expect("a pipe").write_all(secrets.as_bytes());
    child
}

/// Waits until the command has ended.
pub async fn ended(child: Child) -> Output {
    tokio::task::spawn_blocking(|| child.wait_with_output().expect("ends"))
        .await
        .expect("waits")
}

/// Waits until the command has ended well, and returns what it said.
pub async fn succeeds(child: Child) -> String {
    let output = ended(child).await;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// Waits until the command has failed, and returns what it said.
pub async fn fails(child: Child) -> String {
    let output = ended(child).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{error}");
    error
}

/// Kills the command once a query that returns one number returns this one or more.
pub async fn kill_when(app: &TestApp, mut child: Child, query: &'static str, until: i64) {
    for _ in 0..6_000 {
        let begun = "SELECT count(*) FROM platform_syncs";
        if app.count(begun).await > 0 && app.count(query).await >= until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// Waits until the command has ended well. Returns what it said, and how much memory it took at most, in MiB.
pub async fn succeeds_within(child: Child) -> (String, u64) {
    let (pid, mut peak) = (child.id(), 0);
    let last = tokio::spawn(succeeds(child));
    while !last.is_finished() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) / 1024);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (last.await.expect("ends"), peak)
}

/// How many orders of the big fake shops there are: `CONNECT_ORDERS`.
pub fn order_count() -> u64 {
    std::env::var("CONNECT_ORDERS").map_or(600, |count| count.parse().expect("a number"))
}

/// How many records were fetched.
pub const FETCHED: &str = "SELECT coalesce(sum(fetched), 0)::bigint FROM platform_syncs";

/// The stored orders whose references are like this: whether each was cancelled, and its total in hundredths.
pub async fn orders_of(app: &TestApp, references: &str) -> BTreeMap<String, (bool, i64)> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT reference, status, coalesce((totals->>'total')::bigint, 0) FROM orders WHERE reference LIKE $1",
    )
    .bind(references)
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("orders");
    rows.into_iter()
        .map(|(reference, status, total)| (reference, (status == "cancelled", total)))
        .collect()
}

/// Signs a customer of the shop in.
pub async fn signed_in(app: &TestApp, id: &str, email: &str) -> TestShopper {
    shoppers::set_password(&app.pools.executor, &app.store.tenant, id, PASSWORD.into(), Utc::now())
        .await
        .expect("set");
    let session = json!({ "email": email, "password": PASSWORD });
    let (status, opened) = answer(app.with_store_key("/v1/sessions", session)).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    TestShopper::with_token(app, opened["token"].as_str().expect("a token"))
}

/// Has a change proposed, approved by staff and carried out here.
pub async fn approved(app: &TestApp, shopper: &TestShopper, tool: &str, arguments: Value) -> Value {
    let proposal = shopper.propose(app, tool, arguments).await;
    assert_eq!(proposal["state"], "pending", "{proposal}");
    let staff = app.staff("kim@store.example", StaffRole::Approver).await;
    let (status, body) = staff.approve(&proposal).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    shopper.wait_until_ended(&proposal).await
}

/// Waits until nothing waits to be sent to the shop. Returns why deliveries failed.
pub async fn failures(app: &TestApp) -> Vec<String> {
    for _ in 0..300 {
        app.make_jobs_due().await;
        let waiting = "SELECT count(*) FROM outbox WHERE channel = 'shop' AND state = 'queued'";
        if app.count(waiting).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sqlx::query_scalar(
        "SELECT coalesce(last_error, '') FROM outbox WHERE channel = 'shop' AND state <> 'done' ORDER BY id",
    )
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("deliveries")
}

/// Waits until everything was sent to the shop.
pub async fn sent(app: &TestApp) {
    assert_eq!(failures(app).await, [] as [String; 0]);
}

/// Waits until the newest message of the shopper's conversation contains a text.
pub async fn last_message(shopper: &TestShopper, text: &str) -> String {
    let mut last = String::new();
    for _ in 0..200 {
        let (_, conversations) = shopper.read("/v1/conversations").await;
        last = conversations["conversations"][0]["last_message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if last.contains(text) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    last
}
