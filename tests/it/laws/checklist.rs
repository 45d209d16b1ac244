//! CHECKLIST.md has every id, and every test or command that it names exists.

use std::{collections::BTreeSet, fs, path::Path};

/// The ids of the launch checklist.
const IDS: &str = "R1 R2 R3 R4 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 T1 T2 T3 T4 T5 T6 T7 T8 T9 S1 S2 S3 S4 S5 S6 V1 V2 V3 \
                   L1 L2 L3 L4 L5 C1 C2 M1 M2 M3 M4 M5 E1 E2 E3 E4 D1 D2 D3 D4 D5 D6 D7";

struct Row {
    id: String,
    module: String,
    proof: String,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string("CHECKLIST.md").expect("CHECKLIST.md");
    text.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() >= 6 && cells[1] != "id" && !cells[1].starts_with("--"))
        .map(|cells| Row {
            id: cells[1].into(),
            module: cells[3].into(),
            proof: cells[4].into(),
        })
        .collect()
}

/// The parts of a cell that are between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_id_has_its_row_and_no_other() {
    let found: Vec<String> = rows().into_iter().map(|row| row.id).collect();
    let expected: Vec<&str> = IDS.split_whitespace().collect();
    assert_eq!(found, expected);
}

#[test]
fn every_proof_and_module_exists() {
    let tests: BTreeSet<String> = sources("tests")
        .into_iter()
        .chain(sources("src"))
        .flat_map(|text| test_names(&text))
        .collect();
    let help = String::from_utf8(
        std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("--help")
            .output()
            .expect("runs")
            .stdout,
    )
    .expect("UTF-8");
    for row in rows() {
        if row.proof == "not built yet" {
            continue;
        }
        let proofs = quoted(&row.proof);
        assert!(!proofs.is_empty(), "{} names no proof", row.id);
        for proof in proofs {
            let exists = match proof.strip_prefix("countersign ") {
                Some(command) => help.contains(&format!("  {} ", command.split(' ').next().unwrap_or(command))),
                None if proof.contains('/') => Path::new(proof).exists(),
                None => tests.contains(proof),
            };
            assert!(exists, "{} names `{proof}`, which does not exist", row.id);
        }
        for module in quoted(&row.module) {
            assert!(
                Path::new(module).exists(),
                "{} names `{module}`, which does not exist",
                row.id
            );
        }
    }
}

fn sources(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(
            |path| match path.extension().is_some_and(|extension| extension == "rs") {
                true => vec![fs::read_to_string(&path).expect("a file")],
                false if path.is_dir() => sources(path.to_str().expect("UTF-8")),
                false => Vec::new(),
            },
        )
        .collect()
}

/// Names of functions with a test attribute.
fn test_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut armed = text.contains("proptest!");
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            armed = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))
            && armed
        {
            names.push(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            armed = text.contains("proptest!");
        }
    }
    names
}
