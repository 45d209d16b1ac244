//! One private Postgres for the whole test run, one database for each test.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use countersign::{
    cli::{migrate, private_postgres::PrivatePostgres},
    tenancy::{DatabaseSettings, Pooler},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

static POSTGRES: OnceCell<PrivatePostgres> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);
const TEMPLATE: &str = "countersign_template";

/// The Postgres of this run. It stops when the process does.
pub async fn postgres() -> &'static PrivatePostgres {
    POSTGRES
        .get_or_init(|| async {
            let postgres = PrivatePostgres::start(false).await.expect("a private Postgres");
            run(&postgres.admin("postgres"), &format!("CREATE DATABASE {TEMPLATE}")).await;
            migrate(&postgres.admin(TEMPLATE), &settings(postgres.address(TEMPLATE)))
                .await
                .expect("migrates");
            postgres
        })
        .await
}

/// Creates a migrated database for one test and returns its name.
pub async fn create() -> String {
    let postgres = postgres().await;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    run(
        &postgres.admin("postgres"),
        &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"),
    )
    .await;
    name
}

/// Settings with which the server's roles connect to `address`. The private Postgres trusts its socket and accepts any password.
pub fn settings(address: PgConnectOptions) -> DatabaseSettings {
    DatabaseSettings {
        address,
        reader_password: "reader-of-the-tests".into(),
        web_password: "web-of-the-tests".into(),
        executor_password: "executor-of-the-tests".into(),
        connections: 6,
        deadline: Duration::from_secs(5),
        pooler: Pooler::None,
    }
}

async fn run(admin: &PgConnectOptions, statement: &str) {
    let mut connection = PgConnection::connect_with(admin).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await
        .expect("runs");
}
