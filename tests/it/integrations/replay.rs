//! `countersign replay`: the public retail tasks end in the states that an independent oracle computes.

use std::{path::Path, process::Command};

#[test]
fn every_retail_task_ends_in_the_right_state() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/retail");
    // Every eighth task is run by default; `REPLAY_ALL=1` runs all 520.
    let tasks = std::fs::read_to_string(folder.join("tasks.jsonl")).expect("tasks");
    let step = if std::env::var_os("REPLAY_ALL").is_some() { 1 } else { 8 };
    let chosen: Vec<&str> = tasks.lines().step_by(step).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), chosen.join("\n")).expect("written");
    let (ok, said) = replay(&["--format", "retail"], &folder, file.path());
    println!("{said}");
    assert!(
        ok && said.ends_with(&format!("{0} of {0} conversations ended as expected", chosen.len())),
        "{said}"
    );
}

#[test]
fn a_script_that_expects_something_else_is_told_so() {
    let expected = |status: &str| {
        format!(
            r##"{{"id":"one","shopper":"mia","turns":[{{"text":"cancel it","calls":[{{"tool":"cancel_order","arguments":{{"order_number":"1003","reason":"no_longer_needed"}}}}]}}],
            "expected":{{"orders":{{"#1003":{{"status":"{status}","address":{{"address1":"4 Quay Street","address2":"","city":"Portland","state":"ME","zip":"04101","country":"USA"}},
            "items":[["bottle-steel","28.00"]],"payments":[{{"kind":"payment","amount":"28.00","payment_method":"gift-mia"}},{{"kind":"refund","amount":"28.00","payment_method":"gift-mia"}}]}}}},
            "balances":{{"gift-mia":"128.00"}}}}}}"##
        )
        .replace('\n', " ")
    };
    let unnamed = r#"{"id":"two","shopper":"mia","turns":[{"text":"cancel it","calls":[{"tool":"cancel_order","arguments":{"order_number":"1003","reason":"no_longer_needed"}}]}]}"#;
    let rejected = r#"{"id":"three","shopper":"mia","turns":[{"text":"cancel it","calls":[{"tool":"cancel_order","arguments":{"order_number":"1003","reason":"no_longer_needed"}}],"decision":"reject"}]}"#;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), [&expected("cancelled"), rejected].join("\n")).expect("written");
    let (ok, said) = replay(&[], Path::new("src/cli/demo_store.jsonl"), file.path());
    assert!(ok, "{said}");
    std::fs::write(file.path(), [&expected("pending"), unnamed].join("\n")).expect("written");
    let (ok, said) = replay(&[], Path::new("src/cli/demo_store.jsonl"), file.path());
    assert!(
        !ok && said.contains("one: #1003 is Cancelled and not Pending")
            && said.contains("two: #1003 has changed")
            && said.contains("0 of 2"),
        "{said}"
    );
}

fn replay(arguments: &[&str], store: &Path, file: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("replay")
        .args(arguments)
        .arg("--store")
        .arg(store)
        .arg(file)
        .output()
        .expect("runs");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).trim().to_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}
