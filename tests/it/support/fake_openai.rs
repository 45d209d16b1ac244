//! A fake of OpenAI's chat completions API over HTTP that answers what the test has scripted.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the fake model answers with.
#[derive(Clone)]
pub enum Reply {
    /// Text; each piece is one chunk of the stream.
    Text(Vec<String>),
    /// Tool calls, by name and argument text, each split over several chunks.
    Calls(Vec<(String, String)>),
    /// Text and then tool calls.
    Both(String, Vec<(String, String)>),
    /// An HTTP error.
    Status(u16, String),
    /// These bytes as the event stream.
    Raw(String),
    /// Text and then the connection breaks.
    Cut(String),
    /// Waits this long and then gives another reply.
    After(Duration, Box<Reply>),
    /// Repeats the result of the last tool, word for word.
    EchoToolResult,
}

impl Reply {
    pub fn text(text: &str) -> Self {
        Self::Text(vec![text.to_owned()])
    }

    pub fn call(tool: &str, arguments: Value) -> Self {
        Self::Calls(vec![(tool.to_owned(), arguments.to_string())])
    }
}

type Responder = Arc<dyn Fn(&Value) -> Reply + Send + Sync>;

#[derive(Clone)]
pub struct FakeOpenAi {
    address: std::net::SocketAddr,
    state: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    responder: Mutex<Option<Responder>>,
    requests: Mutex<Vec<Value>>,
    headers: Mutex<Vec<HeaderMap>>,
}

impl FakeOpenAi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(state.clone());
        let listener =
            axum::serve::ListenerExt::tap_io(listener, |connection| connection.set_nodelay(true).expect("set"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Appends replies to the script. Each request takes the next one.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.script.lock().expect("unpoisoned").extend(replies);
    }

    /// Drops what is left of the script.
    pub fn forget_script(&self) {
        self.state.script.lock().expect("unpoisoned").clear();
    }

    /// What to answer when the script is empty.
    pub fn respond(&self, responder: impl Fn(&Value) -> Reply + Send + Sync + 'static) {
        *self.state.responder.lock().expect("unpoisoned") = Some(Arc::new(responder));
    }

    /// The headers of every request so far.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.state.headers.lock().expect("unpoisoned").clone()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Value> {
        self.state.requests.lock().expect("unpoisoned").clone()
    }
}

async fn complete(State(state): State<Arc<Shared>>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    state.headers.lock().expect("unpoisoned").push(headers);
    state.requests.lock().expect("unpoisoned").push(request.clone());
    let scripted = state.script.lock().expect("unpoisoned").pop_front();
    let responder = state.responder.lock().expect("unpoisoned").clone();
    let reply = scripted.or_else(|| responder.map(|responder| responder(&request)));
    match reply {
        Some(reply) => answer(reply, &request).await,
        None => (StatusCode::INTERNAL_SERVER_ERROR, "the test's script is at its end").into_response(),
    }
}

async fn answer(reply: Reply, request: &Value) -> Response {
    match reply {
        Reply::Text(pieces) => events(
            pieces
                .iter()
                .map(|piece| delta(json!({ "content": piece })))
                .chain(ending("stop")),
        ),
        Reply::Calls(calls) => events(calls_as_chunks(&calls).into_iter().chain(ending("tool_calls"))),
        Reply::Both(text, calls) => events(
            [delta(json!({ "content": text }))]
                .into_iter()
                .chain(calls_as_chunks(&calls))
                .chain(ending("tool_calls")),
        ),
        Reply::Status(status, body) => (StatusCode::from_u16(status).expect("a status"), body).into_response(),
        Reply::Raw(text) => ([("content-type", "text/event-stream")], text).into_response(),
        Reply::Cut(text) => {
            let first = Ok(Bytes::from(delta(json!({ "content": text }))));
            let pause = stream::once(async { tokio::time::sleep(Duration::from_millis(20)).await })
                .filter_map(|()| async { None });
            let broken = stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
            (
                [("content-type", "text/event-stream")],
                Body::from_stream(stream::iter([first]).chain(pause).chain(broken)),
            )
                .into_response()
        }
        Reply::After(pause, reply) => {
            tokio::time::sleep(pause).await;
            Box::pin(answer(*reply, request)).await
        }
        Reply::EchoToolResult => {
            let last = request["messages"]
                .as_array()
                .and_then(|messages| messages.last())
                .cloned()
                .unwrap_or_default();
            let text = last["content"].as_str().unwrap_or_default().to_owned();
            events([delta(json!({ "content": text }))].into_iter().chain(ending("stop")))
        }
    }
}

fn events(chunks: impl Iterator<Item = String>) -> Response {
    ([("content-type", "text/event-stream")], chunks.collect::<String>()).into_response()
}

fn event(body: &Value) -> String {
    format!("data: {body}\n\n")
}

pub fn delta(delta: Value) -> String {
    event(
        &json!({ "id": "c", "object": "chat.completion.chunk", "created": 0, "model": "fake-model",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }),
    )
}

pub fn ending(reason: &str) -> [String; 3] {
    let finish = json!({ "id": "c", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
    let usage = json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 } });
    [event(&finish), event(&usage), "data: [DONE]\n\n".to_owned()]
}

/// Splits every call into three chunks and interleaves the chunks of all calls, as providers do.
fn calls_as_chunks(calls: &[(String, String)]) -> Vec<String> {
    let piece = |index: usize, call: Value| delta(json!({ "tool_calls": [merge(json!({ "index": index }), call)] }));
    let opening = calls.iter().enumerate().map(|(index, (name, _))| {
        piece(
            index,
            json!({ "id": format!("call-{index}"), "type": "function", "function": { "name": name, "arguments": "" } }),
        )
    });
    let half = |text: &str| {
        (0..=text.len() / 2)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0)
    };
    let halves = |first: bool| {
        calls.iter().enumerate().map(move |(index, (_, arguments))| {
            let (head, tail) = arguments.split_at(half(arguments));
            piece(
                index,
                json!({ "function": { "arguments": if first { head } else { tail } } }),
            )
        })
    };
    opening.chain(halves(true)).chain(halves(false)).collect()
}

fn merge(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// What the shopper wrote last, without what the server says before it.
pub fn question(request: &Value) -> &str {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let last = messages.iter().rfind(|message| message["role"] == "user");
    let content = last.and_then(|message| message["content"].as_str()).unwrap_or_default();
    content
        .rsplit_once("[/server]\n\n")
        .map_or(content, |(_, question)| question)
}

/// The mark of the conversation, which only the model is told.
pub fn mark(request: &Value) -> &str {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let marked = messages
        .iter()
        .filter_map(|message| message["content"].as_str())
        .rfind(|text| text.contains("[server]"));
    let rest = marked.and_then(|text| text.split("The mark of this conversation is ").nth(1));
    rest.and_then(|rest| rest.split('.').next()).expect("a mark")
}

/// What a sound model answers to the questions of `countersign model check`.
pub fn sound(request: &Value) -> Reply {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if messages.last().is_some_and(|message| message["role"] == "tool") {
        return Reply::text("It is in locker 4417; returns are taken at counter 5386.");
    }
    let tools = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let call = |tool: &Value| match tool["function"]["name"].as_str() {
        Some("find_parcel") => Some(("find_parcel".to_owned(), json!({ "parcel": "P-17" }).to_string())),
        Some("find_counter") => Some(("find_counter".to_owned(), json!({ "service": "returns" }).to_string())),
        _ => None,
    };
    match tools.iter().filter_map(call).collect::<Vec<_>>() {
        calls if calls.is_empty() => Reply::text("Yes, I am here."),
        calls => Reply::Calls(calls),
    }
}
