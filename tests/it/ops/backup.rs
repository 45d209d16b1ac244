//! Backup and restore: a dump made under load is restored elsewhere with every row and intact audit chains (D3).

use std::{os::unix::fs::PermissionsExt, time::Duration};

use serde_json::json;
use sqlx::Connection;
use tokio::process::Command;

use crate::support::{TestApp, database};

#[tokio::test]
async fn a_dump_made_under_load_restores_elsewhere_with_every_row_and_a_whole_audit() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    for amount in ["1.00", "2.00"] {
        mia.propose(
            &app,
            "request_refund",
            json!({ "order_number": "#1002", "amount": amount, "reason": "It broke." }),
        )
        .await;
    }
    let working = tokio::spawn({
        let mia = mia.clone();
        async move {
            loop {
                let send = mia
                    .post("/v1/chat/send")
                    .json(&json!({ "text": "Where is my order #1001?", "by_rules": true }));
                send.send().await.expect("answers");
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let socket = database::postgres().await.socket_folder();
    let url = |name: &str| {
        format!(
            "postgres://postgres:PASSWORD%21@localhost/{name}?host={}",
            socket.display()
        )
    };
    let folder = tempfile::tempdir().expect("a folder");
    // Wrappers of the real programs record their arguments, which every user of a machine can read.
    let (tools, arguments) = (tempfile::tempdir().expect("a folder"), folder.path().join("arguments"));
    for tool in ["psql", "pg_dump", "pg_restore"] {
        let text = format!(
            "#!/bin/sh\necho \"{tool} $*\" >>'{}'\nPATH=${{PATH#*:}}\nexec {tool} \"$@\"\n",
            arguments.display()
        );
        let path = tools.path().join(tool);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    let path = format!(
        "{}:{}",
        tools.path().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let run = async |script: &str, argument: &str, name: &str| {
        let output = Command::new(script)
            .arg(argument)
            .env("DATABASE_ADMIN_URL", url(name))
            .env("PATH", &path)
            .output()
            .await
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let dump = run("ops/backup", folder.path().to_str().expect("a path"), &app.database).await;
    working.abort();
    let other = format!("{}_restored", app.database);
    let mut superuser = sqlx::PgConnection::connect_with(&database::postgres().await.admin("postgres"))
        .await
        .expect("connects");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {other}")))
        .execute(&mut superuser)
        .await
        .expect("made");
    println!("{}", run("ops/restore", &dump, &other).await);
    let arguments = std::fs::read_to_string(&arguments).expect("noted");
    assert!(
        ["psql ", "pg_dump ", "pg_restore "]
            .iter()
            .all(|tool| arguments.contains(tool)),
        "{arguments}"
    );
    assert!(!arguments.contains("PASSWORD"), "{arguments}");
    // The program verifies the restored database.
    for store in ["one", "two"] {
        let verified = crate::ops::probe::countersign(&app)
            .await
            .args(["audit", "verify", store])
            .env(
                "DATABASE_URL",
                format!("postgres://localhost/{other}?host={}", socket.display()),
            )
            .output()
            .await
            .expect("runs");
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success() && said.contains("chain whole"), "{said}");
    }
    // The server starts only when what may have been revoked since the dump has ended.
    let restored_url = format!("postgres://localhost/{other}?host={}", socket.display());
    let command = async |arguments: &[&str]| {
        let mut command = crate::ops::probe::countersign(&app).await;
        let output = command
            .args(arguments)
            .env("DATABASE_URL", &restored_url)
            .env("DATABASE_ADMIN_URL", url(&other))
            .envs([
                ("MODEL", "offline"),
                ("COUNTERSIGN_ALLOW_OFFLINE_MODEL", "yes"),
                ("COUNTERSIGN_ALLOW_PLAIN_SMTP", "yes"),
                ("SECRET_KEY", &"5".repeat(64)),
                ("SMTP_URL", "smtp://127.0.0.1:1"),
                ("MAIL_FROM", "shop@shop.example"),
                ("PUBLIC_URL", "http://127.0.0.1:1"),
                ("LISTEN", "127.0.0.1:0"),
            ])
            .output()
            .await
            .expect("runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let mut restored = sqlx::PgConnection::connect_with(&database::postgres().await.admin(&other))
        .await
        .expect("connects");
    let mut count =
        async |live: &'static str| -> i64 { sqlx::query_scalar(live).fetch_one(&mut restored).await.expect("counts") };
    const LIVE: &str = "SELECT (SELECT count(*) FROM sessions WHERE revoked_at IS NULL) + (SELECT count(*) FROM staff_sessions WHERE revoked_at IS NULL)";
    assert!(count(LIVE).await > 0, "somebody was signed in when it was dumped");
    let (started, said) = command(&["serve"]).await;
    assert!(!started && said.contains("countersign after-restore"), "{said}");
    let (ended, said) = command(&["after-restore"]).await;
    assert!(ended, "{said}");
    assert_eq!(count(LIVE).await, 0);
    assert_eq!(
        count("SELECT count(*) FROM pg_db_role_setting WHERE array_to_string(setconfig, ',') LIKE '%app.restored%'")
            .await,
        0
    );
    // A second restore into the same database is refused and changes nothing.
    let again = Command::new("ops/restore")
        .arg(&dump)
        .env("DATABASE_ADMIN_URL", url(&other))
        .output()
        .await
        .expect("runs");
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("holds"));
}
