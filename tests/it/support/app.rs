//! A running server with two stores that hold the same shoppers and order numbers.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use countersign::{
    cli::{import, serve},
    clock::Clock,
    config::{Limits, ModelSettings, Settings},
    identity::{StaffRole, shoppers},
    integrations::credentials::{self, Kind},
    keyring::Keyring,
    model::{Deadlines, EndpointSettings},
    tenancy::{self, Executor, Pools, Scope, StoreKey, Tenant, Tx},
};
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    FakeOpenAi, Mailbox, PASSWORD, STORE, TestShopper, TestStaff, database, process::SECRET_KEY, shopper::answer,
};

/// Deadlines that are longer than any delay of the fake model which a test expects an answer from.
pub const LONG_DEADLINES: Deadlines = Deadlines {
    first_chunk: Duration::from_secs(5),
    total: Duration::from_secs(10),
};

/// A server in this process, on a free loopback port. It stops when it is dropped.
pub struct TestApp {
    pub url: String,
    pub http: reqwest::Client,
    pub model: FakeOpenAi,
    pub mailbox: Mailbox,
    pub clock: Clock,
    pub pools: Pools,
    pub database: String,
    pub store: TestStore,
    /// Another store on the same server, with shoppers and orders of the same names.
    pub other_store: TestStore,
    pub settings: Settings,
    _stop: DropGuard,
}

pub struct TestStore {
    pub tenant: Tenant,
    pub key: StoreKey,
}

impl TestApp {
    /// Starts the server with a fake OpenAI endpoint as its model.
    pub async fn start() -> Self {
        let model = FakeOpenAi::start().await;
        let settings = openai(&model, LONG_DEADLINES);
        Self::start_with(model, settings).await
    }

    /// Starts the server with the fallback rules.
    pub async fn offline() -> Self {
        Self::start_with(FakeOpenAi::start().await, ModelSettings::Offline).await
    }

    /// Starts the server with a fake OpenAI endpoint and without the worker, so that no job is run.
    pub async fn without_worker() -> Self {
        let model = FakeOpenAi::start().await;
        let settings = openai(&model, LONG_DEADLINES);
        Self::build(model, settings, false, |_| ()).await
    }

    pub async fn start_with(model: FakeOpenAi, model_settings: ModelSettings) -> Self {
        Self::build(model, model_settings, true, |_| ()).await
    }

    /// Starts the server with the fallback rules and changed settings.
    pub async fn offline_with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        Self::build(FakeOpenAi::start().await, ModelSettings::Offline, true, change).await
    }

    /// Starts the server with a fake OpenAI endpoint and changed settings.
    pub async fn start_with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        let model = FakeOpenAi::start().await;
        let settings = openai(&model, LONG_DEADLINES);
        Self::build(model, settings, true, change).await
    }

    /// With this model, and settings changed before the start.
    pub async fn start_changed_with(
        model: FakeOpenAi,
        model_settings: ModelSettings,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::build(model, model_settings, true, change).await
    }

    async fn build(
        model: FakeOpenAi,
        model_settings: ModelSettings,
        run_worker: bool,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let database = database::create().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let database_settings = database::settings(database::postgres().await.address(&database));
        let mailbox = Mailbox::start().await;
        let mut settings = Settings {
            keyring: Arc::new(Keyring::new(&SECRET_KEY.into(), None)),
            mail: mailbox.settings(),
            limits: Limits::wide(),
            run_worker,
            ..Settings::on_loopback(address, database_settings, model_settings)
        };
        change(&mut settings);
        let pools = tenancy::connect(&settings.database);
        let store = TestStore::create(&pools, "one").await;
        let other_store = TestStore::create(&pools, "two").await;
        let clock = Clock::system();
        let stop = CancellationToken::new();
        let (running_settings, running_pools, running_clock) = (settings.clone(), pools.clone(), clock.clone());
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            {
                let model = serve::model(&running_settings.model);
                serve::serve(
                    listener,
                    &running_settings,
                    &running_pools,
                    running_clock,
                    model,
                    stopped,
                )
            }
            .await
        });
        Self {
            url: format!("http://{address}"),
            http: reqwest::Client::new(),
            model,
            mailbox,
            clock,
            pools,
            database,
            store,
            other_store,
            settings,
            _stop: stop.drop_guard(),
        }
    }

    /// Starts a second replica on the same database and returns its URL. Dropping the guard stops it.
    pub async fn replica(&self) -> (String, DropGuard) {
        self.replica_with(|_| ()).await
    }

    /// Starts a second replica with changed settings.
    pub async fn replica_with(&self, change: impl FnOnce(&mut Settings)) -> (String, DropGuard) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let (mut settings, clock) = (self.settings.clone(), self.clock.clone());
        change(&mut settings);
        tokio::spawn(async move {
            let pools = tenancy::connect(&settings.database);
            {
                let model = serve::model(&settings.model);
                serve::serve(listener, &settings, &pools, clock, model, stopped)
            }
            .await
        });
        (url, stop.drop_guard())
    }

    /// The OpenAPI document that the server serves.
    pub async fn document(&self) -> serde_json::Value {
        answer(self.http.get(format!("{}/openapi.json", self.url))).await.1
    }

    /// A POST request that carries the first store's publishable key.
    pub fn with_store_key(&self, path: &str, body: serde_json::Value) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.url));
        request.header("x-store-key", self.store.key.as_str()).json(&body)
    }

    /// Opens a guest session of the first store over HTTP.
    pub async fn guest(&self) -> TestShopper {
        let (status, opened) = answer(self.with_store_key("/v1/sessions/guest", serde_json::json!({}))).await;
        assert_eq!(status, reqwest::StatusCode::CREATED, "{opened}");
        TestShopper::with_token(self, opened["token"].as_str().expect("a token"))
    }

    /// Logs a shopper of the first store in over HTTP.
    pub async fn shopper(&self, id: &str) -> TestShopper {
        TestShopper::log_in(self, &self.store, id).await
    }

    /// Logs the shopper of that name in the second store in over HTTP.
    pub async fn shopper_of_other_store(&self, id: &str) -> TestShopper {
        TestShopper::log_in(self, &self.other_store, id).await
    }

    /// Adds a member of the first store's staff and logs it in over HTTP.
    pub async fn staff(&self, email: &str, role: StaffRole) -> TestStaff {
        TestStaff::log_in(self, &self.store, email, role).await
    }

    /// A connection as the superuser, who is not bound by row-level security and sees every row.
    pub async fn superuser(&self) -> PgConnection {
        let admin = database::postgres().await.admin(&self.database);
        PgConnection::connect_with(&admin).await.expect("connects")
    }

    /// A transaction of the executor role in the first store.
    pub async fn executor_tx(&self) -> Tx<Executor> {
        let scope = Scope::tenant(self.store.tenant.id);
        self.pools.executor.begin(scope).await.expect("begins")
    }

    /// Stores a credential of another system for the first store.
    pub async fn give_secret(&self, kind: Kind, url: Option<&str>, secret: &str) {
        let mut tx = self.executor_tx().await;
        credentials::add(&mut tx, &self.settings.keyring, kind, url, &secret.into(), Utc::now())
            .await
            .expect("added");
        tx.commit().await.expect("commits");
    }

    /// Executes SQL as the superuser, bypassing the server.
    pub async fn execute_sql(&self, statement: &'static str) {
        let mut superuser = self.superuser().await;
        sqlx::raw_sql(statement).execute(&mut superuser).await.expect("runs");
    }

    /// Makes every queued job due now.
    pub async fn make_jobs_due(&self) {
        let statement =
            "UPDATE graphile_worker._private_jobs SET run_at = now() WHERE run_at > now() AND locked_at IS NULL";
        sqlx::raw_sql(statement)
            .execute(&mut self.superuser().await)
            .await
            .expect("runs");
    }

    /// Waits until a query that returns one number returns `expected`. It panics after about 15 seconds.
    pub async fn wait_for_count(&self, query: &'static str, expected: i64) {
        let mut found = 0;
        for _ in 0..600 {
            found = self.count(query).await;
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{query}: {found}, not {expected}");
    }

    /// Runs a query that returns one number.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.superuser().await)
            .await
            .expect("counts")
    }
}

/// Model settings for the fake endpoint, with a price of zero.
pub fn free(model: &FakeOpenAi) -> ModelSettings {
    ModelSettings::Endpoint(EndpointSettings {
        price: "0/0".parse().expect("a price"),
        ..endpoint(model, LONG_DEADLINES)
    })
}

/// Model settings for the fake endpoint.
pub fn openai(model: &FakeOpenAi, deadlines: Deadlines) -> ModelSettings {
    ModelSettings::Endpoint(endpoint(model, deadlines))
}

/// The settings of the fake endpoint itself.
pub fn endpoint(model: &FakeOpenAi, deadlines: Deadlines) -> EndpointSettings {
    let price = "1/2".parse().expect("a price");
    EndpointSettings {
        deadlines,
        ..EndpointSettings::new(model.base_url(), "sk-fake".into(), "fake-model".to_owned(), price)
    }
}

impl TestStore {
    async fn create(pools: &Pools, slug: &str) -> Self {
        let currency = "USD".parse().expect("a currency");
        let (tenant, key) = tenancy::create(&pools.executor, slug, &format!("Store {slug}"), currency)
            .await
            .expect("founded");
        tenancy::use_demo_payments(&pools.executor, tenant.id)
            .await
            .expect("set");
        let lines = STORE.lines().map(|line| Ok(line.to_owned()));
        let report = import::from_lines(&pools.executor, &tenant, lines)
            .await
            .expect("imports");
        assert_eq!(report.rejected, [], "the demo store imports whole");
        for shopper in ["mia", "noah"] {
            shoppers::set_password(&pools.executor, &tenant, shopper, PASSWORD.into(), Utc::now())
                .await
                .expect("set");
        }
        Self { tenant, key }
    }
}
