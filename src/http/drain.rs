//! A replica that is about to stop: it says so while it still serves, so that whatever stands before it sends nobody new,
//! and lets go of those who listen, so that they go on listening elsewhere.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{Response, sse},
};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

/// How soon a listener may come back. It is told to, as the event stream's `retry`.
const COME_BACK: Duration = Duration::from_millis(500);

/// How far the stop has come. Clones are the same stop.
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

    /// Open event streams end with a `retry`.
    pub fn hand_over(&self) {
        self.handing_over.cancel();
    }

    /// The events until they end, or until the listener should go elsewhere: then it is told when to come back.
    pub fn bounded(
        &self,
        events: impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static,
    ) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static {
        let drain = self.clone();
        let farewell = stream::once(async move { drain.handing_over.is_cancelled() }).filter_map(|over| {
            let event = over.then(|| sse::Event::default().retry(COME_BACK).comment("go on elsewhere"));
            std::future::ready(event.map(Ok))
        });
        events
            .take_until(self.handing_over.clone().cancelled_owned())
            .chain(farewell)
    }
}

/// Closes each connection with its answer once the stop has begun: a proxy that kept it would send its next request into the end.
pub async fn close_connections(State(drain): State<Drain>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if drain.has_begun() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
