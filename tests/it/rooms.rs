//! The order of rooms: imports point down the list of `src/lib.rs`, never up and never in a circle.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => sources(&path, found),
            path if path.extension().is_some_and(|kind| kind == "rs") => found.push(path),
            _ => {}
        }
    }
}

/// The rooms that a file imports from: `crate::room` wherever it stands, and each entry of a `use crate::{…}`.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let plain = Regex::new(r"\bcrate::(\w+)").expect("a pattern");
    let mut found: BTreeSet<String> = plain.captures_iter(&code).map(|room| room[1].to_owned()).collect();
    for (at, _) in code.match_indices("use crate::{") {
        let (mut depth, mut entry) = (0, String::new());
        for sign in code[at + "use crate::{".len()..].chars() {
            match sign {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.extend(first_name(&entry));
                    entry.clear();
                    continue;
                }
                _ => {}
            }
            entry.push(sign);
        }
        found.extend(first_name(&entry));
    }
    found
}

fn first_name(entry: &str) -> Option<String> {
    let name: String = entry
        .trim()
        .chars()
        .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
        .collect();
    Some(name).filter(|name| !name.is_empty())
}

#[test]
fn imports_point_down_the_list_of_rooms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let list = fs::read_to_string(root.join("lib.rs")).expect("text");
    let rooms: Vec<String> = list
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    let floor = |room: &str| rooms.iter().position(|known| known == room);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut upward = Vec::new();
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .expect("below")
            .to_string_lossy()
            .replace('\\', "/");
        let room = name.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let Some(own) = floor(room) else { continue };
        for imported in imports(&fs::read_to_string(file).expect("text")) {
            if floor(&imported).is_some_and(|other| other < own) {
                upward.push(format!("{name} imports {imported}"));
            }
        }
    }
    assert_eq!(upward, [""; 0], "a room imports only from rooms below it in src/lib.rs");
    // The reader of imports finds what there is to find.
    let sample = "// use crate::never;\nuse crate::{\n    a::{b, c},\n    d,\n};\nfn f() { crate::e::g() }";
    assert_eq!(imports(sample), ["a", "d", "e"].map(String::from).into());
}
