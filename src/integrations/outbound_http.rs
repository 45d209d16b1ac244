//! Calls to addresses that somebody else chose: never into our own network.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use tokio::time::timeout;

use super::OutboundSettings;
use crate::jobs::outbox::Sent;

/// How long one DNS query may take, and the whole lookup.
const DNS_ATTEMPT: Duration = Duration::from_secs(2);
const DNS_DEADLINE: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// A client that follows no redirect and has a deadline. With `guard` it connects to public addresses only, and with `Some(true)` to
/// loopback too. The check is made on the addresses that are actually connected to, so a DNS name cannot change between check and use.
pub(super) fn client(guard: Option<bool>, settings: &OutboundSettings) -> Result<reqwest::Client, OutboundError> {
    let builder = reqwest::Client::builder()
        .timeout(settings.deadline)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(format!("countersign/{}", crate::VERSION));
    let builder = match guard {
        Some(allow_loopback) => {
            let resolver = resolver(settings.dns)?;
            builder.dns_resolver(PublicOnly {
                allow_loopback,
                resolver,
            })
        }
        None => builder,
    };
    Ok(builder.build()?)
}

/// Why the client for outbound calls cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    #[error("the resolver cannot be set up: {0}")]
    Resolver(#[from] NetError),
}

/// Builds a resolver that asks that server, or the system's.
pub fn resolver_builder(server: Option<SocketAddr>) -> Result<ResolverBuilder<TokioRuntimeProvider>, NetError> {
    let Some(server) = server else {
        return TokioResolver::builder_tokio();
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    let config = ResolverConfig::from_name_servers(vec![server]);
    Ok(TokioResolver::builder_with_config(
        config,
        TokioRuntimeProvider::default(),
    ))
}

/// A resolver with a deadline. The system's own has none and blocks a thread while it waits: a store's slow DNS server could block them
/// all.
fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = resolver_builder(server)?;
    builder.options_mut().timeout = DNS_ATTEMPT;
    builder.options_mut().attempts = 1;
    builder.build()
}

/// Checks a URL that is to be called: HTTPS, or HTTP to loopback where that is allowed; an IP address in it must be public.
pub fn check(url: &str, allow_loopback: bool) -> Result<Url, &'static str> {
    let url = Url::parse(url).map_err(|_| "must be a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password");
    }
    let address = match url.host() {
        Some(url::Host::Ipv4(address)) => Some(IpAddr::from(address)),
        Some(url::Host::Ipv6(address)) => Some(IpAddr::from(address)),
        Some(url::Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
            Some(Ipv4Addr::LOCALHOST.into())
        }
        Some(url::Host::Domain(_)) => None,
        None => return Err("must name a host"),
    };
    let is_loopback = address.is_some_and(|address| address.to_canonical().is_loopback());
    if address.is_some_and(|address| !may_reach(address, allow_loopback)) {
        return Err("must not be an address of a private network");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback && allow_loopback => Ok(url),
        _ => Err("must begin with https://"),
    }
}

struct PublicOnly {
    allow_loopback: bool,
    resolver: TokioResolver,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_loopback, resolver) = (self.allow_loopback, self.resolver.clone());
        Box::pin(async move {
            let found = timeout(DNS_DEADLINE, resolver.lookup_ip(name.as_str())).await;
            let found = found.map_err(|_| "the name server did not answer in time")??;
            let found: Vec<SocketAddr> = found.iter().map(|address| (address, 0).into()).collect();
            if found.is_empty() || found.iter().any(|address| !may_reach(address.ip(), allow_loopback)) {
                return Err("the name leads into a private network".into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is on the public internet (IANA's special-purpose registries).
pub(super) fn may_reach(address: IpAddr, allow_loopback: bool) -> bool {
    match address.to_canonical() {
        address if address.is_loopback() => allow_loopback,
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Only 2000::/3 is allocated. Of it, tunnels, which can end at any IPv4 address, and documentation prefixes are excluded.
    let teredo = segments[0] == 0x2001 && segments[1] < 0x0200;
    let six_to_four = segments[0] == 0x2002;
    let documentation = segments[0] == 0x2001 && segments[1] == 0x0db8 || segments[0] == 0x3fff;
    segments[0] & 0xe000 == 0x2000 && !teredo && !six_to_four && !documentation
}

/// What an HTTP status means for a delivery: done (none), try again later, or never.
pub(super) fn classify_status(status: reqwest::StatusCode, headers: &reqwest::header::HeaderMap) -> Option<Sent> {
    let retry_after = headers
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok())
        .map(|seconds| chrono::Duration::seconds(seconds.into()));
    let error = format!("answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => None,
        408 | 409 | 425 | 429 | 500..=599 => Some(Sent::Retry {
            error,
            not_before: retry_after,
        }),
        _ => Some(Sent::Never(error)),
    }
}

/// The result of a call that got no answer. Holds no address and nothing that was sent.
pub(super) fn no_answer(error: &reqwest::Error) -> Sent {
    let error = match error {
        error if error.is_timeout() => "did not answer in time",
        error if error.is_connect() => "cannot be connected to",
        _ => "the connection broke",
    };
    Sent::Retry {
        error: error.into(),
        not_before: None,
    }
}

/// An answer's body, up to a limit that suits answers about one thing.
pub(super) async fn body(response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    body_within(response, MAX_ANSWER_BYTES).await
}

/// An answer's body, up to `max_bytes` and the rest of one piece.
pub(super) async fn body_within(response: reqwest::Response, max_bytes: usize) -> Result<Vec<u8>, reqwest::Error> {
    use futures::TryStreamExt;
    let mut stream = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(piece) = stream.try_next().await? {
        body.extend_from_slice(&piece);
        if body.len() > max_bytes {
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_private_address_may_be_called() {
        for bad in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://localhost/",
            "https://a.localhost/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://0.0.0.0/",
            "https://0/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://[fe80::1]/",
            "https://[fc00::1]/",
            "https://[fd00:ec2::254]/",
            "https://[2002:7f00:1::]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2001::1]/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://198.18.0.1/",
            "http://example.com/",
            "ftp://example.com/",
            "https://user:pass@example.com/",
            "https://user@example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "",
            "example.com",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        for good in [
            "https://example.com/hook",
            "https://93.184.216.34/",
            "https://[2606:2800:220:1::1]/",
        ] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        assert!(check("http://127.0.0.1:8000/hook", true).is_ok());
        assert!(check("http://10.0.0.1/hook", true).is_err());
    }
}
