//! `countersign probe`: uses a running server as a shopper would, for cron and uptime monitors.
//!
//! It signs in with its own account, looks an order up, asks the assistant by its fallback rules (which costs nothing), has the
//! conversation mailed, and finally deletes the conversation and the session.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::{CliError, terminal::say};

/// How long a step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a turn may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(70);
/// How long it may take until the relay has a mail.
const MAIL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct Options {
    /// The URL of the server.
    #[arg(long, env = "PROBE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A page that must answer as well, such as the shop's page with the chat in it.
    #[arg(long, env = "PROBE_HOME_URL")]
    home: Option<String>,
    /// The version that the server must have.
    #[arg(long)]
    expect_version: Option<String>,
    /// The store's publishable key, for the steps as a shopper.
    #[arg(long, env = "PROBE_STORE_KEY", requires = "email")]
    store_key: Option<String>,
    /// The probe account: a shopper of the store with at least one order.
    #[arg(long, env = "PROBE_EMAIL", requires = "password")]
    email: Option<String>,
    #[arg(long, env = "PROBE_PASSWORD", hide_env_values = true)]
    password: Option<SecretString>,
    /// An API key with the scope `deliveries:read`, to check that the mail was sent. Without it the mail is only requested.
    #[arg(long, env = "PROBE_API_KEY", hide_env_values = true)]
    api_key: Option<SecretString>,
    /// Let the language model answer, which costs money.
    #[arg(long)]
    ask_model: bool,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Also write metrics here, for node_exporter's textfile collector.
    #[arg(long)]
    textfile: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    /// The server's version. None if the health check failed.
    version: Option<String>,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    name: &'static str,
    ok: bool,
    ms: u64,
    /// What went wrong, or what was found. It contains no personal data.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

pub async fn run(options: Options) -> Result<(), CliError> {
    let client = Client::builder().timeout(STEP_TIMEOUT).build();
    let client = client.map_err(|error| CliError::Argument(error.to_string()))?;
    let mut probe = Probe {
        options: &options,
        client,
        report: Report {
            ok: true,
            version: None,
            steps: Vec::new(),
        },
    };
    probe.run_steps().await;
    let report = probe.report;
    if let Some(path) = &options.textfile {
        write_atomically(path, &metrics(&report)).map_err(|error| CliError::Unreadable(path.clone(), error))?;
    }
    if options.json {
        say(json!(report))?;
    } else {
        for step in &report.steps {
            let sign = if step.ok { "ok    " } else { "FAILED" };
            say(format_args!(
                "{sign} {:<12} {:>6} ms  {}",
                step.name, step.ms, step.detail
            ))?;
        }
    }
    match report.steps.iter().find(|step| !step.ok) {
        None => Ok(()),
        Some(step) => Err(CliError::Unhealthy(step.name)),
    }
}

struct Probe<'a> {
    options: &'a Options,
    client: Client,
    report: Report,
}

/// What went wrong, in a few words.
type Failure = String;

impl Probe<'_> {
    /// Runs all steps. If one fails, those that do not depend on it still run.
    async fn run_steps(&mut self) {
        if let Some(home) = &self.options.home {
            let page = self.client.get(home);
            self.step("home", async { fetch(page).await.map(|_| ((), String::new())) })
                .await;
        }
        let health = self.client.get(self.at("/health"));
        let expected = self.options.expect_version.clone();
        let version = self
            .step("health", async {
                let health = read(health).await?;
                let version = health["version"].as_str().unwrap_or_default().to_owned();
                match expected {
                    Some(expected) if expected != version => Err(format!("{version} answers, not {expected}")),
                    _ => Ok((version.clone(), version)),
                }
            })
            .await;
        self.report.version = version;
        let (Some(key), Some(email), Some(password)) =
            (&self.options.store_key, &self.options.email, &self.options.password)
        else {
            return;
        };
        let credentials = json!({ "email": email, "password": password.expose_secret() });
        let log_in = self
            .client
            .post(self.at("/v1/sessions"))
            .header("x-store-key", key)
            .json(&credentials);
        let token = self
            .step("log_in", async {
                let session = read(log_in).await?;
                let token = session["token"].as_str().ok_or("there is no token in the answer")?;
                Ok((SecretString::from(token), String::new()))
            })
            .await;
        if let Some(token) = token {
            self.as_shopper(&token).await;
        }
    }

    /// Runs the steps that need a session.
    async fn as_shopper(&mut self, token: &SecretString) {
        let orders = self.request("GET", "/v1/orders", token);
        let number = self
            .step("orders", async {
                let orders = read(orders).await?;
                let number = orders["orders"][0]["number"].as_str();
                let number = number.ok_or("the probe account has no order")?;
                Ok((number.to_owned(), String::new()))
            })
            .await;
        if let Some(number) = &number {
            let order = self.request("GET", &format!("/v1/orders/{}", path_segment(number)), token);
            self.step("order", async { read(order).await.map(|_| ((), String::new())) })
                .await;
        }
        let text = format!("Where is my order {}?", number.as_deref().unwrap_or("#1"));
        let by_rules = !self.options.ask_model;
        let send = self.request("POST", "/v1/chat/send", token).timeout(TURN_TIMEOUT);
        let send = send.json(&json!({ "text": text, "by_rules": by_rules }));
        let conversation = self
            .step("chat", async {
                let answer = read(send).await?;
                let source = answer["message"]["source"].as_str().unwrap_or_default().to_owned();
                let told = answer["message"]["text"].as_str().unwrap_or_default();
                match (source.as_str(), number.as_deref()) {
                    ("fallback", _) => Err("the assistant could not answer".to_owned()),
                    ("offline", _) if !by_rules => Err("the model did not answer, the rules did".to_owned()),
                    (_, Some(number)) if by_rules && !told.contains(number) => {
                        Err("the answer is about something else".to_owned())
                    }
                    _ => {
                        let id = answer["conversation_id"].as_str().unwrap_or_default().to_owned();
                        Ok((id, format!("answered by {source}")))
                    }
                }
            })
            .await;
        if let Some(conversation) = &conversation {
            self.mail(conversation, token).await;
            let delete = self.request("DELETE", &format!("/v1/conversations/{conversation}"), token);
            self.step("clean_up", async { fetch(delete).await.map(|_| ((), String::new())) })
                .await;
        }
        let log_out = self.request("DELETE", "/v1/sessions/current", token);
        self.step("log_out", async { fetch(log_out).await.map(|_| ((), String::new())) })
            .await;
    }

    /// Has the conversation mailed to the probe account, and checks that the relay got it.
    async fn mail(&mut self, conversation: &str, token: &SecretString) {
        let ask = self.request("POST", &format!("/v1/conversations/{conversation}/transcript"), token);
        let look = self
            .options
            .api_key
            .as_ref()
            .map(|key| self.request("GET", "/v1/staff/deliveries?limit=100", key));
        let key = format!("mail:transcript:{conversation}:");
        self.step("mail", async {
            fetch(ask).await?;
            let Some(look) = look else {
                return Ok(((), "asked for; --api-key sees it leave".to_owned()));
            };
            let began = Instant::now();
            loop {
                let look = look.try_clone().ok_or("the request cannot be repeated")?;
                let deliveries = read(look).await?;
                let deliveries = deliveries["deliveries"].as_array().cloned().unwrap_or_default();
                let ours = deliveries
                    .iter()
                    .find(|it| it["key"].as_str().is_some_and(|found| found.starts_with(&key)));
                match ours.and_then(|delivery| delivery["state"].as_str()) {
                    Some("done") => return Ok(((), "the relay has it".to_owned())),
                    Some(state @ ("dead" | "dropped")) => return Err(format!("the mail is {state}")),
                    _ if began.elapsed() > MAIL_TIMEOUT => return Err("the mail has not left".to_owned()),
                    _ => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        })
        .await;
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.options.url.trim_end_matches('/'))
    }

    fn request(&self, method: &str, path: &str, token: &SecretString) -> RequestBuilder {
        let method = method.parse().unwrap_or(reqwest::Method::GET);
        self.client
            .request(method, self.at(path))
            .bearer_auth(token.expose_secret())
    }

    /// Runs a step and records its result. Returns the step's value if it succeeded.
    async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Option<T> {
        let began = Instant::now();
        let (value, ok, detail) = match work.await {
            Ok((value, detail)) => (Some(value), true, detail),
            Err(detail) => (None, false, detail),
        };
        let ms = began.elapsed().as_millis() as u64;
        self.report.ok &= ok;
        self.report.steps.push(Step { name, ok, ms, detail });
        value
    }
}

/// Encodes an order number, which can contain a `#`, as a path segment.
fn path_segment(number: &str) -> String {
    url::form_urlencoded::byte_serialize(number.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// Sends a request and returns the response. A status that is not a success is a failure.
async fn fetch(request: RequestBuilder) -> Result<reqwest::Response, Failure> {
    let response = request.send().await.map_err(|error| match error {
        error if error.is_timeout() => "no answer in time".to_owned(),
        error if error.is_connect() => "cannot be connected to".to_owned(),
        _ => "the connection broke".to_owned(),
    })?;
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::UNAUTHORIZED => Err("401: are the probe's credentials right?".to_owned()),
        status => Err(format!("answered {}", status.as_u16())),
    }
}

async fn read(request: RequestBuilder) -> Result<Value, Failure> {
    let body = fetch(request).await?.json().await;
    body.map_err(|_| "the answer is not JSON".to_owned())
}

/// The report in Prometheus's text format.
fn metrics(report: &Report) -> String {
    let mut text = format!(
        "# TYPE countersign_probe_success gauge\ncountersign_probe_success {}\n# TYPE countersign_probe_timestamp_seconds gauge\ncountersign_probe_timestamp_seconds {}\n# TYPE countersign_probe_step_seconds gauge\n",
        u8::from(report.ok),
        crate::clock::now().timestamp()
    );
    for step in &report.steps {
        let seconds = step.ms as f64 / 1000.0;
        text.push_str(&format!(
            "countersign_probe_step_seconds{{step=\"{}\"}} {seconds}\n",
            step.name
        ));
    }
    text
}

/// Replaces a file atomically, so that a collector never reads half of it.
fn write_atomically(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, path)
}
