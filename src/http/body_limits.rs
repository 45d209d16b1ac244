//! Limits on request bodies that are still arriving: how many each caller may have, and how slowly they may be sent.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::Request};
use futures::TryStreamExt;

use super::{client_ip::ClientAddress, problem::Problem};
use crate::{
    identity::{Shopper, StaffMember},
    network::{self, Network, Place, Places},
};

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(10);
/// The average rate that a body must reach after the grace period, in bytes per second.
const MIN_BYTES_PER_SECOND: usize = 1024;
/// How many seconds a body may be slower at its start.
const GRACE_SECONDS: usize = 2;

/// Bodies of callers who are not signed in, at most. This is half of the default [`super::MAX_REQUESTS`], so that signed-in callers keep
/// the other half.
const MAX_ANONYMOUS_BODIES: usize = 1_024;
/// Anonymous bodies from one IPv4 address or IPv6 /64, at most.
const MAX_NETWORK_BODIES: usize = 64;
/// Anonymous bodies from one IPv6 /48, at most.
const MAX_SITE_BODIES: usize = 256;
/// Bodies of one account, at most.
const MAX_ACCOUNT_BODIES: usize = 64;

/// The limits that a body counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Share {
    Anonymous,
    Network(Network),
    Account(uuid::Uuid),
}

/// Counts the bodies that are arriving in this process.
#[derive(Clone, Default)]
pub struct IncomingBodies {
    places: Places<Share>,
}

/// A body that is arriving. It holds its places in [`IncomingBodies`] until it is dropped.
pub struct IncomingBody {
    _place: Option<Place<Share>>,
    bytes: Arc<AtomicUsize>,
}

/// Takes the body's places, or refuses the request when a limit is reached, and begins to count the body's bytes.
pub fn admit(request: Request) -> Result<(Request, IncomingBody), Problem> {
    let extensions = request.extensions();
    let account = extensions
        .get::<Shopper>()
        .map(|shopper| shopper.id().as_uuid())
        .or_else(|| extensions.get::<StaffMember>().map(StaffMember::id));
    let shares = match (account, extensions.get::<ClientAddress>()) {
        (Some(account), _) => vec![(Share::Account(account), MAX_ACCOUNT_BODIES)],
        (None, Some(ClientAddress(address))) => {
            let from = network::shares(*address, MAX_NETWORK_BODIES, MAX_SITE_BODIES);
            let from = from.map(|(network, most)| (Share::Network(network), most));
            std::iter::once((Share::Anonymous, MAX_ANONYMOUS_BODIES))
                .chain(from)
                .collect()
        }
        (None, None) => vec![(Share::Anonymous, MAX_ANONYMOUS_BODIES)],
    };
    let place = match extensions.get::<IncomingBodies>() {
        Some(bodies) => Some(bodies.places.take(shares).map_err(|full| match full {
            Share::Anonymous => Problem::busy(),
            Share::Network(_) | Share::Account(_) => Problem::too_many(1),
        })?),
        None => None,
    };
    let bytes = Arc::new(AtomicUsize::new(0));
    let counted = bytes.clone();
    let request = request.map(|body| {
        Body::from_stream(body.into_data_stream().inspect_ok(move |piece| {
            counted.fetch_add(piece.len(), Ordering::Relaxed);
        }))
    });
    Ok((request, IncomingBody { _place: place, bytes }))
}

impl IncomingBody {
    /// Waits for `reading`. Returns nothing if the body arrives too slowly.
    pub async fn read<T>(&self, reading: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            read = reading => Some(read),
            () = self.too_slow() => None,
        }
    }

    async fn too_slow(&self) {
        for second in 1..=DEADLINE.as_secs() as usize {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let expected = second.saturating_sub(GRACE_SECONDS - 1) * MIN_BYTES_PER_SECOND;
            if second >= GRACE_SECONDS && self.bytes.load(Ordering::Relaxed) < expected {
                return;
            }
        }
    }
}
