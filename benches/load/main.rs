//! `cargo bench`: measures order look-ups and chat messages, compared to Postgres alone in the same run.
//!
//! Starts a private Postgres (fsync on) with 1,000,000 orders of 100 tenants, `countersign serve` as a process of its
//! own, and a model that answers at once. Loads come from pgbench and wrk (Debian: postgresql-contrib, wrk).
//! `LOAD_SECONDS` (default 8) is the length of one measurement, `LOAD_ORDERS` (default 1000000) the amount of data.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

mod data;
mod model;
mod proposals;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use countersign::{
    cli::{migrate, private_postgres::PrivatePostgres},
    tenancy::{DatabaseSettings, Pooler},
};

const CONNECTIONS: [u32; 3] = [1, 16, 64];

#[tokio::main]
async fn main() {
    let seconds: u32 = from_environment("LOAD_SECONDS", 8);
    let orders: u32 = from_environment("LOAD_ORDERS", 1_000_000);
    let postgres = PrivatePostgres::start(true).await.expect("a private Postgres");
    let settings = DatabaseSettings {
        address: postgres.address("postgres"),
        reader_password: "reader-of-the-bench".into(),
        web_password: "web-of-the-bench".into(),
        executor_password: "executor-of-the-bench".into(),
        connections: 16,
        deadline: Duration::from_secs(5),
        pooler: Pooler::None,
    };
    migrate(&postgres.admin("postgres"), &settings).await.expect("migrates");
    eprintln!("loading {orders} orders…");
    let folder = tempfile::tempdir().expect("a folder");
    let sessions = data::load(&postgres.admin("postgres"), orders, folder.path()).await;
    let model = model::start().await;
    let server = Server::start(&postgres, &model).await;
    println!(
        "{orders} orders of 100 tenants, {seconds} s each, {} cores shared by load, server, model and Postgres",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!("server memory, idle: {} MiB", server.resident_mib());
    println!(
        "{:<46} {:>5} {:>10} {:>9} {:>9} {:>9}",
        "", "conns", "per s", "p50 ms", "p95 ms", "p99 ms"
    );
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load");
    for (label, script, protocol) in [
        ("pgbench look-up, a statement a round trip", "lookup.sql", "prepared"),
        ("pgbench look-up, scope and query in one", "lookup_joined.sql", "simple"),
    ] {
        for connections in CONNECTIONS.into_iter().filter(|_| wanted(label)) {
            print(
                label,
                connections,
                &pgbench(
                    postgres.socket_folder(),
                    &scripts.join(script),
                    protocol,
                    connections,
                    seconds,
                    orders,
                ),
            );
        }
    }
    for (label, script) in [
        ("GET /v1/orders/{number}", "order.lua"),
        ("POST /v1/chat/send, one tool call", "chat.lua"),
    ] {
        for connections in CONNECTIONS.into_iter().filter(|_| wanted(label)) {
            print(
                label,
                connections,
                &wrk(&server.url, &scripts.join(script), folder.path(), connections, seconds),
            );
        }
    }
    if wanted("proposals") {
        let inserts = pgbench(
            postgres.socket_folder(),
            &scripts.join("insert.sql"),
            "prepared",
            16,
            seconds,
            orders,
        );
        let rates = proposals::measure(&postgres.admin("postgres"), &server.url, &sessions).await;
        println!(
            "proposals a second, 16 at once: {:.0} proposed, {:.0} decided, {:.0} executed; pgbench inserts: {:.0}",
            rates.proposed, rates.decided, rates.executed, inserts.per_second
        );
    }
    println!("server memory, after the load: {} MiB", server.resident_mib());
}

/// Requests a second, and milliseconds within which 50, 95 and 99 % were answered.
struct Measured {
    per_second: f64,
    millis: [f64; 3],
}

fn print(label: &str, connections: u32, measured: &Measured) {
    let [p50, p95, p99] = measured.millis;
    println!(
        "{label:<46} {connections:>5} {:>10.0} {p50:>9.2} {p95:>9.2} {p99:>9.2}",
        measured.per_second
    );
}

/// Whether a measurement is run: `LOAD_ONLY` selects those whose label contains it.
fn wanted(label: &str) -> bool {
    std::env::var("LOAD_ONLY").map_or(true, |only| label.contains(&only))
}

fn from_environment(name: &str, default: u32) -> u32 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

fn pgbench(socket: &Path, script: &Path, protocol: &str, connections: u32, seconds: u32, orders: u32) -> Measured {
    let logs = tempfile::tempdir().expect("a folder");
    let output = Command::new("pgbench")
        .args(["-h"])
        .arg(socket)
        .args([
            "-U",
            "countersign_web",
            "-n",
            "-M",
            protocol,
            "-T",
            &seconds.to_string(),
            "-c",
            &connections.to_string(),
        ])
        .args([
            "-j",
            &connections.min(2).to_string(),
            "-D",
            &format!("each={}", orders / data::TENANTS),
        ])
        .args(["-l", "--log-prefix"])
        .arg(logs.path().join("log"))
        .arg("-f")
        .arg(script)
        .arg("postgres")
        .output()
        .expect("pgbench (Debian: postgresql-contrib) runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let per_second = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .expect("a rate");
    let logs = fs::read_dir(logs.path())
        .expect("logs")
        .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a log"));
    let mut micros: Vec<f64> = logs
        .collect::<String>()
        .lines()
        .filter_map(|line| line.split(' ').nth(2)?.parse().ok())
        .collect();
    micros.sort_by(f64::total_cmp);
    let percentile = |share: f64| {
        micros
            .get((micros.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
            / 1000.0
    };
    Measured {
        per_second,
        millis: [percentile(0.5), percentile(0.95), percentile(0.99)],
    }
}

fn wrk(url: &str, script: &Path, folder: &Path, connections: u32, seconds: u32) -> Measured {
    let run = |seconds: u32| {
        Command::new("wrk")
            .args([
                "-t",
                &connections.min(2).to_string(),
                "-c",
                &connections.to_string(),
                "-d",
                &format!("{seconds}s"),
                "--timeout",
                "10s",
                "-s",
            ])
            .arg(script)
            .arg(url)
            .arg("--")
            .arg(folder)
            .output()
            .expect("wrk (Debian: wrk) runs")
    };
    run(1);
    let output = run(seconds);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("measured "))
        .unwrap_or_else(|| panic!("no figures: {text}"));
    let figures: Vec<f64> = line.split(' ').filter_map(|figure| figure.parse().ok()).collect();
    let [per_second, p50, p95, p99, failed] = figures[..] else {
        panic!("{line}")
    };
    assert!(failed == 0.0, "{failed} requests failed: {text}");
    Measured {
        per_second,
        millis: [p50, p95, p99],
    }
}

/// `countersign serve`, built as for production.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    async fn start(postgres: &PrivatePostgres, model: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a free port")
            .local_addr()
            .expect("an address")
            .port();
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("serve")
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .env(
                "DATABASE_URL",
                format!(
                    "postgres://localhost/postgres?host={}",
                    postgres.socket_folder().display()
                ),
            )
            .env("DATABASE_READER_PASSWORD", "reader-of-the-bench")
            .env("DATABASE_WEB_PASSWORD", "web-of-the-bench")
            .env("DATABASE_EXECUTOR_PASSWORD", "executor-of-the-bench")
            .env("MODEL", "openai")
            .env("OPENAI_BASE_URL", model)
            .env("OPENAI_API_KEY", "sk-fake")
            .env("OPENAI_MODEL", "fake")
            .env("MODEL_PRICES", "fake=0.15/0.60")
            .env("SECRET_KEY", data::SECRET_KEY)
            .env("SMTP_URL", "smtp://127.0.0.1:1")
            .env("MAIL_FROM", "shop@shop.example")
            .env("PUBLIC_URL", "http://127.0.0.1:1")
            .env("LIMIT_ADDRESS_PER_SECOND", "100000")
            .env("LIMIT_ACCOUNT_PER_SECOND", "100000")
            .env("RUST_LOG", std::env::var("LOAD_LOG").unwrap_or_else(|_| "info".into()))
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let server = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        for _ in 0..200 {
            if reqwest::get(format!("{}/health", server.url))
                .await
                .is_ok_and(|response| response.status().is_success())
            {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server did not become healthy");
    }

    /// The resident memory of the process, as the kernel reports it.
    fn resident_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kib = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .split(' ')
                .next()?
                .parse::<u64>()
                .ok()
        });
        kib.unwrap_or_default() / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
