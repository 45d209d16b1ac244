//! `cargo bench --bench stall`: sends every route of the access table its most expensive legal input and prints how long it blocked the
//! runtime's thread. `cargo bench --bench stall -- chat` sends only calls with `chat` in their name.
//!
//! The server runs on one worker thread beside a task that wants to wake every millisecond. Its delay is how long every other request on
//! that thread would have waited. The caller runs on another thread, and each of its calls comes from another network, so that no throttle
//! refuses it.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

mod largest_body;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use countersign::{
    http::access::{ACCESS, Access},
    identity::StaffRole,
    integrations::credentials::Kind,
    keyring::hmac_sha256,
};
use reqwest::Method;
use serde_json::{Value, json};
use support::{PASSWORD, TestApp};

/// How many calls of each route are made at once.
const CONCURRENCY: usize = 6;
const SHOPIFY_SECRET: &str = "shopify secret of the bench";
/// A message of the longest legal length, made of this.
const MESSAGES: [(&str, &str); 5] = [
    ("send questions", "Where is my order #1001? "),
    ("send one word", "a"),
    ("send signs", "((([[[ .,;:- "),
    ("send digits", "4111 1111 1111 1111 "),
    // One sign that stands for eighteen.
    ("send ligatures", "\u{fdfa}"),
];

/// What the caller needs to know about the server.
struct Server {
    url: String,
    key: String,
    shopper: String,
    guest: String,
    admin: String,
    document: Value,
}

struct Call {
    name: String,
    method: Method,
    path: String,
    access: Access,
    body: Option<Value>,
    signature: Option<String>,
}

fn calls(server: &Server) -> Vec<Call> {
    // Leaves out streams that do not end and routes that end the caller's session.
    let routes = ACCESS.iter().filter(|(method, path, _)| {
        !path.ends_with("/events")
            && !path.ends_with("/sessions/current")
            && (*method, *path) != ("DELETE", "/v1/sessions")
    });
    let mut calls: Vec<Call> = routes
        .map(|(method, path, access)| Call {
            name: format!("{method} {path}"),
            method: method.parse().expect("a method"),
            path: path
                .replace("{id}", "00000000-0000-7000-8000-000000000000")
                .replace("{number}", "1001")
                .replace("{tool}", "cancel_order")
                .replace("{language}", "en")
                .replace("{slug}", "returns")
                .replace("{store}", &server.key)
                .replace("{source}", "shopify"),
            access: *access,
            body: largest_body::of(&server.document, method, path),
            signature: None,
        })
        .collect();
    for (name, pattern) in MESSAGES {
        let text: String = pattern.chars().cycle().take(4_000).collect();
        calls.push(Call {
            name: name.to_owned(),
            method: Method::POST,
            path: "/v1/chat/send".to_owned(),
            access: Access::Session,
            body: Some(json!({ "text": text })),
            signature: None,
        });
    }
    for call in &mut calls {
        if call.path.ends_with("/shopify") {
            // Just below the largest body of a webhook.
            let lines: Vec<Value> = (0..6_000)
                .map(|id| json!({ "id": id, "title": "Sweater, navy, medium", "quantity": 1, "price": "49.00", "sku": "SW-NAVY-M", "variant_id": id }))
                .collect();
            let body = json!({ "id": 1, "name": "#9001", "currency": "USD", "line_items": lines });
            let signed = hmac_sha256(SHOPIFY_SECRET.as_bytes(), body.to_string().as_bytes());
            (call.body, call.signature) = (Some(body), Some(BASE64_STANDARD.encode(signed)));
        }
        if call.path == "/v1/password"
            && let Some(body) = &mut call.body
        {
            // A wrong password would be found first.
            body["current_password"] = json!(PASSWORD);
        }
    }
    // This call ends the session.
    calls.sort_by_key(|call| call.path == "/v1/password");
    calls
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs the server and the measuring task on a thread of their own.
fn serve(longest: Arc<AtomicU64>, ready: mpsc::Sender<Server>) {
    runtime().block_on(async move {
        let app = TestApp::offline_with_settings(|settings| {
            settings.connections.proxies.networks = vec!["127.0.0.0/8".parse().expect("a network")];
            // The worker runs in another process.
            settings.run_worker = false;
        })
        .await;
        app.give_secret(Kind::ShopifyWebhook, None, SHOPIFY_SECRET).await;
        let server = Server {
            url: app.url.clone(),
            key: app.store.key.as_str().to_owned(),
            shopper: app.shopper("mia").await.token,
            guest: app.guest().await.token,
            admin: app.staff("kim@shop.example", StaffRole::Admin).await.token,
            document: app.document().await,
        };
        ready.send(server).expect("told");
        loop {
            let before = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            // The timer itself may be a millisecond late.
            let late = before.elapsed().saturating_sub(Duration::from_millis(2));
            longest.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            // The server lives as long as this task.
            let _ = &app;
        }
    });
}

/// Builds the call's request with a client address from a network that has not called before.
fn request(http: &reqwest::Client, server: &Server, call: &Call) -> reqwest::RequestBuilder {
    static CALLERS: AtomicU32 = AtomicU32::new(0x0a00_0001);
    let address = Ipv4Addr::from(CALLERS.fetch_add(1, Ordering::Relaxed));
    let mut request = http
        .request(call.method.clone(), format!("{}{}", server.url, call.path))
        .header("x-forwarded-for", address.to_string());
    request = match call.access {
        Access::Public => request,
        Access::Store => request.header("x-store-key", &server.key),
        Access::Guest => request.bearer_auth(&server.guest),
        Access::Session | Access::Account => request.bearer_auth(&server.shopper),
        Access::StaffSession | Access::Staff(..) | Access::FreshAdmin => request.bearer_auth(&server.admin),
    };
    if let Some(signature) = &call.signature {
        request = request
            .header("x-shopify-hmac-sha256", signature)
            .header("x-shopify-topic", "orders/create");
    }
    match &call.body {
        Some(body) => request.json(body),
        None => request,
    }
}

/// The longest that the server's thread was held up by so many calls at once, in milliseconds, and what they were answered.
async fn stall(
    http: &reqwest::Client,
    server: &Server,
    call: &Call,
    longest: &AtomicU64,
    at_once: usize,
) -> (f64, Vec<u16>) {
    longest.store(0, Ordering::Relaxed);
    let sent = (0..at_once).map(|_| async move {
        let answer = request(http, server, call).send().await;
        answer.map_or(0, |response| response.status().as_u16())
    });
    let mut statuses = futures::future::join_all(sent).await;
    statuses.sort_unstable();
    statuses.dedup();
    tokio::time::sleep(Duration::from_millis(50)).await;
    (longest.load(Ordering::Relaxed) as f64 / 1000.0, statuses)
}

fn main() {
    let only = std::env::args().nth(1).filter(|name| !name.starts_with("--"));
    let longest = Arc::new(AtomicU64::new(0));
    let (ready, started) = mpsc::channel();
    let noted = longest.clone();
    std::thread::spawn(move || serve(noted, ready));
    let server = started.recv().expect("a server");
    runtime().block_on(async {
        let http = reqwest::Client::new();
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("longest stall of the runtime's thread in ms: one call, {CONCURRENCY} calls at once, and what they were answered");
        let mut stalls = Vec::new();
        for call in calls(&server) {
            if only.as_ref().is_some_and(|only| !call.name.contains(only.as_str())) {
                continue;
            }
            // The first call may open a connection and prepare a statement.
            stall(&http, &server, &call, &longest, 1).await;
            let (one, mut statuses) = stall(&http, &server, &call, &longest, 1).await;
            let (many, more) = stall(&http, &server, &call, &longest, CONCURRENCY).await;
            statuses.extend(more);
            statuses.dedup();
            stalls.push((many, one, call.name, statuses));
        }
        stalls.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (many, one, name, statuses) in stalls {
            println!("  {name:<60} {one:>8.1} {many:>8.1}   {statuses:?}");
        }
    });
    std::process::exit(0);
}
