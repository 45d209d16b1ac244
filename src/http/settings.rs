//! Settings of the HTTP server: connection limits, rate limits and trusted proxies.

use std::net::IpAddr;

use ipnet::IpNet;

/// A rate limit: how many requests a second, and how many at once after a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Rate {
    #[schema(example = 10)]
    pub per_second: u32,
    #[schema(example = 50)]
    pub burst: u32,
}

/// The rate limits. Each replica counts for itself.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Limits {
    /// All requests from one network. Many people can share one, such as an office or a mobile carrier.
    pub address: Rate,
    /// Requests from one network to the routes of log-in, registration and guest sessions.
    pub sign_in: Rate,
    /// Requests by one account.
    pub account: Rate,
    /// Webhooks from one address. A platform sends many at once from a few addresses.
    pub webhook: Rate,
    /// Requests that the process handles at once, in all.
    pub max_requests: usize,
}

/// The default of [`Limits::max_requests`].
pub const MAX_REQUESTS: usize = 2048;

impl Limits {
    /// Limits that are too high to be reached, for the demo's tests, replays and load tests.
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
            max_requests: MAX_REQUESTS,
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
            max_requests: MAX_REQUESTS,
        }
    }
}

/// The header in which a trusted proxy writes the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressHeader {
    XForwardedFor,
    Forwarded,
    CfConnectingIp,
}

/// The trusted proxies in front of the service. Address headers from others are ignored.
#[derive(Clone, Debug)]
pub struct Proxies {
    pub networks: Vec<IpNet>,
    pub header: AddressHeader,
}

impl Proxies {
    /// No proxy is trusted.
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

/// Limits on open connections.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The most connections in all.
    pub max: usize,
    /// The most connections from one network. A /48 may hold four times as many, and trusted proxies are not limited.
    pub max_from_address: usize,
    pub proxies: Proxies,
}

impl Default for Connections {
    /// A connection costs about 10 KiB of memory and a file descriptor.
    fn default() -> Self {
        Self {
            max: 16_384,
            max_from_address: 256,
            proxies: Proxies::none(),
        }
    }
}
