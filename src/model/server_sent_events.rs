//! Server-sent events, read as leniently as model servers write them.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html> is the format. Seen besides: no blank line between events, none
//! after the last, a byte order mark, a whole JSON answer although a stream was asked for.

use std::time::Duration;

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
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
    let mut read = 0;
    let mut bytes = response
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
    // What it is shows in the body; servers and proxies name the one in the header and send the other.
    let mut start = Vec::new();
    while is_blank(&start)
        && let Some(piece) = bytes.next().await
    {
        start.extend(piece?);
    }
    let is_whole = text_of(&start).first() == Some(&b'{');
    let bytes = stream::iter([Ok(start)]).chain(bytes);
    Ok(if is_whole {
        whole(bytes).left_stream()
    } else {
        events(bytes).right_stream()
    })
}

/// A beginning of a body without the mark and the white space before its text.
fn text_of(start: &[u8]) -> &[u8] {
    start.strip_prefix(MARK).unwrap_or(start).trim_ascii_start()
}

fn is_blank(start: &[u8]) -> bool {
    MARK.starts_with(start) || text_of(start).is_empty()
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
        Ok(match serde_json::from_slice(text_of(&body.concat())) {
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
        text => Some(json(text).map_or(StreamEvent::Unreadable, StreamEvent::Json)),
    };
    match one(data) {
        // Several events run together where the blank lines between them are missing.
        Some(StreamEvent::Unreadable) if data.contains('\n') => data.lines().filter_map(one).collect(),
        event => event.into_iter().collect(),
    }
}

/// JSON. A server that cuts a text between the two halves of an emoji writes half a surrogate pair, which is no text: it is left out.
fn json(text: &str) -> Option<Value> {
    let is_surrogate = |at: usize, digits: &[u8]| {
        let escape = text.as_bytes().get(at..at + 4);
        escape.is_some_and(|escape| {
            escape.starts_with(b"\\u")
                && escape[2].eq_ignore_ascii_case(&b'd')
                && digits.contains(&escape[3].to_ascii_lowercase())
        })
    };
    serde_json::from_str(text).ok().or_else(|| {
        let (mut kept, mut at) = (Vec::new(), 0);
        let bytes = text.as_bytes();
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if is_surrogate(at, b"89ab") && is_surrogate(at + 6, b"cdef") => {
                    kept.extend_from_slice(bytes.get(at..at + 12)?);
                    at += 12;
                }
                b'\\' if is_surrogate(at, b"89abcdef") => at += 6,
                // Whatever stands behind a backslash belongs to it, another backslash too.
                b'\\' => {
                    kept.extend_from_slice(bytes.get(at..at + 2)?);
                    at += 2;
                }
                byte => {
                    kept.push(byte);
                    at += 1;
                }
            }
        }
        serde_json::from_slice(&kept).ok()
    })
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

    #[test]
    fn half_a_surrogate_pair_is_left_out() {
        for (given, expected) in [
            (r#"{"a":"day \ud83d"}"#, Some("day ")),
            (r#"{"a":"\ude00 to"}"#, Some(" to")),
            (r#"{"a":"\ud83d\ude00 \uD83D."}"#, Some("😀 .")),
            (r#"{"a":"\\ud83d \ud83d"}"#, Some(r"\ud83d ")),
            (r#"{"a":"\ud83d"#, None),
        ] {
            let read = json(given);
            assert_eq!(read.as_ref().and_then(|read| read["a"].as_str()), expected, "{given}");
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
