//! A model that answers at once: first with one tool call, then with a sentence.

use std::borrow::Cow;

use axum::{Router, body::Bytes, routing::post};
use tokio::net::TcpListener;

/// Starts the model and returns its base URL.
pub async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let router = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn complete(body: Bytes) -> ([(&'static str, &'static str); 1], Cow<'static, str>) {
    let text = String::from_utf8_lossy(&body);
    let answer = if text.contains(r#""role":"tool""#) {
        SENTENCE.into()
    } else if let Some((_, rest)) = text.split_once("refund #") {
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        REFUND.replace("NUMBER", &number).into()
    } else {
        CALL.into()
    };
    ([("content-type", "text/event-stream")], answer)
}

const REFUND: &str = concat!(
    r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"request_refund","arguments":"{\"order_number\":\"NUMBER\",\"amount\":\"1.00\",\"reason\":\"late\"}"}}]},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    "\n\ndata: [DONE]\n\n"
);

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
