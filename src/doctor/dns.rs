//! The doctor's DNS queries.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::{
    TokioResolver,
    config::ResolveHosts,
    net::NetError,
    proto::rr::{RData, RecordType},
};

use super::ExamineError;
use crate::integrations::outbound_http;

pub(super) struct Dns {
    resolver: TokioResolver,
}

/// The resolver did not answer, so it is not known what is published.
#[derive(Debug, thiserror::Error)]
#[error("the resolver did not answer for {0}")]
pub(super) struct NoDnsAnswer(pub String);

impl Dns {
    pub fn new(server: Option<SocketAddr>) -> Result<Self, ExamineError> {
        let failed = |error: NetError| ExamineError::Argument(format!("the resolver cannot be set up: {error}"));
        let mut builder = outbound_http::resolver_builder(server).map_err(failed)?;
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        Ok(Self {
            resolver: builder.build().map_err(failed)?,
        })
    }

    /// Every TXT record of a name. The strings of a record are joined.
    pub async fn txt(&self, name: &str) -> Result<Vec<String>, NoDnsAnswer> {
        let records = self.lookup(name, RecordType::TXT).await?;
        let texts = records.into_iter().filter_map(|data| match data {
            RData::TXT(txt) => Some(
                txt.txt_data
                    .iter()
                    .map(|part| String::from_utf8_lossy(part).into_owned())
                    .collect(),
            ),
            _ => None,
        });
        Ok(texts.collect())
    }

    /// The IPv4 and IPv6 addresses of a name.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NoDnsAnswer> {
        let mut addresses = Vec::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            addresses.extend(
                self.lookup(name, kind)
                    .await?
                    .into_iter()
                    .filter_map(|data| match data {
                        RData::A(address) => Some(IpAddr::from(address.0)),
                        RData::AAAA(address) => Some(IpAddr::from(address.0)),
                        _ => None,
                    }),
            );
        }
        Ok(addresses)
    }

    /// The mail servers of a name.
    pub async fn mail_servers(&self, name: &str) -> Result<Vec<String>, NoDnsAnswer> {
        let records = self.lookup(name, RecordType::MX).await?;
        let servers = records.into_iter().filter_map(|data| match data {
            RData::MX(mx) => Some(mx.exchange.to_ascii().trim_end_matches('.').to_owned()),
            _ => None,
        });
        Ok(servers.collect())
    }

    /// The reverse names (PTR) of an address.
    pub async fn names(&self, address: IpAddr) -> Result<Vec<String>, NoDnsAnswer> {
        let name = match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(address) => {
                let nibbles = format!("{:032x}", u128::from(address));
                nibbles
                    .chars()
                    .rev()
                    .flat_map(|nibble| [nibble, '.'])
                    .collect::<String>()
                    + "ip6.arpa"
            }
        };
        let records = self.lookup(&name, RecordType::PTR).await?;
        let names = records.into_iter().filter_map(|data| match data {
            RData::PTR(name) => Some(name.0.to_ascii().trim_end_matches('.').to_owned()),
            _ => None,
        });
        Ok(names.collect())
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NoDnsAnswer> {
        let absolute = format!("{}.", name.trim_end_matches('.'));
        match self.resolver.lookup(absolute, kind).await {
            Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            // An invalid name has no records.
            Err(NetError::Proto(_)) => Ok(Vec::new()),
            Err(_) => Err(NoDnsAnswer(name.to_owned())),
        }
    }
}
