//! Every recorded way in which model servers stream, on each wire (`tests/fixtures/model_streams/`): whole, byte by byte and in odd pieces.
//!
//! A fixture has lines of what it is, where it was seen and what must come out of it, then `---` and the bytes of the body.

use std::{path::PathBuf, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
    routing::any,
};
use countersign::{
    language::Language,
    model::{Chunk, Endpoint, EndpointSettings, Model, Prompt, PromptMessage, ToolDefinition, Usage, Wire},
};
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::net::TcpListener;

struct Fixture {
    name: String,
    lines: Vec<(String, String)>,
    body: String,
}

impl Fixture {
    fn read(path: &PathBuf) -> Self {
        let text = std::fs::read_to_string(path).expect("a fixture");
        let (head, body) = text.split_once("---\n").expect("a line of ---");
        let line = |line: &str| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        Self {
            name: path.display().to_string(),
            lines: head.lines().map(|text| line(text).expect("name: value")).collect(),
            body: body.to_owned(),
        }
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.lines
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// What an answer came to.
#[derive(Debug, Default)]
struct Told {
    text: String,
    calls: Vec<String>,
    ids: Vec<String>,
    faults: Vec<String>,
    end: Option<String>,
    error: Option<String>,
    usage: Usage,
}

fn wires() -> [(&'static str, Wire); 3] {
    [
        ("chat_completions", Wire::ChatCompletions),
        ("anthropic", Wire::Anthropic),
        ("responses", Wire::Responses),
    ]
}

fn fixtures(wire: &str) -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/model_streams")
        .join(wire);
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(Fixture::read).collect()
}

/// Serves `fixture` to whatever is asked, in pieces of `size` bytes.
async fn serve(fixture: &Fixture, size: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let pieces: Vec<Bytes> = fixture
        .body
        .as_bytes()
        .chunks(size)
        .map(Bytes::copy_from_slice)
        .collect();
    let kind = fixture.one("type").unwrap_or("text/event-stream").to_owned();
    let stays_open = fixture.one("socket") == Some("open");
    let answer = move || {
        let (pieces, kind) = (pieces.clone(), kind.clone());
        async move {
            let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
            let body = match stays_open {
                true => Body::from_stream(pieces.chain(stream::pending())),
                false => Body::from_stream(pieces),
            };
            ([(CONTENT_TYPE, kind)], body).into_response()
        }
    };
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/v1")
}

fn prompt() -> Prompt {
    let tool = |name| ToolDefinition {
        name,
        description: String::new(),
        schema: json!({ "type": "object" }),
    };
    Prompt {
        messages: vec![PromptMessage::Shopper("Where is #1001?".into())],
        language: Language::EN,
        tools: [tool("get_order"), tool("list_orders")].into(),
        may_call_tools: true,
        max_output_tokens: 100,
        model: None,
        summarizes: false,
        is_check: false,
    }
}

async fn ask(base_url: String, wire: Wire) -> Told {
    let settings = EndpointSettings::new(
        base_url,
        "sk-fake".into(),
        "fake".into(),
        "1/2".parse().expect("a price"),
    );
    let endpoint = Endpoint::new(EndpointSettings { wire, ..settings });
    let mut chunks = endpoint.answer(prompt());
    let mut told = Told::default();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(Chunk::Text(text)) => told.text.push_str(&text),
            Ok(Chunk::Progress | Chunk::Echo(_)) => {}
            Ok(Chunk::Call(call)) => {
                told.calls.push(format!("{} {}", call.tool, call.arguments));
                told.ids.push(call.id);
                told.faults.extend(call.fault.map(|fault| format!("{fault:?}")));
            }
            Ok(Chunk::End(usage, cut)) => {
                told.usage = usage;
                told.end = Some(cut.map_or("whole", |cut| cut.code()).to_owned());
            }
            Err(error) => told.error = Some(error.code().to_owned()),
        }
    }
    told
}

impl Fixture {
    /// In which ways `told` is not what the fixture says.
    fn differences(&self, told: &Told) -> Vec<&'static str> {
        let text = self
            .one("text")
            .map_or(String::new(), |text| serde_json::from_str(text).expect("JSON"));
        let Usage {
            input_tokens,
            cached_tokens,
            output_tokens,
            reasoning_tokens,
            ..
        } = told.usage;
        let usage = format!("{input_tokens}/{cached_tokens}/{output_tokens}/{reasoning_tokens}");
        let checks = [
            ("text", told.text == text),
            ("calls", told.calls == self.all("call")),
            ("faults", told.faults == self.all("fault")),
            ("end", told.end.as_deref() == self.one("end")),
            ("error", told.error.as_deref() == self.one("error")),
            ("usage", self.one("usage").is_none_or(|right| right == usage)),
            ("ids", self.one("id").is_none() || told.ids == self.all("id")),
        ];
        checks
            .into_iter()
            .filter(|(_, fits)| !fits)
            .map(|(name, _)| name)
            .collect()
    }
}

#[tokio::test]
async fn every_recorded_stream_is_read_right_in_whatever_pieces_it_comes() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, wire) in wires() {
        for fixture in fixtures(name) {
            count += 1;
            let has_source = fixture
                .one("source")
                .is_some_and(|source| source.starts_with("https://"));
            assert!(has_source, "{} names where it was seen", fixture.name);
            for size in [usize::MAX, 1, 7, 61] {
                let base_url = serve(&fixture, size.min(fixture.body.len().max(1))).await;
                let told = tokio::time::timeout(Duration::from_secs(20), ask(base_url, wire)).await;
                let told = told.unwrap_or_else(|_| panic!("{} in pieces of {size} never ends", fixture.name));
                let differences = fixture.differences(&told);
                if !differences.is_empty() {
                    wrong.push(format!(
                        "{} in pieces of {size}: {differences:?} in {told:?}",
                        fixture.name
                    ));
                }
            }
        }
    }
    assert!(count > 100, "{count} fixtures");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_recording_and_its_source_stand_in_the_docs() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/models.md");
    let docs = std::fs::read_to_string(path).expect("the page");
    for (name, _) in wires() {
        for fixture in fixtures(name) {
            let stem = PathBuf::from(&fixture.name)
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let source = fixture.one("source").expect("a source");
            let line = docs
                .lines()
                .any(|line| line.contains(&format!("| `{stem}` |")) && line.contains(source));
            assert!(line, "docs/models.md has no line for {}", fixture.name);
        }
    }
}
