//! From the chat to the shopper's inbox over real SMTP and DNS: a return and a refund are proposed, a person approves them, the
//! provider refunds once, the receipts are mailed, and an independent verifier accepts their DKIM signatures, while the worker is
//! killed repeatedly (E1, E2, T8).

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use chrono::Utc;
use countersign::{
    identity::StaffRole,
    integrations::credentials::{self, Kind},
    mail::DkimSettings,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::support::{
    TestApp,
    dns::{Dns, Record},
    fake_stripe::FakeStripe,
    process::Process,
    python::python,
};

/// A relay (aiosmtpd) that keeps each mail as a file.
struct Relay {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Relay {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a free port")
            .local_addr()
            .expect("an address")
            .port();
        let mut child = Command::new(python())
            .args([
                "tests/tools/relay.py",
                &port.to_string(),
                folder.path().to_str().expect("UTF-8"),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("reads");
        assert_eq!(line.trim(), "ready");
        Self {
            child,
            folder,
            url: format!("smtp://127.0.0.1:{port}"),
        }
    }

    fn mails(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        let mut mails: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        mails.sort();
        mails
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("openssl");
    String::from_utf8(output.stdout).expect("PEM")
}

/// The result of dkimpy for each signature: its selector and whether it is valid.
fn verdicts(dns: &Dns, mail: &Path) -> Vec<String> {
    let output = Command::new(python())
        .args([
            "tests/tools/verify_dkim.py",
            &dns.address.port().to_string(),
            mail.to_str().expect("UTF-8"),
        ])
        .output()
        .expect("runs");
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines
}

fn header(mail: &str, name: &str) -> String {
    let line = mail
        .lines()
        .find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("{name} in {mail}"))
        .split_once(": ")
        .expect("a header")
        .1
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_and_a_refund_reach_the_inbox_once_whenever_the_worker_is_killed() {
    let (rsa, ed25519) = (
        openssl(&["genrsa", "-traditional", "2048"]),
        openssl(&["genpkey", "-algorithm", "ed25519"]),
    );
    let key = |selector: &str, pem: &str| DkimSettings {
        domain: "shop.example".into(),
        selector: selector.into(),
        key: pem.into(),
    };
    let records = [("rsa1", &rsa), ("ed1", &ed25519)].map(|(selector, pem)| {
        (
            format!("{selector}._domainkey.shop.example"),
            key(selector, pem).published_key().expect("a key").record,
        )
    });
    let planted: Vec<Record<'_>> = records.iter().map(|(name, record)| Record::Txt(name, record)).collect();
    let (dns, relay, stripe) = (Dns::start(&planted), Relay::start(), FakeStripe::start().await);
    let app = TestApp::without_worker().await;
    let mut tx = app.executor_tx().await;
    credentials::add(
        &mut tx,
        &app.settings.keyring,
        Kind::Stripe,
        None,
        &"sk_test_of_the_tests".into(),
        Utc::now(),
    )
    .await
    .expect("added");
    tx.commit().await.expect("commits");
    let prepare = "UPDATE money_movements SET reference = 'pi_1' WHERE direction = 'in'";
    sqlx::raw_sql(prepare)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    let environment = [
        ("SMTP_URL", relay.url.as_str()),
        ("DKIM_DOMAIN", "shop.example"),
        ("DKIM_RSA_SELECTOR", "rsa1"),
        ("DKIM_RSA_KEY", &rsa),
        ("DKIM_ED25519_SELECTOR", "ed1"),
        ("DKIM_ED25519_KEY", &ed25519),
        ("STRIPE_URL", &stripe.url),
    ];
    let (mia, kim) = (
        app.shopper("mia").await,
        app.staff("kim@shop.example", StaffRole::Approver).await,
    );
    let rounds: usize = std::env::var("KILL_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10);
    let mut rng = StdRng::seed_from_u64(20_261_125);
    let mut worker = Process::worker_with(&app, &environment).await;
    for round in 1..=rounds {
        let amount = format!("0.{round:02}");
        let refund = mia
            .propose(
                &app,
                "request_refund",
                json!({ "order_number": "#1002", "amount": amount, "reason": "broken" }),
            )
            .await;
        kim.approve(&refund).await;
        // The worker is killed at a random moment between the approval and the receipt.
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
        worker.kill();
        worker = Process::worker_with(&app, &environment).await;
        assert_eq!(
            mia.wait_until_ended(&refund).await["state"],
            "executed",
            "round {round}"
        );
        let refund_made = "SELECT count(*) FROM outbox WHERE kind = 'refund_made' AND state = 'done'";
        app.wait_for_count(refund_made, round as i64).await;
    }
    let returned = mia
        .propose(
            &app,
            "return_items",
            json!({ "order_number": "#1002", "item_ids": ["sweater-navy-m"], "payment_method_id": "card-mia" }),
        )
        .await;
    kim.approve(&returned).await;
    assert_eq!(mia.wait_until_ended(&returned).await["state"], "executed");
    app.wait_for_count("SELECT count(*) FROM outbox WHERE state <> 'done'", 0)
        .await;

    assert_eq!(stripe.refunds().len(), rounds, "each refund once");
    let total: i64 = stripe
        .refunds()
        .iter()
        .map(|refund| {
            refund["fields"]["amount"]
                .as_str()
                .expect("an amount")
                .parse::<i64>()
                .expect("cents")
        })
        .sum();
    assert_eq!(total, (1..=rounds as i64).sum::<i64>());
    let mails = relay.mails();
    let mut ids = std::collections::HashMap::<String, usize>::new();
    for mail in &mails {
        let text = std::fs::read_to_string(mail).expect("reads");
        *ids.entry(header(&text, "message-id")).or_default() += 1;
        assert_eq!(verdicts(&dns, mail), ["ed1 yes", "rsa1 yes"], "{text}");
    }
    // Each refund has three mails: received, executed and refunded. The return has two: received and executed.
    assert_eq!(ids.len(), rounds * 3 + 2);
    let twice = ids.values().filter(|count| **count > 1).count();
    let instructions = mails
        .iter()
        .filter(|mail| {
            std::fs::read_to_string(mail)
                .expect("reads")
                .contains("Pack the items well")
        })
        .count();
    assert!(instructions >= 1);
    let conversation = format!(
        "/v1/conversations/{}/messages",
        returned["conversation_id"].as_str().expect("an id")
    );
    let (_, messages) = mia.read(&conversation).await;
    assert!(
        messages.to_string().contains("Done: "),
        "the conversation shows it: {messages}"
    );
    println!(
        "{rounds} kills: {rounds} refunds once each, {} mails under {} Message-IDs ({twice} of them sent again), all signatures hold",
        mails.len(),
        ids.len()
    );
}
