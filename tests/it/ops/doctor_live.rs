//! `countersign doctor` on a live installation names each planted fault and its remedy (R4).

use axum::{
    Router,
    http::{HeaderMap, HeaderValue},
    response::IntoResponse,
};
use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    ops::probe::countersign,
    support::{
        TestApp,
        dns::{Dns, Record},
        fake_openai::sound,
        process::{Process, SECRET_KEY},
    },
};

/// Runs the doctor and returns whether it found nothing wrong, and the codes of the findings that are not green.
pub async fn examine(app: &TestApp, changes: &[(&str, &str)], arguments: &[&str]) -> (bool, Vec<String>) {
    let mut command = countersign(app).await;
    command
        .args(["doctor", "--json", "--without-mail"])
        .args(arguments)
        .env("SECRET_KEY", "c1f0a9e2b7d84563a2f1e0d9c8b7a695")
        .env("DATABASE_READER_PASSWORD", "8d1f0c2b7a6e5d4c3b2a19080706f5e4")
        .env("DATABASE_WEB_PASSWORD", "17e6d5c4b3a2918f0e7d6c5b4a392817")
        .env("DATABASE_EXECUTOR_PASSWORD", "f0e1d2c3b4a5968778695a4b3c2d1e0f")
        .env("MODEL", "openai")
        .env("OPENAI_BASE_URL", app.model.base_url())
        .env("OPENAI_API_KEY", "sk-fake")
        .env("OPENAI_MODEL", "fake")
        .env("SECOND_MODEL", "fake")
        .env("MODEL_PRICES", "fake=1/2")
        .env("SMTP_URL", "smtp://127.0.0.1:1")
        .env("MAIL_FROM", "shop@shop.example")
        .env("PUBLIC_URL", &app.url)
        .env("INTERNAL_LISTEN", "127.0.0.1:9464")
        .env(
            "SENTRY_DSN",
            format!("http://key@{}/1", app.url.trim_start_matches("http://")),
        )
        .envs(changes.iter().copied());
    let output = command.output().await.expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&printed)
        .unwrap_or_else(|_| panic!("{printed}{}", String::from_utf8_lossy(&output.stderr)));
    assert!(!printed.contains(SECRET_KEY), "no secret is printed");
    let findings = report["findings"].as_array().expect("findings");
    let codes = findings
        .iter()
        .filter(|it| it["level"] != "green")
        .map(|it| it["code"].as_str().expect("a code").to_owned())
        // The server of the tests is on loopback, so no edge can be seen: `what_was_not_looked_at_is_not_called_right` tests it.
        .filter(|code| code != "edge_local");
    (output.status.success(), codes.collect())
}

/// A misconfigured proxy that allows every origin and passes no header on.
async fn bad_edge() -> String {
    async fn answer(headers: HeaderMap) -> impl IntoResponse {
        let origin = headers.get("origin").cloned().unwrap_or(HeaderValue::from_static("*"));
        ([("access-control-allow-origin", origin)], "ok")
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

#[tokio::test]
async fn each_planted_fault_is_named() {
    let app = TestApp::offline().await;
    app.model.respond(sound);
    let folder = tempfile::tempdir().expect("a folder");
    let (backups, none) = (folder.path().join("backups"), folder.path().join("none"));
    std::fs::create_dir_all(&backups).expect("made");
    std::fs::create_dir_all(&none).expect("made");
    std::fs::write(backups.join("today.dump"), "x").expect("written");
    let weak = folder.path().join("weak");
    std::fs::write(&weak, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").expect("written");
    let fresh = ["--backups", backups.to_str().expect("a path")];
    app.execute_sql("INSERT INTO origins (tenant_id, origin) SELECT tenant_id, 'https://shop.example' FROM tenants")
        .await;
    app.execute_sql("INSERT INTO staff (tenant_id, id, email, role, password_hash, totp_confirmed_at) SELECT tenant_id, gen_random_uuid(), 'ann@shop.example', 'admin', 'x', now() FROM tenants").await;
    app.execute_sql("INSERT INTO budgets (tenant_id, conversation_micros, shopper_day_micros, store_day_micros, store_month_micros, updated_at, updated_by) SELECT tenant_id, 1, 1, 1, 1, now(), id FROM staff").await;
    let trial = examine(&app, &[], &fresh).await;
    assert_eq!(
        trial,
        (false, vec!["demo_payments".to_owned(); 2]),
        "the stores of tests are demo stores"
    );
    app.execute_sql("UPDATE tenants SET demo_payments = false").await;
    let well = examine(&app, &[], &fresh).await;
    assert_eq!(well, (true, Vec::new()), "nothing is wrong with a sound one");

    let edge = bad_edge().await;
    let secret = weak.to_str().expect("a path").to_owned();
    for (changes, arguments, expected) in [
        (
            vec![("SMTP_URL", "smtp://relay.example")],
            fresh.to_vec(),
            "setting_unfit",
        ),
        (
            vec![("SECRET_KEY", ""), ("SECRET_KEY_FILE", secret.as_str())],
            fresh.to_vec(),
            "secret_weak",
        ),
        (
            vec![("SECRET_KEY", ""), ("SECRET_KEY_FILE", secret.as_str())],
            fresh.to_vec(),
            "secret_readable",
        ),
        (
            vec![("SECRET_KEY_OLD", "a-secret-of-before-0123456789abcdef")],
            fresh.to_vec(),
            "rotation_open",
        ),
        (
            vec![
                ("MODEL", "offline"),
                ("COUNTERSIGN_ALLOW_OFFLINE_MODEL", "yes"),
                ("SECOND_MODEL", ""),
            ],
            fresh.to_vec(),
            "model_offline",
        ),
        (
            vec![("PUBLIC_URL", "http://localhost:8080")],
            fresh.to_vec(),
            "public_url_plain",
        ),
        (
            vec![
                ("SMTP_URL", "smtp://relay.example"),
                ("COUNTERSIGN_ALLOW_PLAIN_SMTP", "yes"),
            ],
            fresh.to_vec(),
            "smtp_plain",
        ),
        (
            vec![("INTERNAL_LISTEN", "0.0.0.0:9464")],
            fresh.to_vec(),
            "metrics_everywhere",
        ),
        (vec![("INTERNAL_LISTEN", "")], fresh.to_vec(), "unmonitored"),
        (
            vec![("INTERNAL_LISTEN", "93.184.216.34:9464")],
            fresh.to_vec(),
            "metrics_public",
        ),
        (vec![("SENTRY_DSN", "")], fresh.to_vec(), "sentry_unset"),
        (
            vec![("SENTRY_DSN", "http://key@127.0.0.1:1/1")],
            fresh.to_vec(),
            "sentry_unreachable",
        ),
        (
            vec![],
            vec!["--backups", none.to_str().expect("a path")],
            "backup_missing",
        ),
        (vec![("PUBLIC_URL", edge.as_str())], fresh.to_vec(), "cors_reflects"),
        (vec![("PUBLIC_URL", edge.as_str())], fresh.to_vec(), "csp_missing"),
        (vec![("PUBLIC_URL", edge.as_str())], fresh.to_vec(), "metrics_outside"),
        (
            vec![("PUBLIC_URL", "http://127.0.0.1:1")],
            fresh.to_vec(),
            "edge_unreachable",
        ),
    ] {
        let (_, codes) = examine(&app, &changes, &arguments).await;
        assert!(codes.contains(&expected.to_owned()), "{expected}: {codes:?}");
    }
    for (plant, mend, expected, alone) in [
        (
            "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE orders FORCE ROW LEVEL SECURITY",
            "rls_off",
            true,
        ),
        (
            "GRANT INSERT ON products TO countersign_reader",
            "REVOKE INSERT ON products FROM countersign_reader",
            "reader_writes",
            true,
        ),
        (
            "GRANT UPDATE ON orders TO countersign_web",
            "REVOKE UPDATE ON orders FROM countersign_web",
            "web_writes",
            true,
        ),
        (
            "GRANT DELETE ON audit TO countersign_executor",
            "REVOKE DELETE ON audit FROM countersign_executor",
            "history_changes",
            true,
        ),
        (
            "UPDATE staff SET disabled_at = now()",
            "UPDATE staff SET disabled_at = NULL",
            "admin_missing",
            true,
        ),
        (
            "UPDATE staff SET totp_confirmed_at = NULL",
            "UPDATE staff SET totp_confirmed_at = now()",
            "second_factor_missing",
            true,
        ),
        (
            "UPDATE origins SET origin = origin; DELETE FROM origins",
            "SELECT 1",
            "origin_unset",
            true,
        ),
        ("DELETE FROM budgets", "SELECT 1", "budget_unset", false),
        (
            "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
            "SELECT 1",
            "schema_old",
            false,
        ),
    ] {
        app.execute_sql(plant).await;
        let (well, codes) = examine(&app, &[], &fresh).await;
        assert!(codes.contains(&expected.to_owned()), "{expected}: {codes:?}");
        assert!(
            !alone || codes.iter().all(|code| code == expected),
            "{expected} alone: {codes:?}"
        );
        let red = !matches!(expected, "second_factor_missing" | "origin_unset" | "budget_unset");
        assert_eq!(well, !red, "{expected}");
        app.execute_sql(mend).await;
    }
}

/// The findings of the doctor in an environment with these settings alone.
async fn findings(environment: &[(&str, &str)], arguments: &[&str]) -> Vec<Value> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .env_clear()
        .arg("doctor")
        .args(arguments)
        .arg("--json")
        .envs(environment.iter().copied());
    let output = command.output().await.expect("runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["findings"].as_array().expect("findings").clone()
}

#[tokio::test]
async fn what_was_not_looked_at_is_not_called_right() {
    let app = TestApp::without_worker().await;
    let level = |findings: &[Value], code: &str| {
        let found = findings.iter().find(|finding| finding["code"] == code);
        found.map(|finding| finding["level"].as_str().expect("a level").to_owned())
    };
    let unset = findings(&[], &["--without-mail", "--url", &app.url]).await;
    assert_eq!(level(&unset, "secrets_strong"), None, "{unset:?}");
    assert_eq!(level(&unset, "edge_sound"), None, "{unset:?}");
    assert_eq!(level(&unset, "edge_local").as_deref(), Some("amber"), "{unset:?}");

    let relay_here = [("SMTP_URL", "smtp://127.0.0.1:1"), ("MAIL_FROM", "shop@shop.example")];
    let dns = Dns::start(&[Record::Txt("other.example", "v=spf1 -all")]);
    let mail = findings(&relay_here, &["mail", "--resolver", &dns.address.to_string()]).await;
    assert_eq!(level(&mail, "sender_unknown").as_deref(), Some("amber"), "{mail:?}");
    let advised: Vec<&str> = mail.iter().filter_map(|finding| finding["publish"].as_str()).collect();
    assert!(!advised.is_empty(), "{mail:?}");
    for record in advised {
        assert!(
            !record.contains("127.0.0.1") && !record.contains("mail.shop.example"),
            "{record}"
        );
    }
}

#[tokio::test]
async fn the_operators_admins_see_it_too_and_nobody_else_does() {
    let app = TestApp::without_worker().await;
    let (admin, viewer) = (
        app.staff("admin@s.example", StaffRole::Admin).await,
        app.staff("viewer@s.example", StaffRole::Viewer).await,
    );
    let path = "/v1/staff/doctor";
    assert_eq!(
        admin.read(path).await.0,
        StatusCode::NOT_FOUND,
        "no store is the operator's"
    );
    let ours = Process::serve_with(&app, &[("OPERATOR_STORE", &app.store.tenant.slug)]).await;
    let theirs = Process::serve_with(&app, &[("OPERATOR_STORE", "another")]).await;
    assert_eq!(admin.at(&theirs.url).read(path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(viewer.at(&ours.url).read(path).await.0, StatusCode::FORBIDDEN);
    let (status, seen) = admin.at(&ours.url).read(path).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    let found = |code: &str| {
        let findings = seen["findings"].as_array().expect("findings").iter();
        findings.filter(|finding| finding["code"] == code).count()
    };
    // The doctor sees the settings that `serve` uses: they are valid and have no Sentry.
    assert_eq!((found("sentry_unset"), found("settings_fit")), (1, 1), "{seen}");
}
