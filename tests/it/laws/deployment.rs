//! The Dockerfile, the compose file, `.env.example`, the scripts in `ops` and the monitoring know of each other.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use regex::Regex;

use super::imports::sources;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file and folder that the build of `src` reads, from the root.
fn build_inputs() -> BTreeSet<PathBuf> {
    let included = Regex::new(r#"include_(?:str|bytes|dir)!\("([^"]+)"\)"#).expect("a pattern");
    let template = Regex::new(r#"#\[template\(path = "([^"]+)""#).expect("a pattern");
    let migrations = Regex::new(r#"migrate!\((?:"([^"]*)")?\)"#).expect("a pattern");
    let (mut files, mut inputs) = (
        Vec::new(),
        BTreeSet::from(["src".into(), ".sqlx".into(), ".cargo".into()]),
    );
    sources(&root().join("src"), "rs", &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        let folder = file.parent().expect("a folder");
        for found in included.captures_iter(&text) {
            let path = match found[1].strip_prefix("$CARGO_MANIFEST_DIR/") {
                Some(path) => root().join(path),
                None => folder.join(&found[1]),
            };
            let path = path
                .canonicalize()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            inputs.insert(path.strip_prefix(root()).expect("of this repository").to_owned());
        }
        for found in template.captures_iter(&text) {
            inputs.insert(Path::new("templates").join(&found[1]));
        }
        for found in migrations.captures_iter(&text) {
            inputs.insert(
                found
                    .get(1)
                    .map_or("migrations", |path| path.as_str())
                    .trim_start_matches("./")
                    .into(),
            );
        }
    }
    inputs
}

#[test]
fn the_image_is_built_from_everything_that_the_source_includes() {
    let (dockerfile, ignored) = (read("Dockerfile"), read(".dockerignore"));
    let build = dockerfile.split("\nFROM ").nth(1).expect("a stage that builds");
    let copied: Vec<&str> = build
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(|line| line.split_whitespace().rev().skip(1))
        .collect();
    let inputs = build_inputs();
    for expected in [
        "locales",
        "migrations",
        "templates/shop.html",
        "src/cli/demo_store.jsonl",
    ] {
        assert!(
            inputs.contains(Path::new(expected)),
            "the reader of the source finds {expected}"
        );
    }
    for input in inputs {
        assert!(root().join(&input).exists(), "{} does not exist", input.display());
        let is_copied = copied.iter().any(|folder| input.starts_with(folder));
        assert!(is_copied, "the Dockerfile does not copy {}", input.display());
        let is_ignored = ignored.lines().any(|folder| input.starts_with(folder));
        assert!(!is_ignored, ".dockerignore leaves {} out", input.display());
    }
}

/// The settings of `.env.example`, also those that are commented out, with their values as they are written.
fn example_settings() -> Vec<(String, String)> {
    let setting = Regex::new(r"(?m)^#?([A-Z][A-Z0-9_]*)=(.*)$").expect("a pattern");
    let text = read(".env.example");
    let found = setting.captures_iter(&text);
    found.map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
}

/// Sources a file as the README says, and prints the settings with these names.
fn sourced(file: &Path, names: &[String]) -> Output {
    let printed: Vec<String> = names.iter().map(|name| format!("\"{name}=${name}\"")).collect();
    let script = format!(
        "set -eu; set -a; . '{}'; set +a; printf '%s\\n' {}",
        file.display(),
        printed.join(" ")
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().output().expect("a shell")
}

#[test]
fn a_shell_reads_the_example_of_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let uncommented = Regex::new(r"(?m)^#([A-Z][A-Z0-9_]*=)").expect("a pattern");
    let text = uncommented.replace_all(&read(".env.example"), "$1").into_owned();
    let file = folder.path().join("env");
    fs::write(&file, text).expect("written");
    let settings = example_settings();
    assert!(settings.len() > 60, "the settings are read");
    let names: Vec<String> = settings.iter().map(|(name, _)| name.clone()).collect();
    let output = sourced(&file, &names);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let expected: String = settings
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.trim_matches('"')))
        .collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

/// Settings that compose does not pass on to the service, and why.
const NOT_PASSED: [(&str, &str); 13] = [
    ("DATABASE_URL", "made of DATABASE_HOST"),
    ("DATABASE_READER_PASSWORD", "made at the first start, in a file"),
    ("DATABASE_WEB_PASSWORD", "made at the first start, in a file"),
    ("DATABASE_EXECUTOR_PASSWORD", "made at the first start, in a file"),
    (
        "DATABASE_ADMIN_URL",
        "the superuser's: for the migrate step alone, in a file",
    ),
    ("SECRET_KEY", "made at the first start, in a file"),
    ("LISTEN", "the image listens on 8080; PORT publishes it"),
    ("INTERNAL_LISTEN", "on the network of the compose file"),
    ("RUN_WORKER", "the service `worker` runs the job queue"),
    ("PORT", "of the compose file itself"),
    ("DATABASE_HOST", "of the compose file itself"),
    ("DOMAIN", "the edge's"),
    ("PROBE_FOLDER", "the monitoring's"),
];

#[test]
fn compose_passes_every_setting_of_the_example() {
    let compose = read("docker-compose.yml");
    let environment = compose
        .split("environment: &environment\n")
        .nth(1)
        .and_then(|rest| rest.split("  volumes: &secrets").next())
        .expect("the settings of the service");
    let settings = example_settings();
    let mut lost = Vec::new();
    for (name, _) in &settings {
        let is_passed = environment.contains(&format!("    {name}: ${{{name}:-"));
        let reason = NOT_PASSED.iter().find(|(known, _)| known == name);
        match (is_passed, reason) {
            (true, Some((name, reason))) => panic!("{name} is passed, and should not be: {reason}"),
            (false, None) => lost.push(name),
            _ => {}
        }
    }
    assert!(lost.is_empty(), "docker-compose.yml does not pass {lost:?}");
    for (name, _) in NOT_PASSED {
        assert!(
            settings.iter().any(|(known, _)| known == name),
            "there is no setting {name}"
        );
    }
    let used = Regex::new(r"\$\{([A-Z][A-Z0-9_]*)").expect("a pattern");
    for found in used.captures_iter(&compose) {
        let is_of_the_build = found[1].ends_with("_IMAGE")
            || ["COUNTERSIGN_VERSION", "BUILD_PROFILE", "DKIM_RSA_KEY"].contains(&&found[1])
            || ["_PORT"].iter().any(|end| found[1].ends_with(end));
        let is_told = settings.iter().any(|(known, _)| *known == found[1]);
        assert!(
            is_told || is_of_the_build,
            ".env.example does not tell of {}",
            &found[1]
        );
    }
}

#[test]
fn the_example_tells_of_every_setting_that_the_program_reads() {
    let mut files = vec![root().join("src/config.rs")];
    sources(&root().join("src/config"), "rs", &mut files);
    let name = Regex::new(r#""([A-Z][A-Z0-9]*_[A-Z0-9_]+|LISTEN|MODEL)""#).expect("a pattern");
    let told: BTreeSet<String> = example_settings().into_iter().map(|(name, _)| name).collect();
    let mut read = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        read.extend(name.captures_iter(code).map(|found| found[1].to_owned()));
    }
    assert!(read.len() > 50, "the settings are found: {read:?}");
    // Only tests point the service at another Stripe.
    read.remove("STRIPE_URL");
    let untold: Vec<&String> = read
        .iter()
        .filter(|name| !told.contains(*name) && !told.contains(&format!("{name}_FILE")))
        .collect();
    assert!(untold.is_empty(), ".env.example does not tell of {untold:?}");
}

/// Runs a script of `ops` in a copy of the folder, where there is no `.env`, and returns its exit code, output and errors.
fn run_without_settings(script: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("ops")).expect("made");
    for name in ["deploy", "rollback"] {
        fs::copy(root().join("ops").join(name), folder.path().join("ops").join(name)).expect("copied");
    }
    let output = Command::new(folder.path().join("ops").join(script))
        .args(arguments)
        .current_dir("/")
        .env_remove("ENV_FILE")
        .env_remove("COUNTERSIGN_VERSION")
        .output()
        .expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn deploying_without_settings_says_what_is_missing() {
    let (code, _, errors) = run_without_settings("rollback", &[]);
    assert!(
        code == Some(1) && errors.contains("nothing was deployed before"),
        "{code:?} {errors}"
    );
    let (code, _, errors) = run_without_settings("deploy", &[]);
    assert!(
        code == Some(2) && errors.starts_with("ops/deploy VERSION") && !errors.contains("set -"),
        "{code:?} {errors}"
    );
    let (code, _, errors) = run_without_settings("deploy", &["2"]);
    assert!(
        code == Some(1) && errors.contains("the edge and two replicas must run"),
        "{code:?} {errors}"
    );
}

/// The headings of a page, as links to them are written.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    headings
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect()
}

#[test]
fn a_renamed_fork_keeps_its_links_and_no_old_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let fork = folder.path();
    let copied = Command::new("cp")
        .args([
            "-R",
            "--parents",
            "ops",
            "docs",
            "docker-compose.yml",
            "Dockerfile",
            "README.md",
        ])
        .arg(fork)
        .current_dir(root())
        .status()
        .expect("cp");
    assert!(copied.success());
    let output = Command::new("ops/rename")
        .arg("lanternbot")
        .current_dir(fork)
        .env("GIT_CEILING_DIRECTORIES", "/")
        .output()
        .expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |path: &str| fs::read_to_string(fork.join(path)).expect("there");
    let (runbooks, rules) = (read("docs/runbooks.md"), read("ops/monitoring/rules.yml"));
    let headings = anchors(&runbooks);
    assert!(headings.contains("lanternbotdown"), "{headings:?}");
    let link = Regex::new(r"runbooks\.md#([a-z]+)").expect("a pattern");
    let links: Vec<&str> = link
        .captures_iter(&rules)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    assert!(links.len() >= 20, "the rules link to runbooks");
    for link in links {
        assert!(headings.contains(link), "docs/runbooks.md has no heading for #{link}");
    }
    let mut files = Vec::new();
    for kind in ["yml", "md", "json", "ini"] {
        sources(fork, kind, &mut files);
    }
    for file in files {
        let path = file.strip_prefix(fork).expect("below").display().to_string();
        assert!(!path.contains("countersign"), "{path} keeps the old name");
    }
    assert!(fork.join("ops/monitoring/grafana/dashboards/lanternbot.yml").exists());
}

#[test]
fn every_link_to_a_runbook_has_its_heading() {
    let (rules, headings) = (read("ops/monitoring/rules.yml"), anchors(&read("docs/runbooks.md")));
    for line in rules.lines().filter_map(|line| line.trim().strip_prefix("runbook: ")) {
        let anchor = line.strip_prefix("docs/runbooks.md#").expect("a link to a runbook");
        assert!(
            headings.contains(anchor),
            "docs/runbooks.md has no heading for #{anchor}"
        );
    }
}

#[test]
fn the_runbooks_name_panels_of_the_dashboard() {
    let (runbooks, dashboard) = (read("docs/runbooks.md"), read("ops/monitoring/dashboard.json"));
    let panels = Regex::new(r#"[Pp]anels? ("[^"]+"(?: and "[^"]+")*)"#).expect("a pattern");
    let name = Regex::new(r#""([^"]+)""#).expect("a pattern");
    let mut seen = 0;
    for list in panels.captures_iter(&runbooks) {
        for panel in name.captures_iter(&list[1]) {
            seen += 1;
            let title = format!("\"title\": \"{}\"", &panel[1]);
            assert!(dashboard.contains(&title), "the dashboard has no panel {}", &panel[1]);
        }
    }
    assert!(seen > 8, "{seen} panels are named");
}

#[test]
fn the_page_about_webhooks_lists_every_event() {
    let (mut files, mut missing, mut seen) = (Vec::new(), Vec::new(), 0);
    sources(&root().join("src"), "rs", &mut files);
    let page = read("docs/webhooks.md");
    let announced = Regex::new(r#"announce\([^;]*?"([a-z]+\.[a-z_]+)""#).expect("a pattern");
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for event in announced.captures_iter(&text) {
            seen += 1;
            if !page.contains(&format!("`{}`", &event[1])) {
                missing.push(event[1].to_owned());
            }
        }
    }
    assert!(
        missing.is_empty() && seen > 4,
        "{seen} events, not in docs/webhooks.md: {missing:?}"
    );
}

#[test]
fn the_guide_for_forks_lists_every_place_that_knows_a_vendor() {
    let page = read("docs/fork.md");
    let src = root().join("src");
    let mut files = Vec::new();
    sources(&src, "rs", &mut files);
    for (vendor, variant) in [
        ("stripe", "Stripe"),
        ("shopify", "Shopify"),
        ("woocommerce", "Woocommerce"),
        ("crm", "Crm"),
    ] {
        let folder = format!("integrations/{vendor}/");
        let row = page
            .lines()
            .find(|line| line.starts_with("| ") && line.contains(&format!("| `{folder}` |")))
            .unwrap_or_else(|| panic!("docs/fork.md has a row for {folder}"));
        let mention = format!(
            r"\b{vendor}::|\bmod {vendor};|'{vendor}'|\b(?:Kind|Source|Channel|Provider|Change)::{variant}|(?m)^    {variant}[A-Za-z]*(?: \{{|,)$"
        );
        let mention = Regex::new(&mention).expect("a pattern");
        for file in &files {
            let path = file.strip_prefix(&src).expect("below").display().to_string();
            if !path.starts_with(&folder) && mention.is_match(&fs::read_to_string(file).expect("text")) {
                assert!(
                    row.contains(&format!("`{path}`")),
                    "docs/fork.md does not say that {path} knows {vendor}"
                );
            }
        }
    }
}
