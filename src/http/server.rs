//! The HTTP/1.1 server, with limits on connections, on request heads and on the time that a head may take.
//!
//! It does not speak HTTP/2, which avoids the floods that HTTP/2 allows. A proxy in front can speak it with browsers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Version, header},
    response::IntoResponse,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::ServiceExt;

use super::{client_ip::Peer, problem::Problem, settings::Connections};
use crate::network::{self, Places};

/// How long a client may take to send a request's head. This includes the idle time before the next request.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// The largest request head, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
/// How many times as many connections a /48 may hold as one network.
const SITE_MULTIPLIER: usize = 4;

/// Serves until `stop` completes, then waits for open requests to end, however long they take.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, stop: impl Future<Output = ()>) {
    let (places, network_places) = (Arc::new(Semaphore::new(connections.max)), Places::default());
    let (graceful, mut stop) = (GracefulShutdown::new(), std::pin::pin!(stop));
    raise_open_file_limit();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        // A trusted proxy is not limited, because its connections belong to many clients.
        let mut shares = Vec::new();
        if !connections.proxies.trusts(peer.ip()) {
            let most = connections.max_from_address;
            shares.extend(network::shares(peer.ip(), most, most.saturating_mul(SITE_MULTIPLIER)));
        }
        let Ok(network_place) = network_places.take(shares) else {
            continue;
        };
        // Events are small writes. Nagle's algorithm would hold each back until the peer's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection does not take TCP_NODELAY");
        }
        let router = router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let refusal = refuse_head(&request);
            let router = router.clone();
            async move {
                match refusal {
                    Some(problem) => Ok(problem.into_response()),
                    None => router.oneshot(request).await,
                }
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            // The buffer can exceed this by one read; `head_size` is exact.
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        #[allow(
            clippy::disallowed_methods,
            reason = "the task ends with its connection, and the shutdown waits for it"
        )]
        tokio::spawn(async move {
            // A broken connection is not worth a log line; each request has its own.
            let _ = connection.await;
            drop((network_place, place));
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The reason to refuse a request after its head was read, if there is one.
fn refuse_head(request: &Request) -> Option<Problem> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if head_size(request) > MAX_HEAD_BYTES {
        Some(Problem::head_too_large())
    } else if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        Some(Problem::bad_host())
    } else {
        None
    }
}

/// The size of a request's target and headers, in bytes.
fn head_size(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    // Four bytes are `: ` and the line end.
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    target + headers.sum::<usize>()
}

/// Raises the limit of open files to the most that the machine allows, because each connection needs one.
fn raise_open_file_limit() {
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(most) => tracing::debug!(most, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// Waits for a free place and accepts the next connection. Returns none, after a short pause, if accepting fails.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, SocketAddr, Place)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Most likely there are no file descriptors left, so others must be closed first.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
