//! Connections: how many, from whom, and how long they may take to say something.
//!
//! HTTP/1.1 only: a proxy in front speaks HTTP/2 with browsers, and what is not here cannot be flooded.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
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

use super::address::Peer;
use crate::config::Connections;

/// How long a client may take to send a request's head, and to begin its next one.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// The largest head, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_HEADERS: usize = 100;

/// Serves until `stop` is over, then lets open requests end, however long they take.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, stop: impl Future<Output = ()>) {
    let (places, crowd) = (Arc::new(Semaphore::new(connections.most)), Crowd::default());
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
        let most = if connections.proxies.trusts(peer.ip()) {
            usize::MAX
        } else {
            connections.most_from_address
        };
        let Some(seat) = crowd.join(peer.ip().to_canonical(), most) else {
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
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // Clients come and go as they like; what they did is in the log of their requests.
            let _ = connection.await;
            drop((seat, place));
        });
    }
    drop(listener);
    graceful.shutdown().await;
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

/// How many connections each address holds.
#[derive(Clone, Default)]
struct Crowd {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place in the crowd. Dropped with it.
struct Seat {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    fn join(&self, address: IpAddr, most: usize) -> Option<Seat> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat {
            crowd: self.clone(),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.crowd.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_more_than_its_share_and_gets_it_back() {
        let (crowd, address) = (Crowd::default(), IpAddr::from([192, 0, 2, 1]));
        let seats: Vec<_> = (0..2).filter_map(|_| crowd.join(address, 2)).collect();
        assert_eq!(seats.len(), 2);
        assert!(crowd.join(address, 2).is_none());
        assert!(crowd.join(IpAddr::from([192, 0, 2, 2]), 2).is_some());
        drop(seats);
        assert!(crowd.join(address, 2).is_some());
        assert_eq!(crowd.held.lock().expect("no panic").len(), 0);
    }
}
