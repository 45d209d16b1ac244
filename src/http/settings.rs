//! Settings of this room: who may connect, how often, and whose word on an address counts.

use std::net::IpAddr;

use ipnet::IpNet;

/// So many a second, and so many at once after a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Rate {
    #[schema(example = 10)]
    pub per_second: u32,
    #[schema(example = 50)]
    pub burst: u32,
}

/// How often requests are taken, each replica for itself.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Limits {
    /// Requests from one network, whoever calls: an office or a mobile carrier may stand behind it.
    pub address: Rate,
    /// Requests from one network to routes where nobody is known yet: log-in, registration, guests.
    pub sign_in: Rate,
    /// Requests by one account.
    pub account: Rate,
    /// Webhooks from one address: a shop's platform sends many at once from a few.
    pub webhook: Rate,
    /// Requests in hand at once, whoever calls.
    pub most_requests: usize,
}

/// Requests in hand at once.
pub const MOST_REQUESTS: usize = 2048;

impl Limits {
    /// Limits that nobody reaches, for replays and load tests on one's own machine.
    pub fn wide() -> Self {
        let rate = Rate {
            per_second: 100_000,
            burst: 1_000_000,
        };
        Self {
            address: rate,
            sign_in: rate,
            account: rate,
            webhook: rate,
            most_requests: MOST_REQUESTS,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let rate = |per_second, burst| Rate { per_second, burst };
        Self {
            address: rate(50, 200),
            sign_in: rate(2, 20),
            account: rate(10, 50),
            webhook: rate(100, 1000),
            most_requests: MOST_REQUESTS,
        }
    }
}

/// Where a trusted proxy writes the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressHeader {
    XForwardedFor,
    Forwarded,
    CfConnectingIp,
}

/// The proxies in front of the service. Nobody else's word on an address counts.
#[derive(Clone, Debug)]
pub struct Proxies {
    pub networks: Vec<IpNet>,
    pub header: AddressHeader,
}

impl Proxies {
    /// Nobody stands in front.
    pub fn none() -> Self {
        Self {
            networks: Vec::new(),
            header: AddressHeader::XForwardedFor,
        }
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// How many connections are held.
#[derive(Clone, Debug)]
pub struct Connections {
    pub most: usize,
    /// The most connections from one network; a site may hold four times as many. Trusted proxies do not count.
    pub most_from_address: usize,
    pub proxies: Proxies,
}

impl Default for Connections {
    /// Each costs about ten KiB and a file descriptor.
    fn default() -> Self {
        Self {
            most: 16_384,
            most_from_address: 256,
            proxies: Proxies::none(),
        }
    }
}
