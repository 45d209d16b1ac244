//! The server and the worker as separate processes that a test can signal and kill.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{TestApp, database};

/// The secret key of every process and of the server in this process, so that all of them accept the same tokens.
pub const SECRET_KEY: &str = "secret key of the tests, long enough";

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Environment variables with which another program connects to the app's database.
pub async fn database_environment(app: &TestApp) -> [(&'static str, String); 4] {
    let socket = database::postgres().await.socket_folder();
    let url = format!("postgres://localhost/{}?host={}", app.database, socket.display());
    [
        ("DATABASE_URL", url),
        ("DATABASE_READER_PASSWORD", "reader-of-the-tests".into()),
        ("DATABASE_WEB_PASSWORD", "web-of-the-tests".into()),
        ("DATABASE_EXECUTOR_PASSWORD", "executor-of-the-tests".into()),
    ]
}

pub struct Process {
    child: Child,
    /// The URL that a server listens on. A worker does not listen.
    pub url: String,
    log: tempfile::NamedTempFile,
}

impl Process {
    /// Starts `countersign serve` and waits until it is healthy.
    pub async fn serve(app: &TestApp) -> Self {
        Self::serve_with(app, &[]).await
    }

    /// Starts `countersign serve` with additional environment variables.
    pub async fn serve_with(app: &TestApp, environment: &[(&str, &str)]) -> Self {
        let process = Self::spawn(app, "serve", environment).await;
        for _ in 0..400 {
            let health = app.http.get(format!("{}/health", process.url)).send().await;
            if health.is_ok_and(|response| response.status().is_success()) {
                return process;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the server did not become healthy");
    }

    /// Starts `countersign worker` and waits until it has registered with the job queue.
    pub async fn worker(app: &TestApp) -> Self {
        Self::worker_with(app, &[]).await
    }

    /// Starts `countersign worker` with additional environment variables.
    pub async fn worker_with(app: &TestApp, environment: &[(&str, &str)]) -> Self {
        // The start time of the newest worker is compared, because a worker that was killed may still be registered.
        let signed_on = "SELECT coalesce(extract(epoch FROM max(started_at)) * 1000000, 0)::bigint FROM graphile_worker._private_workers";
        let before = app.count(signed_on).await;
        let process = Self::spawn(app, "worker", environment).await;
        for _ in 0..400 {
            if app.count(signed_on).await > before {
                return process;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the worker did not sign on");
    }

    async fn spawn(app: &TestApp, command: &str, environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let log = tempfile::NamedTempFile::new().expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg(command)
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .envs(database_environment(app).await)
            .env("DATABASE_CONNECTIONS", "8")
            .env("MODEL", "openai")
            .env("OPENAI_BASE_URL", app.model.base_url())
            .env("OPENAI_API_KEY", "sk-fake")
            .env("OPENAI_MODEL", "fake")
            .env("MODEL_PRICES", "fake=1/2")
            .env("SECRET_KEY", SECRET_KEY)
            .env("SMTP_URL", app.mailbox.url())
            .env("MAIL_FROM", "shop@shop.example")
            .env("PUBLIC_URL", format!("http://127.0.0.1:{port}"))
            .env("LIMIT_SIGN_IN_PER_SECOND", "1000")
            .env("LIMIT_ACCOUNT_PER_SECOND", "1000")
            .env("LIMIT_ADDRESS_PER_SECOND", "1000")
            .env("SHUTDOWN_GRACE_SECONDS", "1")
            .env("RUN_WORKER", "no")
            // A question at the start would take the replies that a test has scripted.
            .env("MODEL_CHECK_SECONDS", "0")
            .envs(environment.iter().copied())
            .stdout(Stdio::from(log.reopen().expect("the file")))
            .stderr(Stdio::from(log.reopen().expect("the file")))
            .spawn()
            .expect("starts");
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            log,
        }
    }

    /// Everything that the process wrote to standard output and standard error so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log.path()).expect("the file");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn signal(&self, name: &str) {
        Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .expect("signals");
    }

    /// Sends SIGTERM and waits until the process has exited.
    pub async fn stop(&mut self) {
        self.signal("-TERM");
        self.wait_for_exit().await;
    }

    /// Waits until the process has exited.
    pub async fn wait_for_exit(&mut self) {
        for _ in 0..3000 {
            if self.child.try_wait().expect("waits").is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the process did not stop");
    }

    /// Sends SIGKILL and waits until the process has exited.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
