//! The demo with a language model: it says which one answers, and that one does.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::support::{FakeOpenAi, Reply};

#[tokio::test]
async fn the_demo_asks_the_model_that_it_is_given_and_says_so() {
    let model = FakeOpenAi::start().await;
    model.respond(|_| Reply::text("From a language model."));
    let mut demo = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args([
            "demo",
            "--port",
            "0",
            "--model-url",
            &model.base_url(),
            "--model",
            "fake-model",
        ])
        .env("OPENAI_API_KEY", "sk-of-another-account")
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
    let (mut printed, mut script) = (String::new(), String::new());
    while let Some(line) = lines.next_line().await.expect("reads") {
        if line.starts_with("TOKEN=") || line.starts_with("curl ") {
            script.push_str(&format!("{line}\n"));
        }
        printed.push_str(&format!("{line}\n"));
        if line.contains("#2001?") {
            break;
        }
    }
    let says = format!("Answers come from the model fake-model at {}.", model.base_url());
    assert!(printed.contains(&says), "{printed}");
    let output = Command::new("bash").args(["-c", &script]).output().await.expect("runs");
    let answers = String::from_utf8_lossy(&output.stdout);
    assert!(answers.contains("From a language model."), "{answers}");
    let keys = model.headers();
    let is_sent = keys
        .iter()
        .any(|headers| format!("{headers:?}").contains("another-account"));
    assert!(!is_sent, "a key is for its own provider alone");
}
