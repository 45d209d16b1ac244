//! The worked example of docs/integration-target.md, run against the demo with its control.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::support::process::free_port;

#[test]
fn the_worked_example_passes() {
    let (api, control) = (free_port(), free_port());
    let mut demo = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args([
            "demo",
            "--listen",
            &format!("127.0.0.1:{api}"),
            "--control",
            &format!("127.0.0.1:{control}"),
        ])
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut printed = BufReader::new(demo.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    assert!(printed.any(|line| line.contains("1. Log in")), "it starts");
    let output = Command::new("python3")
        .arg("docs/examples/integration-target/test_store.py")
        .env("API_URL", format!("http://127.0.0.1:{api}"))
        .env("CONTROL_URL", format!("http://127.0.0.1:{control}"))
        .output()
        .expect("runs");
    let _ = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status();
    let _ = demo.wait();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Ran 5 tests"), "{said}");
}
