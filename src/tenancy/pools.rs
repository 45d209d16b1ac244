//! The database pools: one for each role, each with its own credentials.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use tokio::time::timeout;
use tracing::Instrument;

use super::{
    schema::newest_migration,
    tx::{Executor, Reader, Role, Scope, Tx, Web},
};

/// The address of the database, and how each role signs in to it.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Host, port, database and TLS, without credentials.
    pub address: PgConnectOptions,
    pub reader_password: SecretString,
    pub web_password: SecretString,
    pub executor_password: SecretString,
    /// The connections of the reader's and of the web pool each; the executor's pool has half as many.
    pub connections: u32,
    /// How long a request waits for a connection, and how long Postgres may run one statement.
    pub deadline: Duration,
    pub pooler: Pooler,
}

/// The connection pooler between a pool and Postgres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    #[default]
    None,
    /// PgBouncer in transaction mode, or the like: session settings last only for one transaction.
    Transaction,
}

impl DatabaseSettings {
    /// The connect options of one role.
    pub fn options<R: Role>(&self, password: &SecretString) -> PgConnectOptions {
        let options = self
            .address
            .clone()
            .username(R::NAME)
            .password(password.expose_secret())
            .application_name("countersign");
        match self.pooler {
            Pooler::None => options.options(self.session()),
            Pooler::Transaction => options,
        }
    }

    /// The statements that a transaction begins with, besides its scope.
    fn prologue(&self) -> String {
        match self.pooler {
            Pooler::None => String::new(),
            Pooler::Transaction => {
                let settings = self
                    .session()
                    .map(|(name, value)| format!("; SET LOCAL {name} = '{value}'"));
                settings.concat()
            }
        }
    }

    /// Session settings. Every statement here finds its rows by an index, so planning it again for each value costs more than running it. A
    /// plan made while a table was empty must not keep scanning the whole table.
    fn session(&self) -> [(&'static str, String); 4] {
        [
            ("statement_timeout", self.deadline.as_millis().to_string()),
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("jit", "off".to_owned()),
        ]
    }
}

/// The connections of one role. Code gets them only inside a [`Tx`].
pub struct Pool<R: Role> {
    inner: PgPool,
    deadline: Duration,
    prologue: Arc<str>,
    role: PhantomData<R>,
}

impl<R: Role> Clone for Pool<R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            deadline: self.deadline,
            prologue: self.prologue.clone(),
            role: PhantomData,
        }
    }
}

impl<R: Role> Pool<R> {
    fn open(settings: &DatabaseSettings, password: &SecretString, connections: u32) -> Self {
        let inner = PgPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(settings.deadline)
            // sqlx already checks a connection when it is returned; a second check when it is taken would cost a round trip.
            .test_before_acquire(false)
            .connect_lazy_with(settings.options::<R>(password));
        Self {
            inner,
            deadline: settings.deadline,
            prologue: settings.prologue().into(),
            role: PhantomData,
        }
    }

    /// Begins a transaction that sees only `scope`. One round trip.
    pub async fn begin(&self, scope: Scope) -> Result<Tx<R>, sqlx::Error> {
        let span = tracing::info_span!(
            "transaction",
            db.system.name = "postgresql",
            role = R::NAME,
            otel.kind = "client"
        );
        let begin = scope.begin::<R>() + &self.prologue;
        let tx = self.unscoped(|pool| {
            let begin = begin.clone();
            async move { pool.begin_with(AssertSqlSafe(begin)).await }
        });
        Ok(Tx::new(tx.instrument(span.clone()).await?, scope, span))
    }

    /// Whether Postgres answers.
    pub async fn is_reachable(&self) -> bool {
        self.unscoped(|pool| async move { sqlx::query("SELECT 1").execute(&pool).await })
            .await
            .is_ok()
    }

    /// Whether the schema is at least the one that this release was built for.
    pub async fn has_schema(&self) -> bool {
        // Not a checked query, because the table belongs to the migrator.
        let newest = self.unscoped(|pool| async move {
            sqlx::query_scalar::<_, Option<i64>>("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&pool)
                .await
        });
        newest.await.is_ok_and(|newest| newest >= Some(newest_migration()))
    }

    /// Whether this role could bypass row-level security: a superuser, or one with BYPASSRLS.
    pub async fn can_bypass_row_security(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(
            r#"SELECT rolsuper OR rolbypassrls AS "powerful!" FROM pg_roles WHERE rolname = current_user"#
        )
        .fetch_one(&self.inner)
        .await
    }

    /// Whether the database was restored from a backup and its proofs were not ended yet. `ops/restore` sets it on the database.
    pub async fn is_restored(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(r#"SELECT coalesce(current_setting('app.restored', true), '') = 'yes' AS "restored!""#)
            .fetch_one(&self.inner)
            .await
    }

    /// Runs statements without a bound scope: the few that bind their own (`find_session`) or need none (`tenants` by its slug).
    ///
    /// After a restart of Postgres the pool holds dead connections, so `run` may be called again: it must be safe to repeat.
    pub(crate) async fn unscoped<T, F>(&self, run: impl Fn(PgPool) -> F + Send) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        // Postgres enforces the deadline of a statement, but not when its host does not respond at all.
        let in_time = async || match timeout(self.deadline * 2, run(self.inner.clone())).await {
            Ok(result) => result,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        };
        for _ in 0..self.inner.size() {
            match in_time().await {
                Err(error) if is_dead_connection(&error) => {}
                result => return result,
            }
        }
        in_time().await
    }
}

fn is_dead_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // 57P01..57P03: the server is shutting down or starting; 08xxx: connection exceptions.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P0") || code.starts_with("08")),
        _ => false,
    }
}

/// The three pools, one for each database role. The pool that a part of the program is given decides what it can do.
#[derive(Clone)]
pub struct Pools {
    pub reader: Pool<Reader>,
    pub web: Pool<Web>,
    pub executor: Pool<Executor>,
}

impl Pools {
    /// The connections of each role: how many are idle, and how many in use.
    pub fn connections(&self) -> [(&'static str, usize, usize); 3] {
        let count = |name, pool: &PgPool| {
            (
                name,
                pool.num_idle(),
                (pool.size() as usize).saturating_sub(pool.num_idle()),
            )
        };
        [
            count("reader", &self.reader.inner),
            count("web", &self.web.inner),
            count("executor", &self.executor.inner),
        ]
    }

    /// Closes every connection.
    pub async fn close(&self) {
        tokio::join!(
            self.reader.inner.close(),
            self.web.inner.close(),
            self.executor.inner.close()
        );
    }
}

/// Opens the pools. Connections are made on first use, so this does not fail when Postgres is down.
pub fn connect(settings: &DatabaseSettings) -> Pools {
    Pools {
        reader: Pool::open(settings, &settings.reader_password, settings.connections),
        web: Pool::open(settings, &settings.web_password, settings.connections),
        executor: Pool::open(settings, &settings.executor_password, settings.connections / 2),
    }
}
