//! Creates roles and schema. Run by `countersign migrate` with the credentials of the owner or an administrator, never by `serve`.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

use super::{Executor, Reader, Role, Web, pools::DatabaseSettings, schema::MIGRATIONS};

/// The role that owns every table and migrates. It cannot log in: an administrator becomes it with SET ROLE.
pub const OWNER: &str = "countersign_owner";

/// Postgres's code of the error that a database does not exist.
const INVALID_CATALOG_NAME: &str = "3D000";

/// How often a role is tried while another process changes it.
const ROLE_TRIES: u32 = 10;

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot connect to the database with DATABASE_ADMIN_URL")]
    Connect(#[source] sqlx::Error),
    #[error(
        "there is no database `{0}` on that server; create it with `createdb {0}`, then run `countersign migrate` again"
    )]
    NoDatabase(String),
    #[error(
        "cannot set up the role {0}; `migrate` needs a Postgres user that may create roles (CREATEROLE or superuser)"
    )]
    Role(&'static str, #[source] sqlx::Error),
    #[error("cannot hand the database to {OWNER}")]
    Ownership(#[source] sqlx::Error),
    #[error("a migration failed; nothing of it was kept")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Creates missing roles, sets their passwords and migrates the schema. Safe to run again.
pub async fn migrate(admin: &PgConnectOptions, settings: &DatabaseSettings) -> Result<(), MigrateError> {
    let mut connection = connect(admin).await?;
    ensure_role(&mut connection, OWNER, None)
        .await
        .map_err(|e| MigrateError::Role(OWNER, e))?;
    for (role, password) in [
        (Reader::NAME, &settings.reader_password),
        (Web::NAME, &settings.web_password),
        (Executor::NAME, &settings.executor_password),
    ] {
        ensure_role(&mut connection, role, Some(password))
            .await
            .map_err(|e| MigrateError::Role(role, e))?;
    }
    become_owner(&mut connection).await.map_err(MigrateError::Ownership)?;
    MIGRATIONS.run(&mut connection).await?;
    // So that a server can check that the schema is the one it was built for.
    sqlx::raw_sql("GRANT SELECT ON _sqlx_migrations TO countersign_web")
        .execute(&mut connection)
        .await
        .map_err(MigrateError::Ownership)?;
    Ok(())
}

/// Marks a restored database as one whose proofs were ended. `ops/restore` sets the mark.
pub async fn clear_restored(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET app.restored', current_database()); END $$")
        .execute(connection)
        .await
        .map(drop)
}

async fn connect(admin: &PgConnectOptions) -> Result<PgConnection, MigrateError> {
    let is_missing = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.as_deref() == Some(INVALID_CATALOG_NAME)
    };
    PgConnection::connect_with(admin)
        .await
        .map_err(|error| match admin.get_database() {
            Some(name) if is_missing(&error) => MigrateError::NoDatabase(name.to_owned()),
            _ => MigrateError::Connect(error),
        })
}

/// Creates a role or sets its password. Roles are shared by all databases of a server, but locks are not: a migration of another database
/// may change the same role at the same time, and Postgres then refuses one of the two.
async fn ensure_role(
    connection: &mut PgConnection,
    role: &'static str,
    password: Option<&SecretString>,
) -> Result<(), sqlx::Error> {
    for _ in 0..ROLE_TRIES {
        match try_role(connection, role, password).await {
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("XX000" | "23505" | "42710")) => {}
            done => return done,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    try_role(connection, role, password).await
}

async fn try_role(
    connection: &mut PgConnection,
    role: &'static str,
    password: Option<&SecretString>,
) -> Result<(), sqlx::Error> {
    // Neither CREATE ROLE nor ALTER ROLE takes parameters: the values are passed as settings, and format('%L') quotes them.
    let password = password.map(ExposeSecret::expose_secret).unwrap_or_default();
    sqlx::query("SELECT set_config('countersign.role', $1, false), set_config('countersign.password', $2, false)")
        .bind(role)
        .bind(password)
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(
        r#"DO $$
        DECLARE
            role text := current_setting('countersign.role');
            password text := current_setting('countersign.password');
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('countersign roles'));
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT NOLOGIN', role);
            END IF;
            IF password <> '' THEN
                EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, password);
            END IF;
            PERFORM set_config('countersign.password', '', false);
        END $$"#,
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn become_owner(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let statement = format!(
        r#"DO $$ BEGIN
            IF NOT pg_has_role(current_user, '{OWNER}', 'MEMBER') THEN GRANT {OWNER} TO CURRENT_USER; END IF;
            EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO {OWNER}', current_database());
            EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO {reader}, {web}, {executor}', current_database());
            GRANT USAGE, CREATE ON SCHEMA public TO {OWNER};
            GRANT USAGE ON SCHEMA public TO {reader}, {web}, {executor};
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        END $$;
        SET ROLE {OWNER};
        -- Whoever waits for a lock makes everybody else wait behind it: better to fail and be run again.
        SET lock_timeout = '5s'"#,
        reader = Reader::NAME,
        web = Web::NAME,
        executor = Executor::NAME,
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}
