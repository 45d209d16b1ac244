//! Templates can be read: no line is longer than 140 characters.

use std::{fs, path::Path};

use super::imports::sources;

const MAX_LINE_LENGTH: usize = 140;

#[test]
fn no_line_of_a_template_is_too_long_to_read() {
    let (mut files, mut long) = (Vec::new(), Vec::new());
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        "html",
        &mut files,
    );
    assert!(files.len() > 6, "the templates are read");
    for file in &files {
        let text = fs::read_to_string(file).expect("text");
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.chars().count() > MAX_LINE_LENGTH);
        long.extend(lines.map(|(at, _)| format!("{}:{}", file.display(), at + 1)));
    }
    assert!(long.is_empty(), "{long:#?}");
}
