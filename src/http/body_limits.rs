//! Bodies that are still arriving: who may have how many of them, and how slow they may be.

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

/// How long a body may take to arrive: 64 KiB in this time is a modem's speed.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes a second that a body brings at least, once the grace is over.
const LEAST_RATE: usize = 1024;
/// Seconds in which it may be slower.
const GRACE: usize = 2;

/// Bodies of callers whom nobody knows yet. Half of the requests in hand, so that those who are known keep the other half.
const OF_STRANGERS: usize = 1_024;
/// Bodies of strangers of one IPv4 address or IPv6 /64, and of one /48.
const OF_NETWORK: usize = 64;
const OF_SITE: usize = 256;
/// Bodies of one account.
const OF_ACCOUNT: usize = 64;

/// What a body counts under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Share {
    Strangers,
    Network(Network),
    Account(uuid::Uuid),
}

/// The bodies that are arriving.
#[derive(Clone, Default)]
pub struct Bodies {
    places: Places<Share>,
}

/// A body's place among those that are arriving.
pub struct Arriving {
    _place: Option<Place<Share>>,
    bytes: Arc<AtomicUsize>,
}

/// Takes a place for the request's body and begins to count its bytes.
pub fn arrive(request: Request) -> Result<(Request, Arriving), Problem> {
    let extensions = request.extensions();
    let account = extensions
        .get::<Shopper>()
        .map(|shopper| shopper.id().as_uuid())
        .or_else(|| extensions.get::<StaffMember>().map(StaffMember::id));
    let shares = match (account, extensions.get::<ClientAddress>()) {
        (Some(account), _) => vec![(Share::Account(account), OF_ACCOUNT)],
        (None, Some(ClientAddress(address))) => {
            let from = network::shares(*address, OF_NETWORK, OF_SITE);
            let from = from.map(|(network, most)| (Share::Network(network), most));
            std::iter::once((Share::Strangers, OF_STRANGERS)).chain(from).collect()
        }
        (None, None) => vec![(Share::Strangers, OF_STRANGERS)],
    };
    let place = match extensions.get::<Bodies>() {
        Some(bodies) => Some(bodies.places.take(shares).map_err(|full| match full {
            Share::Strangers => Problem::busy(),
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
    Ok((request, Arriving { _place: place, bytes }))
}

impl Arriving {
    /// What `reading` gives, unless the body is too slow for it.
    pub async fn read<T>(&self, reading: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            read = reading => Some(read),
            () = self.too_slow() => None,
        }
    }

    async fn too_slow(&self) {
        for second in 1..=DEADLINE.as_secs() as usize {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.bytes.load(Ordering::Relaxed) < second.saturating_sub(GRACE - 1) * LEAST_RATE && second >= GRACE {
                return;
            }
        }
    }
}
