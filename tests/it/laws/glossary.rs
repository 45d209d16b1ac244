//! Every type and table that the glossary names exists.

use std::{fs, path::Path};

use regex::Regex;

use super::imports::sources;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn everything(folder: &str, kind: &str) -> String {
    let mut files = Vec::new();
    sources(&root().join(folder), kind, &mut files);
    let texts = files.iter().map(|file| fs::read_to_string(file).expect("text"));
    texts.collect::<Vec<_>>().join("\n")
}

/// The parts of a cell that are between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_glossary_names_types_and_tables_that_there_are() {
    let page = fs::read_to_string(root().join("docs/glossary.md")).expect("text");
    let (code, schema) = (everything("src", "rs"), everything("migrations", "sql"));
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 40, "the table is read");
    for row in rows {
        for path in quoted(row[3]) {
            let (name, file) = (path.rsplit("::").next().unwrap_or(path), path.replace("::", "/"));
            let defined = format!(r"\b(?:struct|enum|trait|fn|type) {name}\b|\bpub {name}:");
            let is_there = Regex::new(&defined).expect("a pattern").is_match(&code)
                || root().join(format!("src/{file}.rs")).exists()
                || root().join(format!("src/{file}")).exists();
            assert!(is_there, "{}: there is no `{path}`", row[1]);
        }
        for place in quoted(row[4]) {
            let (table, column) = place
                .split_once('.')
                .map_or((place, None), |(table, column)| (table, Some(column)));
            let table = Regex::new(&format!(r"CREATE TABLE {table} \(|^    {table} ")).expect("a pattern");
            assert!(
                table.is_match(&schema) || schema.contains(&format!("    {place} ")),
                "{}: there is no `{place}`",
                row[1]
            );
            if let Some(column) = column {
                assert!(
                    schema.contains(&format!("    {column} ")),
                    "{}: there is no `{place}`",
                    row[1]
                );
            }
        }
    }
}
