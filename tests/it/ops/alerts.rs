//! The shipped alert rules, Alertmanager configuration and dashboard with a real Prometheus that scrapes a running server (M3, M5).
//! Whether each rule fires when it should is tested by promtool in ops/monitoring/rules_test.yml.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use countersign::{config::Limits, identity::StaffRole};
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{
    Misbehaviour, Reply, TestApp, process::free_port, recording_server::RecordingServer, shopper::answer,
};

const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/monitoring");

struct Daemon(Child);

impl Daemon {
    fn start(program: &str, arguments: &[String]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} (Debian: prometheus, prometheus-alertmanager): {error}"));
        Self(child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies a shipped file with some parts replaced. Every part must occur in it.
fn adapted(name: &str, pieces: &[(&str, String)], folder: &Path) -> String {
    let mut text = std::fs::read_to_string(format!("{MONITORING}/{name}")).expect("shipped");
    for (old, new) in pieces {
        assert!(text.contains(old), "{old} is not in {name}");
        text = text.replace(old, new);
    }
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// Copies the shipped rules with every duration shortened, so that they fire within a test.
fn write_shortened_rules(folder: &Path) {
    let rules = std::fs::read_to_string(format!("{MONITORING}/rules.yml")).expect("shipped");
    let lines = rules.lines().map(|line| match line.trim_start().strip_prefix("for: ") {
        Some(_) => format!("{}for: 0s", &line[..line.len() - line.trim_start().len()]),
        None => ["[5m]", "[10m]", "[1h]"]
            .iter()
            .fold(line.to_owned(), |line, window| line.replace(window, "[20s]")),
    });
    std::fs::write(folder.join("rules.yml"), lines.collect::<Vec<_>>().join("\n")).expect("written");
}

#[tokio::test]
async fn alerts_reach_people_by_mail_and_chat_and_every_panel_has_data() {
    let (metrics, prometheus, alertmanager) = (free_port(), free_port(), free_port());
    let app = TestApp::start_with_settings(|settings| {
        settings.internal_listen = Some(([127, 0, 0, 1], metrics).into());
        settings.limits.sign_in = Limits::default().sign_in;
    })
    .await;
    let (chat, folder) = (RecordingServer::start().await, tempfile::tempdir().expect("a folder"));
    let folder = folder.path();
    write_shortened_rules(folder);
    let relay = app.mailbox.url().replace("smtp://", "");
    let alerting = adapted(
        "alertmanager.yml",
        &[
            ("relay.example:587", relay),
            (
                "        auth_username: alerts\n        auth_password_file: /run/secrets/alert-mail-password\n",
                String::new(),
            ),
            ("require_tls: true", "require_tls: false".into()),
            (
                "https://chat.shop.example/hooks/alerts",
                format!("http://{}/hooks/alerts", chat.address),
            ),
            ("group_wait: 30s", "group_wait: 0s".into()),
            ("group_interval: 5m", "group_interval: 1s".into()),
        ],
        folder,
    );
    let scraping = adapted(
        "prometheus.yml",
        &[
            ("_interval: 15s", "_interval: 1s".into()),
            (
                "dns_sd_configs: [{ names: [web, worker], type: A, port: 9464, refresh_interval: 10s }]",
                format!("static_configs: [{{ targets: ['127.0.0.1:{metrics}'] }}]"),
            ),
            ("alertmanager:9093", format!("127.0.0.1:{alertmanager}")),
        ],
        folder,
    );
    let data = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let _alertmanager = Daemon::start(
        "prometheus-alertmanager",
        &[
            format!("--config.file={alerting}"),
            format!("--storage.path={}", data("alerts")),
            format!("--web.listen-address=127.0.0.1:{alertmanager}"),
            "--cluster.listen-address=".into(),
        ],
    );
    let _prometheus = Daemon::start(
        "prometheus",
        &[
            format!("--config.file={scraping}"),
            format!("--storage.tsdb.path={}", data("series")),
            format!("--web.listen-address=127.0.0.1:{prometheus}"),
        ],
    );

    // The relay refuses a mail for good, and the model stops answering.
    let mia = app.shopper("mia").await;
    let kim = app.staff("kim@shop.example", StaffRole::Approver).await;
    app.mailbox.misbehave([Misbehaviour::Answers("550 no")]);
    let proposal = mia
        .propose(
            &app,
            "request_refund",
            json!({ "order_number": "#1002", "amount": "1.00", "reason": "It broke." }),
        )
        .await;
    kim.approve(&proposal).await;
    let mut by_mail = false;
    for round in 0..90 {
        app.model.script([
            Reply::call("get_order", json!({ "order_number": "#1001" })),
            Reply::text("It is on its way."),
            Reply::Status(500, String::new()),
        ]);
        mia.ask("Where is my order #1001?").await;
        mia.ask("Where is my order #1001?").await;
        let wrong = json!({ "email": format!("nobody{round}@example.com"), "password": "wrong-wrong-wrong" });
        answer(app.with_store_key("/v1/sessions", wrong)).await;
        for _ in 0..5 {
            answer(app.with_store_key("/v1/sessions/guest", json!({}))).await;
        }
        if round < 3 {
            answer(app.with_store_key("/v1/sessions/code-requests", json!({ "email": "noah@example.com" }))).await;
        }
        let told = chat.text();
        let mails = app.mailbox.all();
        let of_alert = |name: &str| {
            mails
                .iter()
                .any(|mail| mail.to == "oncall@shop.example" && mail.text().contains(name))
        };
        let alerts = ["CountersignDeliveriesGivenUp", "CountersignModelDown"];
        by_mail = alerts.iter().all(|name| of_alert(name) && told.contains(name));
        if by_mail && round > 15 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(by_mail, "by mail and by chat: {}", chat.text());
    assert!(
        chat.text().contains("docs/runbooks.md#countersignmodeldown"),
        "with what to do"
    );

    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{MONITORING}/dashboard.json")).expect("shipped"))
            .expect("JSON");
    let mut asked = 0;
    let mut empty = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let query = target["expr"]
                .as_str()
                .expect("a query")
                .replace("$__rate_interval", "30s");
            let request = app
                .http
                .get(format!("http://127.0.0.1:{prometheus}/api/v1/query"))
                .query(&[("query", &query)]);
            let (status, found) = answer(request).await;
            assert!(status.is_success(), "{query}: {found}");
            asked += 1;
            if found["data"]["result"].as_array().is_none_or(Vec::is_empty) {
                empty.push(query);
            }
        }
    }
    println!("{asked} queries of the dashboard, all with data");
    assert!(empty.is_empty() && asked > 25, "{empty:#?}");
}

#[test]
fn every_alert_has_its_runbook_and_its_test() {
    let read = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("there");
    let (rules, tests, runbooks) = (
        read("ops/monitoring/rules.yml"),
        read("ops/monitoring/rules_test.yml"),
        read("docs/runbooks.md"),
    );
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() >= 11, "{alerts:?}");
    for alert in alerts {
        assert!(
            runbooks.contains(&format!("\n## {alert}\n")),
            "docs/runbooks.md says nothing of {alert}"
        );
        assert!(
            tests.contains(&format!("{alert} fires")) && tests.contains(&format!("{alert} is quiet")),
            "{alert} is not tested"
        );
    }
}

/// The part of a configuration that begins at `start` and ends before the next entry that is indented like it.
fn section<'a>(text: &'a str, start: &str) -> &'a str {
    let at = text.find(start).unwrap_or_else(|| panic!("there is no `{start}`"));
    let indent = start.len() - start.trim_start().len();
    let rest = &text[at..];
    let is_next = |line: &str| {
        !line.trim().is_empty() && line.len() - line.trim_start().len() <= indent && !line.trim_start().starts_with('#')
    };
    let length: usize = rest
        .split_inclusive('\n')
        .enumerate()
        .take_while(|(number, line)| *number == 0 || !is_next(line))
        .map(|(_, line)| line.len())
        .sum();
    &rest[..length]
}

#[test]
fn every_metric_of_a_rule_is_scraped() {
    let read = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("there");
    let (rules, scraped, compose) = (
        read("ops/monitoring/rules.yml"),
        read("ops/monitoring/prometheus.yml"),
        read("docker-compose.yml"),
    );
    let ours = read("src/telemetry/metrics.rs");
    let metric = Regex::new(r"\b(?:countersign|node|probe)_[a-z0-9_]+").expect("a pattern");
    let expressions = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut metrics: Vec<&str> = expressions
        .flat_map(|text| metric.find_iter(text).map(|found| found.as_str()))
        .collect();
    let target_of = Regex::new(r"'([a-z-]+):[0-9]+'|names: \[([a-z]+),").expect("a pattern");
    metrics.sort_unstable();
    metrics.dedup();
    assert!(metrics.len() > 15, "{metrics:?}");
    for metric in metrics {
        let job = match metric.split('_').next() {
            Some("node") => "node",
            Some("probe") => "certificate",
            _ if metric.starts_with("countersign_probe_") => "node",
            _ => {
                let name = metric.trim_start_matches("countersign_");
                let stem = ["_total", "_bucket", "_seconds", "_ratios"]
                    .iter()
                    .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
                let is_registered = [name, stem].iter().any(|name| ours.contains(&format!("(\"{name}\", ")));
                assert!(is_registered, "the service measures no {metric}");
                "countersign"
            }
        };
        let job = section(&scraped, &format!("  - job_name: {job}\n"));
        let target = target_of
            .captures(job)
            .unwrap_or_else(|| panic!("{metric}: {job} has a target"));
        let target = target.iter().skip(1).flatten().next().expect("a name").as_str();
        let service = section(&compose, &format!("  {target}:"));
        assert!(service.contains("    "), "{metric}: compose runs {target}");
        if metric.starts_with("countersign_probe_") {
            let is_read =
                service.contains("--collector.textfile.directory=/textfile") && service.contains(":/textfile:ro");
            assert!(is_read, "{metric}: nobody reads what the probe writes");
        }
        if metric.starts_with("node_filesystem_") {
            let is_the_hosts = service.contains("--path.rootfs=/host") && service.contains("- /:/host:ro");
            assert!(is_the_hosts, "{metric}: the disks are those of the container");
        }
    }
}
