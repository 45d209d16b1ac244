//! The order of modules: imports point down the list in `docs/architecture.md`, and the children of a folder have no circular imports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Collects the files below a folder that have this extension.
pub fn sources(folder: &Path, kind: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => sources(&path, kind, found),
            path if path.extension().is_some_and(|found| found == kind) => found.push(path),
            _ => {}
        }
    }
}

/// Every path from `crate` or `super` on that a file names, split into its parts. Tests in the file are left out.
fn paths(text: &str) -> BTreeSet<Vec<String>> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code = code.split("#[cfg(test)]\npub(super) mod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    let imports = Regex::new(r"(?s)\buse ([^;]*);").expect("a pattern");
    for import in imports.captures_iter(&code) {
        expand(Vec::new(), &import[1], &mut found);
    }
    let plain = Regex::new(r"\b(?:crate|super)(?:::\w+)+").expect("a pattern");
    for path in plain.find_iter(&code) {
        found.insert(path.as_str().split("::").map(str::to_owned).collect());
    }
    found.retain(|path| matches!(path[0].as_str(), "crate" | "super"));
    found
}

/// Expands a tree of imports, such as `a::{b, c::{d, e}}`, into single paths.
fn expand(mut before: Vec<String>, tree: &str, found: &mut BTreeSet<Vec<String>>) {
    let (path, branches) = match tree.split_once('{') {
        Some((path, rest)) => (path, rest.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let parts = path
        .split("::")
        .map(|part| part.split(" as ").next().unwrap_or_default().trim().to_owned());
    before.extend(parts.filter(|part| !part.is_empty()));
    let Some(branches) = branches else {
        found.insert(before);
        return;
    };
    let (mut depth, mut branch) = (0, String::new());
    for sign in branches.chars().chain([',']) {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !branch.trim().is_empty() {
                    expand(before.clone(), &branch, found);
                }
                branch.clear();
                continue;
            }
            _ => {}
        }
        branch.push(sign);
    }
}

/// The module path of a file, the room first; `mod.rs` adds no part.
fn module(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root().join("src")).expect("below").with_extension("");
    let mut parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.retain(|part| part != "mod");
    parts
}

/// The rooms as the document lists them, the highest first.
fn rooms() -> Vec<String> {
    let document = fs::read_to_string(root().join("docs/architecture.md")).expect("text");
    let list = document
        .split("```rooms\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    list.expect("a list").split_whitespace().map(str::to_owned).collect()
}

fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    sources(&root().join("src"), "rs", &mut files);
    files
}

#[test]
fn the_document_lists_the_rooms_that_there_are() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("text");
    let there: Vec<String> = lib
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert_eq!(
        rooms(),
        there,
        "docs/architecture.md and src/lib.rs list the same rooms in the same order"
    );
}

#[test]
fn imports_point_down_the_list_of_rooms() {
    let rooms = rooms();
    let floor = |room: &str| rooms.iter().position(|known| known == room);
    let mut upward = Vec::new();
    for file in files() {
        let own = module(&file);
        let Some(here) = floor(&own[0]) else { continue };
        for path in paths(&fs::read_to_string(&file).expect("text")) {
            if path[0] == "crate" && path.len() > 1 && floor(&path[1]).is_some_and(|other| other < here) {
                upward.push(format!("{} imports {}", own.join("/"), path[1]));
            }
        }
    }
    assert_eq!(
        upward, [""; 0],
        "a room imports only from rooms below it in docs/architecture.md"
    );
}

/// The module that an import names, as a path from the crate's root; none if it leaves the crate.
fn target(own: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    match ups {
        0 => Some(path[1..].to_vec()),
        _ => Some([own.get(..own.len().checked_sub(ups)?)?, &path[ups..]].concat()),
    }
}

/// Which children of each folder import each other, whatever the folder's depth. Imports of a folder's `mod.rs` do not count.
fn inside_folders() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let modules: BTreeSet<Vec<String>> = files()
        .iter()
        .map(|file| module(file))
        .flat_map(|own| (1..=own.len()).map(move |depth| own[..depth].to_vec()))
        .collect();
    let mut graph: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for file in files() {
        let own = module(&file);
        for path in paths(&fs::read_to_string(&file).expect("text")) {
            let Some(target) = target(&own, &path) else { continue };
            let depth = own
                .iter()
                .zip(&target)
                .take_while(|(here, there)| here == there)
                .count();
            let is_sibling =
                depth > 0 && depth < own.len() && depth < target.len() && modules.contains(&target[..=depth]);
            if is_sibling {
                graph
                    .entry(own[..depth].join("/"))
                    .or_default()
                    .entry(own[depth].clone())
                    .or_default()
                    .insert(target[depth].clone());
            }
        }
    }
    graph
}

/// A path of imports from a module back to itself, if there is one.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(graph: &BTreeMap<String, BTreeSet<String>>, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let here = way.last().expect("a module").clone();
        for there in graph.get(&here).into_iter().flatten() {
            let is_circle = way.contains(there);
            way.push(there.clone());
            if is_circle || !done.contains(there) && walk(graph, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| {
        let mut way = vec![start.clone()];
        walk(graph, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn children_of_a_folder_import_in_no_circle() {
    let circles: Vec<String> = inside_folders()
        .iter()
        .filter_map(|(folder, graph)| Some(format!("{folder}: {}", circle(graph)?.join(" → "))))
        .collect();
    assert_eq!(
        circles, [""; 0],
        "move what both need into a third file, or into the folder's mod.rs"
    );
}

#[test]
fn the_reader_of_imports_finds_what_there_is_to_find() {
    let sample = "// use crate::never;\nuse crate::{\n    a::{b, c},\n    d as e,\n};\nfn f() { crate::g::h() }\nuse super::i;\n#[cfg(test)]\nmod tests { use crate::j; }";
    let found: Vec<String> = paths(sample).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        found,
        ["crate::a::b", "crate::a::c", "crate::d", "crate::g::h", "super::i"]
    );
    let graph = |edges: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert!(circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).is_some());
    let folders = inside_folders();
    assert!(folders.len() > 15, "it looks inside the rooms and their folders");
    assert!(
        folders["model/fallback_rules"]["clauses"].contains("vocabulary"),
        "an import between files of a folder inside a room is found"
    );
}
