//! Connections: how many, from whom, and how long they may take to say something.
//!
//! HTTP/1.1 only: a proxy in front speaks HTTP/2 with browsers, and what is not here cannot be flooded.

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

/// How long a client may take to send a request's head, and to begin its next one.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// The largest head, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_HEADERS: usize = 100;
/// How many times a network's connections the /48 above it may hold.
const SITE_SHARE: usize = 4;

/// Serves until `stop` is over, then lets open requests end, however long they take.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, stop: impl Future<Output = ()>) {
    let (places, crowd) = (Arc::new(Semaphore::new(connections.most)), Places::default());
    let (graceful, mut stop) = (GracefulShutdown::new(), std::pin::pin!(stop));
    allow_many_files();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        // A proxy's connections are everybody's: it is the one that counts them.
        let mut shares = Vec::new();
        if !connections.proxies.trusts(peer.ip()) {
            let most = connections.most_from_address;
            shares.extend(network::shares(peer.ip(), most, most.saturating_mul(SITE_SHARE)));
        }
        let Ok(seat) = crowd.take(shares) else {
            continue;
        };
        // Events are small writes: waiting to fill a packet would hold each back by the peer's delayed acknowledgement.
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
            // The buffer may grow past it by what one read brings; `head_size` is exact.
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        #[allow(
            clippy::disallowed_methods,
            reason = "the task ends with its connection, and the shutdown waits for it"
        )]
        tokio::spawn(async move {
            // Clients come and go as they like; what they did is in the log of their requests.
            let _ = connection.await;
            drop((seat, place));
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Why a request is not read any further.
fn refuse_head(request: &Request) -> Option<Problem> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if head_size(request) > LARGEST_HEAD {
        Some(Problem::head_too_large())
    } else if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        Some(Problem::bad_host())
    } else {
        None
    }
}

/// Bytes of a request's line and headers, as they came.
fn head_size(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    // `: ` and the end of the line.
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    target + headers.sum::<usize>()
}

/// A connection is a file. What the machine allows at most is taken, where it starts with less.
fn allow_many_files() {
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(most) => tracing::debug!(most, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is room for one. None when the machine refuses it, after a moment.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, SocketAddr, Place)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Out of file descriptors, most likely: others must close first.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
