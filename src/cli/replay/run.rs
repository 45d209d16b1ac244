//! Runs scripted conversations. A private Postgres has the store in a template database, and each conversation gets a copy of it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Decision, Outcome, Script, expect};
use crate::{
    cli::{CliError, import, migrate, private_postgres::PrivatePostgres, serve},
    clock::Clock,
    config::{Limits, ModelSettings, Settings},
    identity::{StaffRole, shoppers, staff},
    model::{ScriptedModel, ToolCall},
    tenancy::{self, DatabaseSettings, Pooler},
};

const TEMPLATE: &str = "replay_template";
const SLUG: &str = "replay";
const STAFF: &str = "staff@replay.example";
/// The password of the shopper and the member of staff. Each database exists for one conversation only, on a private socket.
const PASSWORD: &str = "replay-password";

/// A private Postgres with the imported store.
pub struct Sandbox {
    postgres: PrivatePostgres,
    key: String,
}

impl Sandbox {
    /// Starts Postgres and imports the store once; conversations get copies.
    pub async fn create(format: import::Format, store: PathBuf) -> Result<Self, CliError> {
        let postgres = PrivatePostgres::start(false).await?;
        let mut admin = PgConnection::connect_with(&postgres.admin("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}")))
            .execute(&mut admin)
            .await?;
        let settings = database(&postgres, TEMPLATE);
        migrate(&postgres.admin(TEMPLATE), &settings).await?;
        let pools = tenancy::connect(&settings);
        let (tenant, key) = tenancy::create(&pools.executor, SLUG, "Replay", "USD".parse()?).await?;
        tenancy::use_demo_payments(&pools.executor, tenant.id).await?;
        let report = import::from_path(&pools.executor, &tenant, format, store, import::Mode::Store).await?;
        if !report.rejected.is_empty() {
            return Err(CliError::Rejected(report.rejected.len()));
        }
        staff::add(&pools.executor, &tenant, STAFF, StaffRole::Approver, PASSWORD.into()).await?;
        pools.close().await;
        Ok(Self {
            postgres,
            key: key.as_str().to_owned(),
        })
    }

    /// Runs one conversation on a fresh copy of the store.
    pub async fn run(&self, number: usize, script: Script) -> Result<Outcome, CliError> {
        let name = format!("replay_{number}");
        let mut admin = PgConnection::connect_with(&self.postgres.admin("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")))
            .execute(&mut admin)
            .await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let settings = settings(listener.local_addr()?, database(&self.postgres, &name));
        let url = format!("http://{}", settings.listen);
        let pools = tenancy::connect(&settings.database);
        let store = tenancy::find_by_slug(&pools.executor, SLUG)
            .await?
            .ok_or_else(|| CliError::NoTenant(SLUG.into()))?;
        let clock = Clock::system();
        if !shoppers::set_password(&pools.executor, &store, &script.shopper, PASSWORD.into(), clock.now()).await? {
            return Err(CliError::NoShopper(script.shopper));
        }
        let mut db = PgConnection::connect_with(&self.postgres.admin(&name)).await?;
        let email: String = sqlx::query_scalar("SELECT email FROM shoppers WHERE external_id = $1")
            .bind(&script.shopper)
            .fetch_one(&mut db)
            .await?;
        let model = Arc::new(ScriptedModel::default());
        let stop = CancellationToken::new();
        let (server_pools, server_model, stopped) = (pools.clone(), model.clone(), stop.clone().cancelled_owned());
        #[allow(clippy::disallowed_methods, reason = "it is waited for below")]
        let server = tokio::spawn(async move {
            serve::serve(listener, &settings, &server_pools, clock, server_model, stopped).await
        });
        let sessions = Sessions::log_in(&url, &self.key, &email).await?;
        let mut differences = Vec::new();
        for turn in script.turns {
            let calls = (0..).zip(turn.calls).map(|(n, call)| ToolCall {
                id: format!("call-{n}"),
                tool: call.tool,
                arguments: call.arguments.to_string(),
                fault: None,
            });
            model.add_turn(calls.collect());
            if let Err(difference) = sessions.turn(&turn.text, turn.decision).await? {
                differences.push(difference);
            }
        }
        differences.extend(expect::differences(&mut db, &script.expected, &script.shopper).await?);
        stop.cancel();
        let _ = server.await;
        db.close().await?;
        // FORCE closes remaining connections.
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
            .execute(&mut admin)
            .await?;
        Ok(Outcome {
            id: script.id,
            differences,
        })
    }
}

fn database(postgres: &PrivatePostgres, name: &str) -> DatabaseSettings {
    // The private Postgres trusts connections on its socket, so the passwords are set but never checked.
    let password = |role: &str| SecretString::from(format!("{role}-of-the-replay"));
    DatabaseSettings {
        address: postgres.address(name),
        reader_password: password("reader"),
        web_password: password("web"),
        executor_password: password("executor"),
        connections: 8,
        deadline: Duration::from_secs(10),
        pooler: Pooler::None,
    }
}

fn settings(listen: std::net::SocketAddr, database: DatabaseSettings) -> Settings {
    Settings {
        limits: Limits::wide(),
        ..Settings::on_loopback(listen, database, ModelSettings::Offline)
    }
}

/// The HTTP sessions of the shopper and of a member of staff.
struct Sessions {
    http: reqwest::Client,
    url: String,
    shopper: String,
    staff: String,
}

impl Sessions {
    async fn log_in(url: &str, key: &str, email: &str) -> Result<Self, CliError> {
        let http = reqwest::Client::new();
        let log_in = async |path: &str, email: &str| {
            let request = http
                .post(format!("{url}{path}"))
                .header("x-store-key", key)
                .json(&json!({ "email": email, "password": PASSWORD }));
            let answer = send(request).await?;
            Ok::<_, CliError>(answer["token"].as_str().unwrap_or_default().to_owned())
        };
        let (shopper, staff) = (
            log_in("/v1/sessions", email).await?,
            log_in("/v1/staff/sessions", STAFF).await?,
        );
        Ok(Self {
            http,
            url: url.to_owned(),
            shopper,
            staff,
        })
    }

    /// Sends one message, and decides on the proposals that it led to. The inner error is a difference that fails the conversation.
    async fn turn(&self, text: &str, decision: Decision) -> Result<Result<(), String>, CliError> {
        let answer = send(
            self.http
                .post(format!("{}/v1/chat/send", self.url))
                .bearer_auth(&self.shopper)
                .json(&json!({ "text": text })),
        )
        .await?;
        for proposal in answer["proposals"].as_array().into_iter().flatten() {
            if let Err(difference) = self.decide(proposal, decision).await? {
                return Ok(Err(difference));
            }
        }
        Ok(Ok(()))
    }

    async fn decide(&self, proposal: &Value, decision: Decision) -> Result<Result<(), String>, CliError> {
        let (id, shown) = (
            proposal["id"].as_str().unwrap_or_default(),
            json!({ "digest": proposal["digest"] }),
        );
        let asked = proposal["awaiting"].as_str().unwrap_or_default();
        let (path, token, body) = match (decision, asked) {
            (Decision::Leave, _) => return Ok(Ok(())),
            (Decision::Reject, _) => (
                format!("/v1/staff/proposals/{id}/reject"),
                &self.staff,
                json!({ "reason": "as the script says" }),
            ),
            (Decision::Approve, "shopper") => (format!("/v1/proposals/{id}/confirm"), &self.shopper, shown),
            (Decision::Approve, "staff") => (format!("/v1/staff/proposals/{id}/approve"), &self.staff, shown),
            (Decision::Approve, _) => (String::new(), &self.staff, Value::Null),
        };
        if !path.is_empty() {
            send(
                self.http
                    .post(format!("{}{path}", self.url))
                    .bearer_auth(token)
                    .json(&body),
            )
            .await?;
        }
        for _ in 0..1_000 {
            let now = send(
                self.http
                    .get(format!("{}/v1/proposals/{id}", self.url))
                    .bearer_auth(&self.shopper),
            )
            .await?;
            match now["state"].as_str().unwrap_or_default() {
                "executed" | "rejected" => return Ok(Ok(())),
                "pending" | "approved" | "executing" => tokio::time::sleep(Duration::from_millis(10)).await,
                ended => return Ok(Err(format!("a proposal ended {ended}"))),
            }
        }
        Ok(Err("a proposal was not executed in 10 s".into()))
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Value, CliError> {
    let failed = |error: reqwest::Error| CliError::Io(std::io::Error::other(error));
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body: Value = response.json().await.map_err(failed)?;
    if status.is_success() {
        Ok(body)
    } else {
        Err(CliError::Io(std::io::Error::other(format!(
            "{status}: {}",
            body["detail"]
        ))))
    }
}
