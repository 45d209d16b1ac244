//! The synthetic check walks through a shopper's visit and leaves nothing behind (M2).

use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{PASSWORD, TestApp, process::database_environment, shopper::answer};

/// The `countersign` command with the settings of a test's database.
pub async fn countersign(app: &TestApp) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.envs(database_environment(app).await);
    command
}

struct Run {
    well: bool,
    report: Value,
}

async fn probe(app: &TestApp, key: &str, arguments: &[&str]) -> Run {
    let output = countersign(app)
        .await
        .args(["probe", "--json", "--url", &app.url])
        .args(arguments)
        .env("PROBE_STORE_KEY", app.store.key.as_str())
        .env("PROBE_EMAIL", "mia@example.com")
        .env("PROBE_PASSWORD", PASSWORD)
        .env("PROBE_API_KEY", key)
        .output()
        .await
        .expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!printed.contains(PASSWORD) && !printed.contains(key));
    Run {
        well: output.status.success(),
        report: serde_json::from_str(&printed)
            .unwrap_or_else(|_| panic!("{printed}{}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn steps(run: &Run) -> Vec<(String, bool)> {
    let steps = run.report["steps"].as_array().expect("steps");
    steps
        .iter()
        .map(|step| (step["name"].as_str().expect("a name").to_owned(), step["ok"] == true))
        .collect()
}

#[tokio::test]
async fn a_shoppers_whole_way_is_walked_and_nothing_of_it_stays() {
    let app = TestApp::start().await;
    let admin = app.staff("ann@shop.example", StaffRole::Admin).await;
    let made = admin
        .request("POST", "/v1/staff/api-keys")
        .json(&json!({ "name": "probe", "scopes": ["deliveries:read"], "days": 30 }));
    let (status, made) = answer(made).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let key = made["key"]
        .as_str()
        .or(made["token"].as_str())
        .expect("a key")
        .to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let textfile = folder.path().join("probe.prom");
    let home = format!("{}/docs", app.url);
    let arguments = [
        "--home",
        home.as_str(),
        "--expect-version",
        env!("CARGO_PKG_VERSION"),
        "--textfile",
        textfile.to_str().expect("a path"),
    ];
    let run = probe(&app, &key, &arguments).await;
    let names = [
        "home", "health", "log_in", "orders", "order", "chat", "mail", "clean_up", "log_out",
    ];
    assert_eq!(steps(&run), names.map(|name| (name.to_owned(), true)), "{}", run.report);
    assert!(run.well && run.report["ok"] == true && run.report["version"] == env!("CARGO_PKG_VERSION"));
    assert_eq!(app.model.requests().len(), 0, "it costs no model money");
    assert!(
        run.report["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .all(|step| step["ms"].is_u64())
    );
    // The probe's rows are deleted, and its mail was sent.
    for left in ["conversations", "messages", "turns", "tool_calls", "proposals"] {
        assert_eq!(
            app.count(Box::leak(format!("SELECT count(*) FROM {left}").into_boxed_str()))
                .await,
            0,
            "{left}"
        );
    }
    assert_eq!(
        app.count("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
            .await,
        0
    );
    assert_eq!(app.mailbox.all().len(), 1);
    let metrics = std::fs::read_to_string(textfile).expect("written");
    assert!(
        metrics.contains("countersign_probe_success 1") && metrics.contains("step=\"chat\""),
        "{metrics}"
    );
    // A second run works as well, because a monitor runs the probe every minute.
    assert!(probe(&app, &key, &[]).await.well);
    // With `--ask-model` the model is asked.
    app.model.respond(|_| crate::support::Reply::text("It is on its way."));
    assert!(probe(&app, &key, &["--ask-model"]).await.well);
    assert_eq!(app.model.requests().len(), 1);
}

#[tokio::test]
async fn what_is_broken_is_named_and_the_exit_status_says_so() {
    let app = TestApp::start().await;
    let wrong_version = probe(&app, "none", &["--expect-version", "9.9.9"]).await;
    assert!(!wrong_version.well);
    assert_eq!(steps(&wrong_version)[0], ("health".to_owned(), false));
    // The API key is not valid: the probe's mail is requested, but the probe cannot see its delivery.
    assert!(steps(&wrong_version).contains(&("mail".to_owned(), false)));
    assert!(
        steps(&wrong_version).contains(&("clean_up".to_owned(), true)),
        "cleaned up all the same"
    );
    let no_home = probe(&app, "none", &["--home", "http://127.0.0.1:1/"]).await;
    assert_eq!(steps(&no_home)[0], ("home".to_owned(), false));
    app.model.respond(|_| crate::support::Reply::Status(500, String::new()));
    let no_model = probe(&app, "none", &["--ask-model"]).await;
    assert!(
        steps(&no_model).contains(&("chat".to_owned(), false)),
        "{}",
        no_model.report
    );
}

#[tokio::test]
async fn a_conversation_is_deleted_by_its_owner_alone_and_not_from_under_a_proposal() {
    let app = TestApp::start().await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.model.respond(|_| crate::support::Reply::text("Hi."));
    let id = mia.ask("Hi").await["conversation_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let delete = |shopper: &crate::support::TestShopper, id: &str| {
        let request = shopper
            .get(&format!("/v1/conversations/{id}"))
            .build()
            .expect("a request");
        let (client, url, token) = (app.http.clone(), request.url().clone(), shopper.token.clone());
        async move { answer(client.delete(url).bearer_auth(token)).await.0 }
    };
    assert_eq!(delete(&noah, &id).await, StatusCode::NOT_FOUND);
    // A transaction that acts for the whole store cannot delete them either.
    let scope = countersign::tenancy::Scope::tenant(app.store.tenant.id);
    let mut tx = app.pools.web.begin(scope).await.expect("begins");
    for statement in ["DELETE FROM messages", "DELETE FROM tool_calls"] {
        let deleted = sqlx::raw_sql(statement).execute(&mut *tx).await.expect("runs");
        assert_eq!(deleted.rows_affected(), 0, "{statement}");
    }
    tx.commit().await.expect("commits");
    assert_eq!(delete(&mia, &id).await, StatusCode::NO_CONTENT);
    assert_eq!(delete(&mia, &id).await, StatusCode::NOT_FOUND);
    assert_eq!(app.count("SELECT count(*) FROM messages").await, 0);
    let proposal = mia
        .propose(
            &app,
            "request_refund",
            json!({ "order_number": "#1002", "amount": "1.00", "reason": "It broke." }),
        )
        .await;
    let held = app.count("SELECT count(*) FROM conversations").await;
    let id: String = sqlx::query_scalar("SELECT conversation_id::text FROM proposals")
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("one");
    assert_eq!(delete(&mia, &id).await, StatusCode::CONFLICT, "{proposal}");
    assert_eq!(app.count("SELECT count(*) FROM conversations").await, held);
}
