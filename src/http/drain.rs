//! Draining a replica before it stops. It reports itself unhealthy while it still serves, so that a load balancer sends no new requests,
//! and it ends open event streams so that their clients reconnect to another replica.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response, Sse, sse},
};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

/// How long a client waits before it reconnects. It is sent as the event stream's `retry`.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// How often a silent event stream sends a comment, so that proxies keep its connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How far the shutdown has come. Clones share their state.
#[derive(Clone, Default)]
pub struct Drain {
    begun: CancellationToken,
    handing_over: CancellationToken,
}

impl Drain {
    /// Begins to drain: from now on `/health` answers 503, and each connection closes after its answer.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Ends all open event streams, each with a `retry`.
    pub fn hand_over(&self) {
        self.handing_over.cancel();
    }

    /// Answers with an event stream. It ends at [`Self::hand_over`], with a last event that tells the client when to reconnect.
    pub fn event_stream(
        &self,
        events: impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static,
    ) -> Response {
        let drain = self.clone();
        let farewell = stream::once(async move { drain.handing_over.is_cancelled() }).filter_map(|over| {
            let event = over.then(|| sse::Event::default().retry(RECONNECT_DELAY).comment("go on elsewhere"));
            std::future::ready(event.map(Ok))
        });
        let bounded = events
            .take_until(self.handing_over.clone().cancelled_owned())
            .chain(farewell);
        Sse::new(bounded)
            .keep_alive(sse::KeepAlive::new().interval(KEEP_ALIVE))
            .into_response()
    }
}

/// Closes each connection with its answer once the shutdown has begun. Otherwise a proxy could send its next request on a connection that
/// is about to close.
pub async fn close_connections(State(drain): State<Drain>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if drain.has_begun() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
