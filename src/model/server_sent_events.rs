//! Server-sent events, read as leniently as model servers write them.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html> is the format. Seen besides: no blank line between events, none
//! after the last, a byte order mark, a whole JSON answer although a stream was asked for.

use std::time::Duration;

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::{ModelError, refusal::Refusal};

/// The most that is read of one answer, in bytes. The longest real answers, reasoning and all, have less than a tenth of it.
const MAX_STREAM_BYTES: usize = 16 * 1024 * 1024;
/// The most that is read of a refusal, in bytes.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
/// How long the text of a refusal may take once its status is known.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The byte order mark in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();
/// Ends the stream of a chat completion.
const DONE: &str = "[DONE]";

/// One event of an answer.
#[derive(Debug, PartialEq)]
pub enum StreamEvent {
    Json(Value),
    /// `[DONE]`: the server says that nothing more comes.
    Done,
    /// Data that is not JSON.
    Unreadable,
}

/// Why a request has no stream.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("refused with {}", .0.status)]
    Refused(Refusal),
    #[error(transparent)]
    Failed(#[from] ModelError),
}

/// Sends a request, and gives back the events of its answer.
pub async fn open(
    client: &reqwest::Client,
    request: reqwest::Request,
) -> Result<impl Stream<Item = Result<StreamEvent, ModelError>> + Send + use<>, OpenError> {
    let response = client.execute(request).await.map_err(|error| failure(&error))?;
    if !response.status().is_success() {
        return Err(OpenError::Refused(refusal(response).await));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_whole = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    let mut read = 0;
    let bytes = response
        .bytes_stream()
        .map_err(|error| failure(&error))
        .and_then(move |piece| {
            read += piece.len();
            future::ready(if read > MAX_STREAM_BYTES {
                Err(ModelError::TooLong)
            } else {
                Ok(piece.to_vec())
            })
        });
    Ok(if is_whole {
        whole(bytes).left_stream()
    } else {
        events(bytes).right_stream()
    })
}

/// The events in a stream of bytes.
pub fn events(
    bytes: impl Stream<Item = Result<Vec<u8>, ModelError>> + Send,
) -> impl Stream<Item = Result<StreamEvent, ModelError>> + Send {
    // Some servers leave out the blank line that ends the last event. The one before the first says nothing, and keeps the parser from
    // looking for a byte order mark, at which it panics.
    let blank = |lines: &str| stream::iter([Ok(lines.as_bytes().to_vec())]);
    let framed = blank("\n").chain(without_mark(bytes)).chain(blank("\n\n"));
    framed
        .eventsource()
        .map_err(|error| match error {
            eventsource_stream::EventStreamError::Transport(error) => error,
            _ => ModelError::Garbage,
        })
        .map_ok(|event| stream::iter(read(&event.data).into_iter().map(Ok)))
        .try_flatten()
}

/// The bytes without a byte order mark before them.
fn without_mark(
    bytes: impl Stream<Item = Result<Vec<u8>, ModelError>> + Send,
) -> impl Stream<Item = Result<Vec<u8>, ModelError>> + Send {
    let mut first = Some(Vec::new());
    bytes.map_ok(move |piece| {
        let Some(mut start) = first.take() else {
            return piece;
        };
        start.extend_from_slice(&piece);
        if start.len() < MARK.len() && MARK.starts_with(&start) {
            first = Some(start);
            return Vec::new();
        }
        match start.strip_prefix(MARK) {
            Some(rest) => rest.to_vec(),
            None => start,
        }
    })
}

/// The one event of an answer that came as a whole.
fn whole(
    bytes: impl Stream<Item = Result<Vec<u8>, ModelError>> + Send,
) -> impl Stream<Item = Result<StreamEvent, ModelError>> + Send {
    let body = async move {
        let body: Vec<Vec<u8>> = bytes.try_collect().await?;
        Ok(match serde_json::from_slice(&body.concat()) {
            Ok(json) => stream::iter(vec![Ok(StreamEvent::Json(json)), Ok(StreamEvent::Done)]),
            Err(_) => stream::iter(vec![Ok(StreamEvent::Unreadable)]),
        })
    };
    stream::once(body).try_flatten()
}

fn read(data: &str) -> Vec<StreamEvent> {
    let one = |text: &str| match text.trim_matches(['\u{feff}', ' ', '\r', '\t']) {
        "" => None,
        DONE => Some(StreamEvent::Done),
        text => Some(serde_json::from_str(text).map_or(StreamEvent::Unreadable, StreamEvent::Json)),
    };
    match one(data) {
        // Several events run together where the blank lines between them are missing.
        Some(StreamEvent::Unreadable) if data.contains('\n') => data.lines().filter_map(one).collect(),
        event => event.into_iter().collect(),
    }
}

async fn refusal(response: reqwest::Response) -> Refusal {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    let reading = async {
        while let Some(Ok(piece)) = pieces.next().await {
            body.extend_from_slice(&piece);
            if body.len() > MAX_REFUSAL_BYTES {
                break;
            }
        }
    };
    // A refusal whose text does not come is still a refusal.
    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, reading).await;
    Refusal::read(status, &headers, &body)
}

fn failure(error: &reqwest::Error) -> ModelError {
    match error {
        error if error.is_connect() || error.is_request() => ModelError::Unreachable,
        error if error.is_builder() => ModelError::UnknownModel,
        _ => ModelError::CutOff,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever bytes come, in whatever pieces, reading ends without a panic.
        #[test]
        fn any_bytes_are_read(pieces in proptest::collection::vec(
            prop_oneof![proptest::collection::vec(any::<u8>(), 0..8), "(data: |\\{\"a\":1\\}|\n|\r|: |event: x|\u{feff}|é|\\[DONE\\])".prop_map(String::into_bytes)], 0..24)) {
            let pieces: Vec<_> = pieces.into_iter().map(Ok).collect();
            futures::executor::block_on(events(stream::iter(pieces)).for_each(|_| future::ready(())));
        }
    }

    async fn read_in_pieces(text: &str, size: usize) -> Vec<StreamEvent> {
        let pieces: Vec<_> = text.as_bytes().chunks(size).map(|piece| Ok(piece.to_vec())).collect();
        events(stream::iter(pieces))
            .map(|event| event.expect("an event"))
            .collect()
            .await
    }

    #[tokio::test]
    async fn events_are_found_however_they_are_framed() {
        for text in [
            "data: {\"a\":\"é\"}\n\ndata: [DONE]\n\n",
            "data:{\"a\":\"é\"}\r\n\r\ndata:[DONE]\r\n\r\n",
            "data: {\"a\":\"é\"}\r\rdata: [DONE]\r\r",
            "\u{feff}data: {\"a\":\"é\"}\n\ndata: [DONE]",
            ": comment\n\nevent: chunk\nid: 1\nretry: 10\ndata: {\"a\":\"é\"}\n\n: PROCESSING\n\ndata: [DONE]\n",
            "data: {\"a\":\"é\"}\ndata: [DONE]\n",
            "data: {\"a\":\ndata: \"é\"}\n\ndata: [DONE]\n\n",
            "data:\n\ndata: {\"a\":\"é\"}\n\ndata:  [DONE] \n\n",
        ] {
            for size in 1..text.len() {
                let found = read_in_pieces(text, size).await;
                let right = [StreamEvent::Json(serde_json::json!({ "a": "é" })), StreamEvent::Done];
                assert_eq!(found, right, "{text:?} in pieces of {size}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_json_is_said_to_be_so() {
        assert_eq!(read_in_pieces("data: {half\n\n", 3).await, [StreamEvent::Unreadable]);
        assert_eq!(read_in_pieces("<html></html>", 3).await, []);
    }
}
