//! A model that answers at once: first with one tool call, then with a sentence.

use axum::{Router, body::Bytes, routing::post};
use tokio::net::TcpListener;

/// Starts it; returns its base URL.
pub async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let router = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn complete(body: Bytes) -> ([(&'static str, &'static str); 1], &'static str) {
    let answered = body.windows(13).any(|window| window == br#""role":"tool""#);
    (
        [("content-type", "text/event-stream")],
        if answered { SENTENCE } else { CALL },
    )
}

const CALL: &str = concat!(
    r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"get_order","arguments":"{\"order_number\":\"101\"}"}}]},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    "\n\ndata: [DONE]\n\n"
);

const SENTENCE: &str = concat!(
    r#"data: {"choices":[{"index":0,"delta":{"content":"Your order has been "},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{"content":"delivered."},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n"
);
