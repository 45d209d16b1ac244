//! Reads the connection limits, rate limits and trusted proxies.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Reader;
use crate::http::{AddressHeader, Connections, Limits, MAX_REQUESTS, Proxies, Rate};

impl Reader<'_> {
    pub fn limits(&mut self) -> Limits {
        let defaults = Limits::default();
        let mut rate = |name: &'static str, default: Rate| {
            let per_second = self.number(name, 1..=100_000, default.per_second.into()) as u32;
            Rate {
                per_second,
                // The default burst lasts a number of seconds at the default rate. A burst at another rate lasts as long.
                burst: per_second * (default.burst / default.per_second),
            }
        };
        Limits {
            address: rate("LIMIT_ADDRESS_PER_SECOND", defaults.address),
            sign_in: rate("LIMIT_SIGN_IN_PER_SECOND", defaults.sign_in),
            account: rate("LIMIT_ACCOUNT_PER_SECOND", defaults.account),
            webhook: rate("LIMIT_WEBHOOK_PER_SECOND", defaults.webhook),
            max_requests: self.number("MAX_REQUESTS", 16..=1_000_000, MAX_REQUESTS as i64) as usize,
        }
    }

    pub fn connections(&mut self) -> Connections {
        let networks = self.text("TRUSTED_PROXIES").unwrap_or_default();
        let networks: Vec<Option<IpNet>> = networks
            .split(',')
            .map(str::trim)
            .filter(|network| !network.is_empty())
            .map(|network| {
                network
                    .parse()
                    .ok()
                    .or_else(|| network.parse().ok().map(|address: IpAddr| address.into()))
            })
            .collect();
        if networks
            .iter()
            .any(|network| network.is_none_or(|network| network.prefix_len() < min_prefix(&network)))
        {
            self.fault(
                "TRUSTED_PROXIES",
                "must be networks or addresses of your own proxies, such as 10.0.0.0/8, 192.0.2.7; an IPv4 network of /8 or an IPv6 one of /20 \
                 at the widest, as whoever is trusted may claim any address",
            );
        }
        let header = match self
            .text("CLIENT_ADDRESS_HEADER")
            .map(|name| name.to_lowercase())
            .as_deref()
        {
            None | Some("x-forwarded-for") => AddressHeader::XForwardedFor,
            Some("forwarded") => AddressHeader::Forwarded,
            Some("cf-connecting-ip") => AddressHeader::CfConnectingIp,
            Some(_) => {
                self.fault(
                    "CLIENT_ADDRESS_HEADER",
                    "must be X-Forwarded-For, Forwarded or CF-Connecting-IP",
                );
                AddressHeader::XForwardedFor
            }
        };
        let defaults = Connections::default();
        Connections {
            max: self.number("MAX_CONNECTIONS", 16..=1_000_000, defaults.max as i64) as usize,
            max_from_address: self.number(
                "MAX_CONNECTIONS_FROM_ADDRESS",
                1..=1_000_000,
                defaults.max_from_address as i64,
            ) as usize,
            proxies: Proxies {
                networks: networks.into_iter().flatten().collect(),
                header,
            },
        }
    }
}

/// The widest network that is trusted: 10.0.0.0/8 is private as a whole, and no provider of proxies has more of IPv6 than a /20.
fn min_prefix(network: &IpNet) -> u8 {
    match network {
        IpNet::V4(_) => 8,
        IpNet::V6(_) => 20,
    }
}
