//! `cargo bench --bench slow`: a store under load while each dependency in turn takes 30 s to answer. Prints p50, p95 and p99 of each
//! action, chat also without the model's own time, and the longest wait.
//!
//! `SLOW_SECONDS` (default 20) is the length of one round.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use countersign::{
    config::{ModelSettings, Settings},
    identity::StaffRole,
    integrations::credentials::Kind,
    mail::MailSettings,
    model::Deadlines,
};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use support::{
    FakeOpenAi, Mailbox, PASSWORD, Reply, TestApp, TestShopper, database,
    fake_stripe::FakeStripe,
    fault_proxy::{Fault, FaultProxy, Upstream},
    shopper::answer,
};

/// How long the model takes for one answer. A turn asks it twice.
const MODEL_LATENCY: Duration = Duration::from_millis(150);
const CLIENTS: usize = 8;

#[derive(Default)]
struct Times(Mutex<BTreeMap<&'static str, Vec<(Duration, bool)>>>);

impl Times {
    async fn of<T>(&self, action: &'static str, work: impl Future<Output = (reqwest::StatusCode, T)>) -> T {
        let began = Instant::now();
        let (status, value) = work.await;
        let well = !status.is_server_error();
        let mut times = self.0.lock().expect("no panic");
        times.entry(action).or_default().push((began.elapsed(), well));
        value
    }

    fn print(&self, slowed: &str) {
        println!("\n{slowed}");
        for (action, times) in self.0.lock().expect("no panic").iter() {
            let mut sorted: Vec<Duration> = times.iter().map(|(time, _)| *time).collect();
            sorted.sort();
            let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
            let failed = times.iter().filter(|(_, well)| !well).count();
            println!(
                "  {action:<26} {:>6} calls {:>5} × 5xx  p50 {:>7.1}  p95 {:>7.1}  p99 {:>7.1}  longest {:>8.1} ms",
                times.len(),
                failed,
                at(0.5),
                at(0.95),
                at(0.99),
                at(1.0)
            );
        }
    }
}

struct Proxies {
    model: FaultProxy,
    mail: FaultProxy,
    payment: FaultProxy,
    other: FaultProxy,
    database: FaultProxy,
}

#[tokio::main]
async fn main() {
    let seconds = std::env::var("SLOW_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20);
    let (model, relay) = (FakeOpenAi::start().await, Mailbox::start().await);
    let (stripe, other) = (FakeStripe::start().await, FakeStripe::start().await);
    let to = |url: String| {
        FaultProxy::to(Upstream::Tcp(
            url.rsplit("//")
                .next()
                .and_then(|rest| rest.split('/').next())
                .expect("an address")
                .to_owned(),
        ))
    };
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let socket = database::postgres().await.socket_folder().join(".s.PGSQL.5432");
    let proxies = Proxies {
        model: to(model.base_url()).await,
        mail: to(relay.url()).await,
        payment: to(stripe.url.clone()).await,
        other: to(other.url.clone()).await,
        database: FaultProxy::to(Upstream::Unix(socket)).await,
    };
    let deadlines = Deadlines {
        first_chunk: Duration::from_secs(10),
        total: Duration::from_secs(30),
    };
    let model_settings = match support::app::free(&model) {
        ModelSettings::Endpoint(mut settings) => {
            settings.base_url = format!("http://{}/v1", proxies.model.address);
            settings.deadlines = deadlines;
            ModelSettings::Endpoint(settings)
        }
        offline => offline,
    };
    model.respond(|request| {
        let last = request["messages"]
            .as_array()
            .and_then(|messages| messages.last())
            .cloned()
            .unwrap_or_default();
        let reply = match (last["role"].as_str(), last["content"].as_str().unwrap_or_default()) {
            (Some("user"), text) if text.contains("note") => Reply::call("add_crm_note", json!({ "text": text })),
            (Some("user"), text) if text.contains("refund") => Reply::call(
                "request_refund",
                json!({ "order_number": "#1002", "amount": "0.01", "reason": "It broke." }),
            ),
            (Some("user"), _) => Reply::call("get_order", json!({ "order_number": "#1001" })),
            _ => Reply::text("It is on its way."),
        };
        Reply::After(MODEL_LATENCY, Box::new(reply))
    });
    let change = |settings: &mut Settings| {
        settings.model = model_settings.clone();
        settings.outbound.allow_loopback = true;
        settings.outbound.dns = Some(silent.local_addr().expect("an address"));
        settings.outbound.stripe_url = format!("http://{}", proxies.payment.address);
        if let MailSettings::Smtp(smtp) = &mut settings.mail {
            smtp.url = format!("smtp://{}", proxies.mail.address).into();
        }
        let name = settings.database.address.get_database().expect("a name").to_owned();
        settings.database.address = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(proxies.database.address.port())
            .database(&name);
        settings.database.connections = 16;
        settings.database.deadline = Duration::from_secs(3);
    };
    println!(
        "{CLIENTS} clients, {seconds} s each, the model thinks {} ms twice a turn, first-token deadline 10 s, database deadline 3 s",
        MODEL_LATENCY.as_millis()
    );
    for slowed in [
        "nothing",
        "model",
        "mail",
        "payment",
        "CRM",
        "shop",
        "webhooks",
        "name servers",
        "database",
    ] {
        let app = TestApp::start_with_settings(change).await;
        prepare(&app, &proxies, slowed).await;
        let proxy = match slowed {
            "model" => Some(&proxies.model),
            "mail" => Some(&proxies.mail),
            "payment" => Some(&proxies.payment),
            "database" => Some(&proxies.database),
            // The name server never answers. In the round "name servers" the CRM is called by a name.
            "nothing" | "name servers" => None,
            _ => Some(&proxies.other),
        };
        let shoppers: Vec<TestShopper> = futures::future::join_all((0..CLIENTS).map(|_| app.shopper("mia"))).await;
        let kim = app.staff("kim@shop.example", StaffRole::Approver).await;
        if let Some(proxy) = proxy {
            proxy.set(Fault::Slow(Duration::from_secs(30)));
        }
        let (times, until) = (
            Arc::new(Times::default()),
            Instant::now() + Duration::from_secs(seconds),
        );
        let app = Arc::new(app);
        let working: Vec<_> = shoppers
            .into_iter()
            .enumerate()
            .map(|(client, shopper)| {
                tokio::spawn(work(app.clone(), shopper, kim.clone(), client, times.clone(), until))
            })
            .collect();
        for client in working {
            client.await.expect("works");
        }
        times.print(&format!("slow: {slowed}"));
        let waiting = "SELECT count(*) FROM outbox WHERE state = 'queued'";
        println!("  {} deliveries wait, or are being tried", app.count(waiting).await);
        if let Some(proxy) = proxy {
            proxy.set(Fault::None);
        }
    }
}

/// Configures the integrations that the round needs. Refunds go to the payment provider, or to the shop in the round "shop".
async fn prepare(app: &TestApp, proxies: &Proxies, slowed: &str) {
    let other = |path: &str| format!("http://{}{path}", proxies.other.address);
    match slowed {
        "shop" => {
            let secret = "shpat_of_the_bench_0123456789abcdef";
            app.give_secret(Kind::Shopify, Some(&other("/graphql")), secret).await;
            app.execute_sql("UPDATE orders SET reference = 'gid://shopify/Order/' || number")
                .await;
        }
        _ => {
            app.give_secret(Kind::Stripe, None, "sk_test_of_the_bench").await;
            app.execute_sql("UPDATE money_movements SET reference = 'pi_1002' WHERE direction = 'in'")
                .await;
        }
    }
    app.give_secret(
        Kind::Crm,
        Some(&other("/hook")),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    .await;
    match slowed {
        "name servers" => {
            app.execute_sql("UPDATE integrations SET url = 'http://hooks.example/hook' WHERE kind = 'crm'")
                .await;
        }
        "webhooks" => {
            let admin = app.staff("ann@shop.example", StaffRole::Admin).await;
            let added = admin
                .request("POST", "/v1/staff/webhook-endpoints")
                .json(&json!({ "url": other("/hook") }));
            assert!(answer(added).await.0.is_success(), "the endpoint is taken");
        }
        _ => {}
    }
}

async fn work(
    app: Arc<TestApp>,
    mia: TestShopper,
    kim: support::TestStaff,
    client: usize,
    times: Arc<Times>,
    until: Instant,
) {
    let mut round = client;
    while Instant::now() < until {
        round += 1;
        times
            .of("GET /health", answer(app.http.get(format!("{}/health", app.url))))
            .await;
        times.of("GET /v1/orders/{number}", mia.read("/v1/orders/1001")).await;
        times.of("GET /v1/orders", mia.read("/v1/orders")).await;
        if round.is_multiple_of(8) {
            let log_in = app.with_store_key(
                "/v1/sessions",
                json!({ "email": "mia@example.com", "password": PASSWORD }),
            );
            times.of("POST /v1/sessions (log-in)", answer(log_in)).await;
            let code = app.with_store_key("/v1/sessions/code-requests", json!({ "email": "noah@example.com" }));
            times.of("POST …/code-requests (mail)", answer(code)).await;
        }
        let text = match round % 6 {
            0 => format!("a note, number {round} of {client}"),
            1 => "a refund please".to_owned(),
            _ => "Where is my order #1001?".to_owned(),
        };
        let began = Instant::now();
        let send = mia.post("/v1/chat/send").json(&json!({ "text": text }));
        let told: Value = times.of("POST /v1/chat/send", answer(send)).await;
        match told["message"]["source"].as_str() {
            Some("model") => {
                let own = began.elapsed().saturating_sub(2 * MODEL_LATENCY);
                times
                    .0
                    .lock()
                    .expect("no panic")
                    .entry("  of it without the model")
                    .or_default()
                    .push((own, true));
            }
            Some(_) => times
                .0
                .lock()
                .expect("no panic")
                .entry("  of it by the rules")
                .or_default()
                .push((began.elapsed(), true)),
            None => {}
        }
        if told["proposals"][0]["state"] == "pending" {
            times.of("POST …/approve", kim.approve(&told["proposals"][0])).await;
        }
    }
}
