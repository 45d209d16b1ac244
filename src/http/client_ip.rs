//! Finds the client's IP address: the address of the connection or, behind a trusted proxy, the one that the proxy reports.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};

use super::settings::{AddressHeader, Proxies};

/// The address at the other end of the connection. The server puts it into each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The client's address, after trusted proxies are taken into account.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Finds the client's address and stores it in the request.
pub async fn establish(State(proxies): State<Proxies>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    let address = client(peer, request.headers(), &proxies);
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

/// Reads the chain of forwarded addresses from the right, because each hop appends the address that called it. The first address that is
/// not a trusted proxy is the client. Whatever stands left of it was sent by the client and cannot be trusted.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    let peer = peer.to_canonical();
    if !proxies.trusts(peer) {
        return peer;
    }
    let values = |name: &'static str| {
        let values: Vec<&str> = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        values.join(",")
    };
    let chain: Vec<Option<IpAddr>> = match proxies.header {
        AddressHeader::XForwardedFor => values("x-forwarded-for").split(',').map(hop).collect(),
        AddressHeader::Forwarded => values(header::FORWARDED.as_str())
            .split(',')
            .map(forwarded_for)
            .collect(),
        AddressHeader::CfConnectingIp => vec![hop(&values("cf-connecting-ip"))],
    };
    let mut nearest = peer;
    for hop in chain.into_iter().rev() {
        let Some(address) = hop else { break };
        nearest = address;
        if !proxies.trusts(address) {
            break;
        }
    }
    nearest
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

/// The `for` of one element of a Forwarded header (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then(|| hop(value.trim_matches('"')))?
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(header: AddressHeader, peer: &str, pairs: &[(&'static str, &str)]) -> String {
        let proxies = Proxies {
            networks: vec![
                "10.0.0.0/8".parse().expect("a network"),
                "fd00::/8".parse().expect("a network"),
            ],
            header,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a value"));
        }
        client(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    #[test]
    fn only_what_a_trusted_hop_appended_counts() {
        use AddressHeader::{CfConnectingIp, Forwarded, XForwardedFor};
        let x = "x-forwarded-for";
        for (header, peer, pairs, expected) in [
            (XForwardedFor, "192.0.2.9", vec![(x, "1.2.3.4")], "192.0.2.9"),
            (XForwardedFor, "10.0.0.1", vec![(x, "1.2.3.4")], "1.2.3.4"),
            (XForwardedFor, "::ffff:10.0.0.1", vec![(x, "::ffff:1.2.3.4")], "1.2.3.4"),
            (XForwardedFor, "10.0.0.1", vec![(x, "9.9.9.9, 1.2.3.4")], "1.2.3.4"),
            (
                XForwardedFor,
                "10.0.0.1",
                vec![(x, "9.9.9.9, 1.2.3.4, 10.0.0.7")],
                "1.2.3.4",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                vec![(x, "9.9.9.9"), (x, "1.2.3.4")],
                "1.2.3.4",
            ),
            (XForwardedFor, "10.0.0.1", vec![(x, "1.2.3.4, garbage")], "10.0.0.1"),
            (XForwardedFor, "10.0.0.1", vec![(x, "[2001:db8::1]:443")], "2001:db8::1"),
            (
                XForwardedFor,
                "10.0.0.1",
                vec![("cf-connecting-ip", "1.2.3.4")],
                "10.0.0.1",
            ),
            (
                CfConnectingIp,
                "10.0.0.1",
                vec![("cf-connecting-ip", "1.2.3.4"), (x, "9.9.9.9")],
                "1.2.3.4",
            ),
            (
                CfConnectingIp,
                "192.0.2.9",
                vec![("cf-connecting-ip", "1.2.3.4")],
                "192.0.2.9",
            ),
            (
                Forwarded,
                "10.0.0.1",
                vec![("forwarded", "for=9.9.9.9, for=\"[2001:db8::1]:1\";proto=https")],
                "2001:db8::1",
            ),
            (Forwarded, "10.0.0.1", vec![("forwarded", "for=unknown")], "10.0.0.1"),
        ] {
            assert_eq!(found(header, peer, &pairs), expected, "{peer} {pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn what_the_client_sends_itself_never_decides(invented in "[ -~]{0,60}") {
            let chain = format!("{invented}, 1.2.3.4");
            prop_assert_eq!(found(AddressHeader::XForwardedFor, "10.0.0.1", &[("x-forwarded-for", &chain)]), "1.2.3.4");
            prop_assert_eq!(found(AddressHeader::XForwardedFor, "192.0.2.9", &[("x-forwarded-for", &chain)]), "192.0.2.9");
        }
    }
}
