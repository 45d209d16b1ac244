//! Drives a real browser (chromium and chromedriver) against the demo.

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

/// `countersign demo` as a process, with a database of its own in the tests' Postgres.
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
            // The rest of the output is read and dropped, so that the demo never blocks on a full pipe.
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

    /// Queues what the model answers next.
    pub async fn model_says(&self, replies: Value) {
        let request = self
            .http
            .post(format!("{}/model/replies", self.control))
            .json(&json!({ "replies": replies }));
        assert!(request.send().await.expect("answers").status().is_success());
    }

    /// The mails to an address, the newest first.
    pub async fn mails(&self, to: &str) -> Vec<Value> {
        let mails = self.http.get(format!("{}/mails?to={to}", self.control));
        let mails: Value = mails.send().await.expect("answers").json().await.expect("JSON");
        mails["mails"].as_array().expect("a list").clone()
    }

    /// Waits for a mail to an address that contains `words`, and returns the newest one.
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

    /// Executes SQL as the superuser.
    pub async fn execute_sql(&self, statement: &str) {
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

/// A browser window and the errors that its pages logged.
pub struct Browser {
    pub client: Client,
    /// The leader of a process group that contains the browser's processes too.
    driver: Child,
    /// The browser's profile folder, deleted when this is dropped.
    _profile: TempDir,
    /// Lines of the browser's log that contain one of these are expected and ignored.
    pub ignored_errors: Vec<&'static str>,
}

/// A command that chromedriver has besides the WebDriver standard.
#[derive(Debug)]
struct ChromeCommand(&'static str, Value);

impl WebDriverCompatibleCommand for ChromeCommand {
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

    /// Opens a browser that blocks cookies and storage for every site.
    pub async fn without_storage() -> Self {
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
                    ignored_errors: Vec::new(),
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

    /// Waits until a JavaScript expression is truthy, and returns its value.
    pub async fn wait_for(&self, expression: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..300 {
            // Scripts fail while the page is navigating away.
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

    /// Sends a command of the Chrome DevTools Protocol.
    pub async fn devtools_command(&self, name: &str, parameters: Value) {
        let command = ChromeCommand("goog/cdp/execute", json!({ "cmd": name, "params": parameters }));
        self.client.issue_cmd(command).await.expect("done");
    }

    /// Sets the size of the viewport and the colour scheme. Below 600 pixels the browser acts as a phone.
    pub async fn set_viewport(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools_command("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools_command("Emulation.setEmulatedMedia", scheme).await;
    }

    pub async fn set_offline(&self, offline: bool) {
        self.devtools_command("Network.enable", json!({})).await;
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools_command("Network.emulateNetworkConditions", conditions)
            .await;
    }

    /// Saves a screenshot in target/screenshots.
    pub async fn screenshot(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder");
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("written");
    }

    /// Errors that were logged since the last call: script errors, violations of the content security policy, failed requests.
    pub async fn logged_errors(&self) -> Vec<String> {
        let log = self
            .client
            .issue_cmd(ChromeCommand("se/log", json!({ "type": "browser" })))
            .await
            .expect("a log");
        let lines = log.as_array().expect("a list").iter();
        let lines = lines.filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG");
        lines
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .filter(|line| !self.ignored_errors.iter().any(|part| line.contains(part)))
            .collect()
    }

    /// Violations of accessibility rules that axe finds on the page.
    pub async fn accessibility_violations(&self) -> Vec<String> {
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

    /// Opens the chat unless it is open.
    pub async fn opens_chat(&self) {
        self.wait_for("document.querySelector('countersign-chat')?.shadowRoot.querySelector('.launcher')")
            .await;
        self.run(&format!(
            "{CHAT} if (chat.querySelector('.panel').hidden) chat.querySelector('.launcher').click()"
        ))
        .await;
        self.wait_for(&chat(
            "!chat.querySelector('.panel').hidden && chat.querySelector('.message')",
        ))
        .await;
    }

    /// Types a message into the chat and sends it.
    pub async fn says(&self, text: &str) {
        let text = Value::from(text);
        self.wait_for(&chat("!chat.querySelector('textarea').hasAttribute('aria-busy')"))
            .await;
        self.run(&format!(
            "{CHAT} chat.querySelector('textarea').value = {text}; chat.querySelector('.say').requestSubmit()"
        ))
        .await;
    }

    /// Waits until the chat contains this text.
    pub async fn wait_for_text(&self, words: &str) {
        let words = Value::from(words);
        self.wait_for(&chat(&format!(
            "chat.querySelector('.log').textContent.includes({words})"
        )))
        .await;
    }

    /// Presses the button of the chat with this label.
    pub async fn presses(&self, words: &str) {
        let button = chat(&format!(
            "[...chat.querySelectorAll('button')].find(it => it.textContent === {} && it.offsetParent)",
            Value::from(words)
        ));
        self.wait_for(&format!("!!{button}")).await;
        self.run(&format!("{button}.click()")).await;
    }

    // --- The console.

    pub async fn signs_in(&self, demo: &Demo) {
        self.go(&format!("{}/console?store={}", demo.url, demo.key)).await;
        // The link leads to the sign-in, with the store's key filled in.
        self.fills("email", "staff@example.com").await;
        self.fills("password", "demo-password").await;
        self.submits("Sign in").await;
        self.wait_for("document.querySelector('nav')").await;
    }

    /// Waits until the page's notice of success contains this text.
    pub async fn wait_for_notice(&self, words: &str) {
        let words = Value::from(words);
        self.wait_for(&format!(
            "document.querySelector('.done').textContent.includes({words})"
        ))
        .await;
    }

    pub async fn fills(&self, name: &str, value: &str) {
        let (name, value) = (Value::from(name), Value::from(value));
        self.run(&format!("document.querySelector(`[name=${{{name}}}]`).value = {value}"))
            .await;
    }

    /// Presses the button of the page with this label.
    pub async fn submits(&self, words: &str) {
        let button = format!(
            "[...document.querySelectorAll('button')].find(it => it.textContent === {})",
            Value::from(words)
        );
        self.wait_for(&format!("!!{button}")).await;
        self.run(&format!("{button}.click()")).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killing chromedriver alone would leave the browser running, so the whole process group is killed.
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }
}

const CHAT: &str = "const chat = document.querySelector('countersign-chat').shadowRoot;";

/// Wraps a JavaScript expression so that `chat` is the root of the widget.
pub fn chat(expression: &str) -> String {
    format!("(() => {{ {CHAT} return {expression} }})()")
}
