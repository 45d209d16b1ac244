//! A real browser before the demo: Debian's chromium and chromedriver.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use super::{database, process::free_port};

/// The demo as a process, in a database of the tests.
pub struct Demo {
    child: Child,
    pub url: String,
    pub control: String,
    pub key: String,
    database: String,
    pub http: reqwest::Client,
}

impl Demo {
    pub async fn start() -> Self {
        let database = database::create().await;
        let socket = database::postgres().await.socket_folder();
        let (api, control) = (free_port(), free_port());
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args([
                "demo",
                "--listen",
                &format!("127.0.0.1:{api}"),
                "--control",
                &format!("127.0.0.1:{control}"),
            ])
            .env(
                "DATABASE_URL",
                format!("postgres://postgres@localhost/{database}?host={}", socket.display()),
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("starts");
        let printed = BufReader::new(child.stdout.take().expect("a pipe"))
            .lines()
            .map_while(Result::ok);
        let started = tokio::task::spawn_blocking(move || {
            let mut printed = printed;
            let found = printed.any(|line| line.contains("1. Log in"));
            // The rest is read, so that the demo never waits for a reader.
            std::thread::spawn(move || printed.for_each(drop));
            found
        });
        assert!(started.await.expect("reads"), "the demo starts");
        let control = format!("http://127.0.0.1:{control}");
        let http = reqwest::Client::new();
        let facts: Value = http
            .get(&control)
            .send()
            .await
            .expect("answers")
            .json()
            .await
            .expect("JSON");
        Self {
            child,
            url: format!("http://127.0.0.1:{api}"),
            control,
            key: facts["store_key"].as_str().expect("a key").to_owned(),
            database,
            http,
        }
    }

    /// Has the model say something.
    pub async fn model_says(&self, orders: Value) {
        let request = self
            .http
            .post(format!("{}/model/orders", self.control))
            .json(&json!({ "orders": orders }));
        assert!(request.send().await.expect("answers").status().is_success());
    }

    /// The mails to somebody, the newest first.
    pub async fn mails(&self, to: &str) -> Vec<Value> {
        let mails = self.http.get(format!("{}/mails?to={to}", self.control));
        let mails: Value = mails.send().await.expect("answers").json().await.expect("JSON");
        mails["mails"].as_array().expect("a list").clone()
    }

    /// The newest mail to somebody once it holds `words`.
    pub async fn mail_with(&self, to: &str, words: &str) -> Value {
        for _ in 0..400 {
            let found = self
                .mails(to)
                .await
                .into_iter()
                .find(|mail| mail["text"].as_str().is_some_and(|text| text.contains(words)));
            if let Some(mail) = found {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no mail to {to} with {words:?}");
    }

    /// Does what no API does, as the superuser.
    pub async fn meddle(&self, statement: &str) {
        let admin = database::postgres().await.admin(&self.database);
        let mut connection = PgConnection::connect_with(&admin).await.expect("connects");
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .expect("runs");
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        let admin = database::postgres().await.admin(&self.database);
        let mut connection = PgConnection::connect_with(&admin).await.expect("connects");
        sqlx::query_scalar(query)
            .fetch_one(&mut connection)
            .await
            .expect("a number")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser's window, and what its pages complained of.
pub struct Browser {
    pub client: Client,
    /// Leads a group of processes: the browser's own are in it.
    driver: Child,
    /// What the browser keeps; gone with it.
    _profile: TempDir,
    /// Lines of the console that are no fault of ours.
    pub forgives: Vec<&'static str>,
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    pub async fn open() -> Self {
        Self::with(json!({})).await
    }

    /// One whose owner lets no site keep anything.
    pub async fn that_keeps_nothing() -> Self {
        Self::with(json!({ "profile.default_content_setting_values.cookies": 2 })).await
    }

    async fn with(preferences: Value) -> Self {
        let (port, profile) = (free_port(), tempfile::tempdir().expect("a folder"));
        #[allow(
            clippy::zombie_processes,
            reason = "its end is waited for in Drop, or the test has failed"
        )]
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .process_group(0)
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: apt-get install chromium chromium-driver");
        let options = json!({ "prefs": preferences, "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900", "--lang=en", format!("--user-data-dir={}", profile.path().display())] });
        let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        for _ in 0..100 {
            let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
                .capabilities(capabilities.clone())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await;
            if let Ok(client) = client {
                return Self {
                    client,
                    driver,
                    _profile: profile,
                    forgives: Vec::new(),
                };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the browser did not start");
    }

    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.expect("a page");
    }

    pub async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, vec![])
            .await
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression is something, and returns it.
    pub async fn until(&self, expression: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..300 {
            // A page that is being left has nothing to say.
            if let Ok(found) = self.client.execute(&format!("return {expression}"), vec![]).await {
                if !matches!(found, Value::Null | Value::Bool(false)) && found != "" && found != 0 {
                    return found;
                }
                last = found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let page = self.run("return document.title + ': ' + (document.querySelector('countersign-chat')?.shadowRoot.textContent || document.body.innerText)").await;
        panic!("{expression} stays {last}, on {page}");
    }

    /// A command of the browser's own tools.
    pub async fn tool(&self, name: &str, parameters: Value) {
        let command = Own("goog/cdp/execute", json!({ "cmd": name, "params": parameters }));
        self.client.issue_cmd(command).await.expect("done");
    }

    /// A phone, or a desk.
    pub async fn looks_like(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.tool("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tool("Emulation.setEmulatedMedia", scheme).await;
    }

    pub async fn is_offline(&self, offline: bool) {
        self.tool("Network.enable", json!({})).await;
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.tool("Network.emulateNetworkConditions", conditions).await;
    }

    /// Keeps a picture in target/screenshots.
    pub async fn picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder");
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("written");
    }

    /// What pages complained of since the last time: errors of scripts, what the policy forbade, what did not load.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self
            .client
            .issue_cmd(Own("se/log", json!({ "type": "browser" })))
            .await
            .expect("a log");
        let lines = log.as_array().expect("a list").iter();
        let lines = lines.filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG");
        lines
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .filter(|line| !self.forgives.iter().any(|part| line.contains(part)))
            .collect()
    }

    /// Barriers that axe finds on the page.
    pub async fn barriers(&self) -> Vec<String> {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/axe.min.js");
        if !file.exists() {
            let got = Command::new("ops/get-axe")
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status()
                .expect("runs");
            assert!(got.success(), "ops/get-axe fetches axe-core");
        }
        let axe = std::fs::read_to_string(file).expect("axe");
        self.run(&format!("{axe}; return true")).await;
        let found = self
            .client
            .execute_async(
                "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations.map(it =>
                    `${it.id}: ${it.help}: ${it.nodes.map(node => node.html.slice(0, 160) + ' ' + (node.any[0]?.message || '')).join(' | ')}`)))",
                vec![],
            )
            .await
            .expect("axe runs");
        found
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| it.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    // --- The chat.

    /// Opens the chat, if it is not.
    pub async fn opens_chat(&self) {
        self.until("document.querySelector('countersign-chat')?.shadowRoot.querySelector('.launcher')")
            .await;
        self.run(&format!(
            "{CHAT} if (chat.querySelector('.panel').hidden) chat.querySelector('.launcher').click()"
        ))
        .await;
        self.until(&chat(
            "!chat.querySelector('.panel').hidden && chat.querySelector('.message')",
        ))
        .await;
    }

    /// Writes a message and sends it.
    pub async fn says(&self, text: &str) {
        let text = Value::from(text);
        self.until(&chat("!chat.querySelector('textarea').hasAttribute('aria-busy')"))
            .await;
        self.run(&format!(
            "{CHAT} chat.querySelector('textarea').value = {text}; chat.querySelector('.say').requestSubmit()"
        ))
        .await;
    }

    /// Waits until the chat shows this.
    pub async fn reads(&self, words: &str) {
        let words = Value::from(words);
        self.until(&chat(&format!(
            "chat.querySelector('.log').textContent.includes({words})"
        )))
        .await;
    }

    /// Presses the button of the chat that says this.
    pub async fn presses(&self, words: &str) {
        let button = chat(&format!(
            "[...chat.querySelectorAll('button')].find(it => it.textContent === {} && it.offsetParent)",
            Value::from(words)
        ));
        self.until(&format!("!!{button}")).await;
        self.run(&format!("{button}.click()")).await;
    }

    // --- The console.

    pub async fn signs_in(&self, demo: &Demo) {
        self.go(&format!("{}/console?store={}", demo.url, demo.key)).await;
        self.go(&format!("{}/console/sign-in?store={}", demo.url, demo.key))
            .await;
        self.fills("email", "staff@example.com").await;
        self.fills("password", "demo-password").await;
        self.submits("Sign in").await;
        self.until("document.querySelector('nav')").await;
    }

    pub async fn fills(&self, name: &str, value: &str) {
        let (name, value) = (Value::from(name), Value::from(value));
        self.run(&format!("document.querySelector(`[name=${{{name}}}]`).value = {value}"))
            .await;
    }

    /// Presses the page's button that says this.
    pub async fn submits(&self, words: &str) {
        let button = format!(
            "[...document.querySelectorAll('button')].find(it => it.textContent === {})",
            Value::from(words)
        );
        self.until(&format!("!!{button}")).await;
        self.run(&format!("{button}.click()")).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver alone would leave its browser running.
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }
}

const CHAT: &str = "const chat = document.querySelector('countersign-chat').shadowRoot;";

/// An expression about the chat.
pub fn chat(expression: &str) -> String {
    format!("(() => {{ {CHAT} return {expression} }})()")
}
