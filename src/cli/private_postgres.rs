//! A private Postgres for `demo`, `replay` and the tests. It runs in a temporary folder on a Unix socket, and is removed when the process
//! that started it ends, however that happens.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

/// A shell script that runs Postgres and waits for the end of its standard input, which means that the process at the other end is gone, by
/// exit or by SIGKILL. It then stops Postgres and removes the folder. It has its own process group, so that Ctrl-C does not reach it.
const SUPERVISOR: &str = r#"
"$BIN/initdb" -D "$DIR/data" -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions >"$DIR/log" 2>&1 || exit 1
"$BIN/postgres" -D "$DIR/data" -k "$DIR" -c listen_addresses= -c max_connections=400 -c shared_buffers=128MB $FLAGS >>"$DIR/log" 2>&1 </dev/null &
postgres=$!
read -r _
kill -INT $postgres
wait $postgres
cd / && rm -rf "$DIR"
"#;

#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    #[error(
        "no Postgres server was found on this machine: install one (Debian: `apt-get install postgresql`), or set DATABASE_URL to one that runs"
    )]
    NotFound,
    #[error("Postgres refuses to run as root, and this machine has no user `postgres` or `nobody` to run it as")]
    NoUser,
    #[error("the private Postgres did not start; its log ends: {0}")]
    DidNotStart(String),
    #[error("the private Postgres could not be prepared")]
    Io(#[from] io::Error),
}

/// A running private Postgres. It stops when it is dropped.
pub struct PrivatePostgres {
    folder: PathBuf,
    supervisor: Child,
    /// The supervisor's standard input. Postgres stops when it is closed.
    alive: Option<ChildStdin>,
}

impl PrivatePostgres {
    /// Starts a private Postgres. `durable` keeps fsync on; tests turn it off to be faster.
    pub async fn start(durable: bool) -> Result<Self, PrivatePostgresError> {
        let binaries = find_binaries().await?;
        let user = unprivileged_user()?;
        let folder = tempfile::Builder::new().prefix("countersign-pg-").tempdir()?.keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let mut command = match &user {
            Some(user) => {
                chown(&folder, Some(user.id), None)?;
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user.name, "--clear-groups", "--", "sh", "-c", SUPERVISOR]);
                command
            }
            None => {
                let mut command = Command::new("sh");
                command.args(["-c", SUPERVISOR]);
                command
            }
        };
        let flags = if durable {
            ""
        } else {
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        };
        let mut supervisor = command
            .env("BIN", &binaries)
            .env("DIR", &folder)
            .env("FLAGS", flags)
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let alive = supervisor.stdin.take();
        let mut postgres = Self {
            folder,
            supervisor,
            alive,
        };
        postgres.wait_until_ready().await?;
        Ok(postgres)
    }

    /// The superuser's connection to `database`.
    pub fn admin(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .username("postgres")
            .database(database)
    }

    /// The connection to `database`, without a user.
    pub fn address(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .database(database)
    }

    /// The folder of its Unix socket, which is the `host` of a connection.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    async fn wait_until_ready(&mut self) -> Result<(), PrivatePostgresError> {
        for _ in 0..400 {
            if let Ok(connection) = PgConnection::connect_with(&self.admin("postgres")).await {
                let _ = connection.close().await;
                return Ok(());
            }
            if self.supervisor.try_wait()?.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        Err(PrivatePostgresError::DidNotStart(
            tail.into_iter().rev().collect::<Vec<_>>().join(" / "),
        ))
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.supervisor.wait();
    }
}

/// The newest local server's `bin` folder, or a downloaded one.
async fn find_binaries() -> Result<PathBuf, PrivatePostgresError> {
    #[allow(clippy::disallowed_methods, reason = "where programs are is no setting")]
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    // Debian, Red Hat and Homebrew install Postgres in these folders.
    let mut versioned = [
        glob("/usr/lib/postgresql", "bin"),
        glob("/usr", "bin"),
        glob("/opt/homebrew/opt", "bin"),
    ]
    .concat();
    versioned.sort_by_key(|path| std::cmp::Reverse(version_in(path)));
    let usual = versioned
        .into_iter()
        .chain(on_path)
        .chain([PathBuf::from("/usr/local/pgsql/bin")]);
    match usual
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
    {
        // Debian links only some programs into the PATH; the others are where the link points.
        Some(folder) => Ok(fs::canonicalize(folder.join("postgres"))?
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or(folder)),
        None => download().await,
    }
}

/// The folders `parent/*/leaf` that contain `initdb`.
fn glob(parent: &str, leaf: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path().join(leaf))
        .filter(|path| path.join("initdb").exists())
        .collect()
}

fn version_in(path: &Path) -> u32 {
    let digits = path
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect::<String>();
    digits.parse().unwrap_or(0)
}

#[cfg(feature = "postgres-download")]
async fn download() -> Result<PathBuf, PrivatePostgresError> {
    eprintln!("no Postgres on this machine: downloading one (about 30 MB, once)");
    let mut postgres = postgresql_embedded::PostgreSQL::new(postgresql_embedded::Settings::default());
    postgres.setup().await.map_err(|_| PrivatePostgresError::NotFound)?;
    Ok(postgres.settings().binary_dir())
}

#[cfg(not(feature = "postgres-download"))]
async fn download() -> Result<PathBuf, PrivatePostgresError> {
    Err(PrivatePostgresError::NotFound)
}

struct User {
    name: &'static str,
    id: u32,
}

/// The user to run Postgres as. None means the current user; root needs another one.
fn unprivileged_user() -> Result<Option<User>, PrivatePostgresError> {
    if id_of(None)? != Some(0) {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(id) = id_of(Some(name))? {
            return Ok(Some(User { name, id }));
        }
    }
    Err(PrivatePostgresError::NoUser)
}

fn id_of(user: Option<&str>) -> io::Result<Option<u32>> {
    let output = Command::new("id").arg("-u").args(user).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}
