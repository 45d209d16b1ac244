//! The command line as a person uses it: the demo's printed lines, migrate, tenants, passwords, clear error messages.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use countersign::{
    cli::{migrate, private_postgres::PrivatePostgres},
    integrations::credentials::{self, Kind},
};
use sqlx::{Connection, PgConnection};

use crate::support::{TestApp, database, process::database_environment};

fn countersign() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

#[test]
fn the_demo_answers_the_lines_it_prints_and_leaves_nothing_behind() {
    let mut demo = countersign()
        .args(["demo", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut printed = BufReader::new(demo.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let mut script = String::new();
    for line in printed.by_ref() {
        if line.starts_with("TOKEN=") || line.starts_with("curl ") {
            script.push_str(&format!("{line}\n"));
        }
        if line.contains("#2001?") {
            break;
        }
    }
    assert_eq!(script.lines().count(), 3);
    let output = Command::new("bash").args(["-c", &script]).output().expect("runs");
    let answers = String::from_utf8_lossy(&output.stdout);
    assert!(answers.contains("Order #1001 (Storm Lantern, Enamel Mug) is shipped. Its tracking number is HP440028817. The total is 89.00 USD."), "{answers}");
    assert!(answers.contains("I found no order #2001 of yours."), "{answers}");
    let pid = demo.id();
    let folders = || {
        std::fs::read_dir(std::env::temp_dir())
            .expect("a folder")
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("countersign-pg-"))
            .map(|entry| entry.path())
            .collect::<std::collections::HashSet<_>>()
    };
    let running = folders();
    demo.kill().expect("killed");
    demo.wait().expect("gone");
    for _ in 0..200 {
        if running.difference(&folders()).next().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    assert!(
        running.difference(&folders()).next().is_some(),
        "the demo's Postgres of process {pid} is gone, even after SIGKILL"
    );
}

#[tokio::test]
async fn a_store_is_set_up_by_commands_alone() {
    let app = TestApp::offline().await;
    let postgres = database::postgres().await;
    let socket = postgres.socket_folder().display().to_string();
    let command = |arguments: &[&str], input: &str| {
        let mut child = countersign()
            .args(arguments)
            .env(
                "DATABASE_URL",
                format!("postgres://localhost/{}?host={socket}", app.database),
            )
            .env(
                "DATABASE_ADMIN_URL",
                format!("postgres://postgres@localhost/{}?host={socket}", app.database),
            )
            .env("DATABASE_READER_PASSWORD", "reader-of-the-tests")
            .env("DATABASE_WEB_PASSWORD", "web-of-the-tests")
            .env("DATABASE_EXECUTOR_PASSWORD", "executor-of-the-tests")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        // A command that reads no input may have closed it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8").trim().to_owned();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (ok, said, error) = command(&["migrate"], "");
    assert!(ok && said.starts_with("the schema is at migration"), "{error}");
    let (ok, key, error) = command(
        &[
            "tenant",
            "create",
            "corner",
            "--name",
            "Corner Shop",
            "--currency",
            "EUR",
        ],
        "",
    );
    assert!(ok && key.starts_with("pk_"), "{error}");
    let lines = [
        r#"{"type":"shopper","id":"kim","email":"kim@example.com","first_name":"Kim","last_name":"B","payment_methods":[{"id":"c","kind":"paypal"}]}"#,
        "nonsense",
        r#"{"type":"order","number":"7","shopper":"kim","status":"pending","address":{"address1":"1","city":"c","zip":"z","country":"NL"},"lines":[{"product_id":"p","item_id":"i","name":"Tea","price":"3.10"}],"payments":[{"kind":"payment","amount":"3.10","payment_method":"c"}]}"#,
    ];
    let (ok, said, error) = command(&["import", "--tenant", "corner", "-"], &lines.join("\n"));
    assert!(
        !ok && said == "0 products, 1 shoppers, 1 orders imported" && error.contains("line 2: not a record"),
        "{said} {error}"
    );
    let (ok, said, error) = command(&["import", "--tenant", "corner", "--dry-run", "-"], &lines.join("\n"));
    let unchanged = "shoppers: 0 new, 0 changed, 1 unchanged, 0 skipped, 0 rejected\n\
        orders: 0 new, 0 changed, 1 unchanged, 0 skipped, 0 rejected\n\
        nothing was stored: this was a dry run";
    assert!(
        !ok && said == unchanged && error.contains("line 2: not a record"),
        "{said} {error}"
    );
    for (arguments, input, expected) in [
        (
            &["shopper", "set-password", "--tenant", "corner", "kim"][..],
            "a good password\n",
            "the password of kim at corner is set",
        ),
        (
            &[
                "staff",
                "add",
                "--tenant",
                "corner",
                "--role",
                "admin",
                "ann@corner.example",
            ],
            "a good password\n",
            "ann@corner.example is admin at corner",
        ),
        (
            &["tenant", "allow-origin", "corner", "https://corner.example"],
            "",
            "pages of https://corner.example may call the API for corner",
        ),
    ] {
        let (ok, said, error) = command(arguments, input);
        assert!(ok && said == expected, "{arguments:?}: {said} {error}");
    }
    let log_in = app
        .http
        .post(format!("{}/v1/sessions", app.url))
        .header("x-store-key", &key)
        .json(&serde_json::json!({ "email": "kim@example.com", "password": "a good password" }));
    let (_, opened) = crate::support::shopper::answer(log_in).await;
    let token = opened["token"].as_str().expect("a token");
    let (_, order) =
        crate::support::shopper::answer(app.http.get(format!("{}/v1/orders/7", app.url)).bearer_auth(token)).await;
    assert_eq!(
        order["total"],
        serde_json::json!({ "amount": "3.10", "currency": "EUR" })
    );
    for (arguments, input, message) in [
        (
            &["shopper", "set-password", "--tenant", "corner", "kim"][..],
            "short\n",
            "10 to 256 characters",
        ),
        (
            &["shopper", "set-password", "--tenant", "corner", "nobody"],
            "a good password\n",
            "no shopper `nobody`",
        ),
        (&["import", "--tenant", "nowhere", "-"], "", "no store `nowhere`"),
        (
            &["tenant", "create", "Bad Slug", "--name", "x", "--currency", "EUR"],
            "",
            "small letters, digits and hyphens",
        ),
        (
            &["tenant", "create", "corner", "--name", "x", "--currency", "EUR"],
            "",
            "there is a store `corner` already",
        ),
        (
            &["tenant", "create", "x", "--name", "x", "--currency", "XXX"],
            "",
            "currency",
        ),
        (&["import", "--tenant", "corner", "/nowhere/file"], "", "/nowhere/file"),
    ] {
        let (ok, _, error) = command(arguments, input);
        assert!(!ok && error.contains(message), "{arguments:?}: {error}");
    }
}

#[test]
fn serve_names_every_setting_that_does_not_fit() {
    let output = countersign()
        .arg("serve")
        .env("MODEL", "offline")
        .env("LISTEN", "everywhere")
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for name in [
        "DATABASE_URL",
        "DATABASE_READER_PASSWORD",
        "DATABASE_WEB_PASSWORD",
        "DATABASE_EXECUTOR_PASSWORD",
        "MODEL",
        "LISTEN",
    ] {
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[tokio::test]
async fn serve_refuses_a_role_that_could_pass_row_level_security_by() {
    // This test has its own Postgres, because all databases of a server share their roles.
    let postgres = PrivatePostgres::start(false).await.expect("starts");
    migrate(
        &postgres.admin("postgres"),
        &database::settings(postgres.address("postgres")),
    )
    .await
    .expect("migrates");
    let mut superuser = PgConnection::connect_with(&postgres.admin("postgres"))
        .await
        .expect("connects");
    sqlx::raw_sql("ALTER ROLE countersign_web BYPASSRLS")
        .execute(&mut superuser)
        .await
        .expect("runs");
    let output = countersign()
        .arg("serve")
        .env("LISTEN", "127.0.0.1:0")
        .env(
            "DATABASE_URL",
            format!(
                "postgres://localhost/postgres?host={}",
                postgres.socket_folder().display()
            ),
        )
        .env("DATABASE_READER_PASSWORD", "reader-of-the-tests")
        .env("DATABASE_WEB_PASSWORD", "web-of-the-tests")
        .env("DATABASE_EXECUTOR_PASSWORD", "executor-of-the-tests")
        .env("MODEL", "offline")
        .env("SECRET_KEY", "secret key of the tests, long enough")
        .env("SMTP_URL", "smtp://127.0.0.1:1")
        .env("MAIL_FROM", "shop@shop.example")
        .env("PUBLIC_URL", "http://127.0.0.1:1")
        .env("COUNTERSIGN_ALLOW_OFFLINE_MODEL", "yes")
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("may bypass row-level security"),
        "{error}"
    );
}

#[tokio::test]
async fn migrate_says_how_to_make_a_database_that_is_missing() {
    let socket = database::postgres().await.socket_folder().display().to_string();
    let output = countersign()
        .arg("migrate")
        .env(
            "DATABASE_ADMIN_URL",
            format!("postgres://postgres@localhost/nowhere?host={socket}"),
        )
        .env("DATABASE_URL", format!("postgres://localhost/nowhere?host={socket}"))
        .env("DATABASE_READER_PASSWORD", "reader-of-the-tests")
        .env("DATABASE_WEB_PASSWORD", "web-of-the-tests")
        .env("DATABASE_EXECUTOR_PASSWORD", "executor-of-the-tests")
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("no database `nowhere`") && error.contains("`createdb nowhere`"),
        "{error}"
    );
}

#[test]
fn a_closed_output_ends_a_command_quietly() {
    let script = format!(
        "{} openapi | head -n 1; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_countersign")
    );
    let output = Command::new("bash").args(["-c", &script]).output().expect("runs");
    let (said, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!((said.as_ref(), error.as_ref()), ("{\n141\n", ""));
}

#[test]
fn a_demo_on_a_port_that_is_taken_says_how_to_choose_another() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = countersign().args(["demo", "--port", &port]).output().expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains(&port) && error.contains("--port"),
        "{error}"
    );
}

/// Runs a command at a terminal, types a line when it is asked, and prints everything that the terminal shows.
const AT_A_TERMINAL: &str = r#"
import os, pty, sys, termios, time
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
try:
    while True:
        part = os.read(terminal, 1024)
        if not part:
            break
        shown += part
        if shown.endswith(b"password: "):
            # The prompt comes just before the terminal stops showing what is typed.
            for _ in range(1000):
                if not termios.tcgetattr(terminal)[3] & termios.ECHO:
                    break
                time.sleep(0.01)
            os.write(terminal, b"a good password\n")
except OSError:
    pass
sys.stdout.buffer.write(shown)
"#;

#[tokio::test]
async fn a_password_is_not_shown_while_it_is_typed() {
    let app = TestApp::offline().await;
    let mut command = Command::new("python3");
    command
        .args(["-c", AT_A_TERMINAL, env!("CARGO_BIN_EXE_countersign")])
        .args(["shopper", "set-password", "--tenant", "one", "mia"])
        .envs(database_environment(&app).await);
    let output = command.output().expect("python3");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        shown.contains("password: ") && shown.contains("the password of mia at one is set"),
        "{shown}"
    );
    assert!(!shown.contains("a good password"), "{shown}");
}

#[test]
fn openapi_prints_the_document() {
    let output = countersign().arg("openapi").output().expect("runs");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(document["paths"]["/v1/chat/send"].is_object());
}

#[tokio::test]
async fn a_secret_that_could_be_guessed_is_not_taken() {
    let app = TestApp::offline().await;
    for kind in [
        Kind::StripeWebhook,
        Kind::ShopifyWebhook,
        Kind::WoocommerceWebhook,
        Kind::StoreWebhook,
        Kind::MailWebhook,
        Kind::Crm,
    ] {
        let mut tx = app.executor_tx().await;
        let short = credentials::add(
            &mut tx,
            &app.settings.keyring,
            kind,
            None,
            &"abc".into(),
            chrono::Utc::now(),
        )
        .await;
        assert!(matches!(short, Err(credentials::CredentialError::TooShort)), "{kind:?}");
    }
}
