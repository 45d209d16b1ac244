//! `cargo bench --bench stall`: sends routes their dearest legal input and prints how long each held up the runtime's thread.
//!
//! The server runs on one worker thread beside a task that wants to wake every millisecond. How late it wakes is how long every other
//! request of that thread would have waited. The caller is on another thread.

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use support::{PASSWORD, TestApp};

/// Times that each route is called.
const CALLS: usize = 6;

struct Route {
    name: &'static str,
    method: Method,
    path: &'static str,
    /// The store's key alone, or a shopper's session.
    session: bool,
    body: Value,
}

fn routes() -> Vec<Route> {
    // What an estimate of strength takes longest for: substitutions over and over, of other lengths.
    let leet: String = "p4$$w0rd1!l0v3y0u@dm1n".chars().cycle().take(256).collect();
    let text = "Where is my order #1001? "
        .repeat(160)
        .chars()
        .take(4000)
        .collect::<String>();
    let of = |name, method, path, session, body| Route {
        name,
        method,
        path,
        session,
        body,
    };
    vec![
        of(
            "register",
            Method::POST,
            "/v1/registrations",
            false,
            json!({ "email": "x@example.com", "password": leet, "first_name": "X", "last_name": "Y" }),
        ),
        of(
            "register, 64 characters",
            Method::POST,
            "/v1/registrations",
            false,
            json!({ "email": "y@example.com", "password": leet.chars().take(64).collect::<String>(), "first_name": "X", "last_name": "Y" }),
        ),
        of(
            "log in",
            Method::POST,
            "/v1/sessions",
            false,
            json!({ "email": "mia@example.com", "password": "z".repeat(256) }),
        ),
        of(
            "log in by code",
            Method::POST,
            "/v1/sessions/code",
            false,
            json!({ "email": "mia@example.com", "code": "00000000" }),
        ),
        of(
            "assertion",
            Method::POST,
            "/v1/sessions/assertion",
            false,
            json!({ "assertion": "e30.".repeat(1000) }),
        ),
        of(
            "complete a reset",
            Method::POST,
            "/v1/password-resets/complete",
            false,
            json!({ "token": "A".repeat(43), "password": leet }),
        ),
        of(
            "accept an invitation",
            Method::POST,
            "/v1/staff/invitations/accept",
            false,
            json!({ "token": "A".repeat(43), "password": leet }),
        ),
        of(
            "staff log in",
            Method::POST,
            "/v1/staff/sessions",
            false,
            json!({ "email": "kim@shop.example", "password": "z".repeat(256) }),
        ),
        of(
            "send a message",
            Method::POST,
            "/v1/chat/send",
            true,
            json!({ "text": text }),
        ),
        of("an order", Method::GET, "/v1/orders/1001", true, Value::Null),
        of("export", Method::GET, "/v1/export", true, Value::Null),
        of(
            "change the password",
            Method::PUT,
            "/v1/password",
            true,
            json!({ "current_password": PASSWORD, "password": leet }),
        ),
    ]
}

fn main() {
    let longest = Arc::new(AtomicU64::new(0));
    let (ready, started) = mpsc::channel();
    let noted = longest.clone();
    // The server and its database connections live on one thread.
    let server = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    std::thread::spawn(move || {
        server().block_on(async move {
            let app = TestApp::offline().await;
            let mia = app.shopper("mia").await;
            ready
                .send((app.url.clone(), app.store.key.as_str().to_owned(), mia.token.clone()))
                .expect("told");
            loop {
                let before = Instant::now();
                tokio::time::sleep(Duration::from_millis(1)).await;
                let late = before.elapsed().saturating_sub(Duration::from_millis(2));
                noted.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
                // The server lives as long as this task.
                let _ = &app;
            }
        })
    });
    let (url, key, token) = started.recv().expect("a server");
    let caller = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    caller.block_on(async {
        let http = reqwest::Client::new();
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("longest stall of the runtime's thread, {CALLS} calls at once");
        for route in routes() {
            longest.store(0, Ordering::Relaxed);
            let calls = (0..CALLS).map(|_| {
                let request = http
                    .request(route.method.clone(), format!("{url}{}", route.path))
                    .header("x-store-key", &key);
                let request = if route.session {
                    request.bearer_auth(&token)
                } else {
                    request
                };
                let request = if route.body.is_null() {
                    request
                } else {
                    request.json(&route.body)
                };
                async move {
                    request
                        .send()
                        .await
                        .map(|response| response.status().as_u16())
                        .unwrap_or(0)
                }
            });
            let statuses = futures::future::join_all(calls).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let stall = longest.load(Ordering::Relaxed) as f64 / 1000.0;
            println!("  {:<26} {stall:>9.1} ms   answered {statuses:?}", route.name);
        }
    });
    std::process::exit(0);
}
