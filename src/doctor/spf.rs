//! Evaluates an SPF policy (RFC 7208) as receivers do, and counts the DNS look-ups that they limit.

use std::{net::IpAddr, pin::Pin};

use ipnet::IpNet;

use super::dns::{Dns, NoDnsAnswer};

/// What a policy says about an address, and the policy's faults.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub faults: Vec<Fault>,
    /// Terms that need a DNS look-up. Receivers give up after ten.
    pub lookups: u32,
    /// Look-ups that found nothing. Receivers give up after two.
    pub voids: u32,
    /// The qualifier of the term that matched the address: `+`, `-`, `~` or `?`.
    pub result: Option<char>,
    /// Whether the policy lets every address pass.
    pub passes_all: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Missing(String),
    Several(String),
    /// A term that no receiver can read.
    Syntax(String),
    Loop,
}

/// The look-ups after which the evaluation stops and reports a loop. Receivers stop after ten; this counts further, to report how many
/// there are.
const MAX_LOOKUPS: u32 = 40;

/// Evaluates `domain`'s policy for mail from `sender`.
pub(super) async fn judge(dns: &Dns, domain: &str, sender: IpAddr) -> Result<Judgement, NoDnsAnswer> {
    let mut judgement = Judgement::default();
    judgement.result = evaluate(dns, domain.to_owned(), sender, &mut judgement, true).await?;
    Ok(judgement)
}

type Evaluation<'a> = Pin<Box<dyn Future<Output = Result<Option<char>, NoDnsAnswer>> + Send + 'a>>;

fn evaluate<'a>(
    dns: &'a Dns,
    domain: String,
    sender: IpAddr,
    judgement: &'a mut Judgement,
    outermost: bool,
) -> Evaluation<'a> {
    Box::pin(async move {
        let records = dns.txt(&domain).await?;
        let policies: Vec<&String> = records
            .iter()
            .filter(|text| text.to_lowercase() == "v=spf1" || text.to_lowercase().starts_with("v=spf1 "))
            .collect();
        let policy = match policies[..] {
            [] => {
                judgement.faults.push(Fault::Missing(domain));
                return Ok(None);
            }
            [policy] => policy,
            _ => {
                judgement.faults.push(Fault::Several(domain));
                return Ok(None);
            }
        };
        let (mut redirect, mut has_all) = (None, false);
        for term in policy.split_ascii_whitespace().skip(1) {
            if judgement.lookups > MAX_LOOKUPS {
                judgement.faults.push(Fault::Loop);
                return Ok(None);
            }
            let lower = term.to_lowercase();
            if let Some(target) = lower.strip_prefix("redirect=") {
                redirect = Some(target.to_owned());
                continue;
            }
            if lower.split_once('=').is_some_and(|(name, _)| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !name.is_empty()
            }) {
                continue; // `exp=` and modifiers of later versions.
            }
            let (qualifier, mechanism) = match lower.strip_prefix(['+', '-', '~', '?']) {
                Some(rest) => (lower.chars().next().unwrap_or('+'), rest.to_owned()),
                None => ('+', lower.clone()),
            };
            let matches = mechanism_matches(dns, &mechanism, &domain, sender, judgement).await?;
            if mechanism == "all" {
                has_all = true;
                judgement.passes_all |= qualifier == '+' && outermost;
            }
            if matches {
                return Ok(Some(qualifier));
            }
        }
        match redirect.filter(|_| !has_all) {
            Some(target) => {
                judgement.lookups += 1;
                evaluate(dns, target, sender, judgement, outermost).await
            }
            None => Ok(None),
        }
    })
}

async fn mechanism_matches(
    dns: &Dns,
    mechanism: &str,
    domain: &str,
    sender: IpAddr,
    judgement: &mut Judgement,
) -> Result<bool, NoDnsAnswer> {
    let (name, argument) = match mechanism.find([':', '/']) {
        Some(at) if mechanism[at..].starts_with(':') => (&mechanism[..at], Some(&mechanism[at + 1..])),
        Some(at) => (&mechanism[..at], Some(&mechanism[at..])),
        None => (mechanism, None),
    };
    let syntax = |judgement: &mut Judgement| judgement.faults.push(Fault::Syntax(mechanism.to_owned()));
    match (name, argument) {
        ("all", None) => Ok(true),
        ("ip4" | "ip6", Some(network)) => {
            let parsed = network
                .parse::<IpNet>()
                .or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
            match parsed {
                Ok(network) if network.addr().is_ipv4() == (name == "ip4") => Ok(network.contains(&sender)),
                _ => {
                    syntax(judgement);
                    Ok(false)
                }
            }
        }
        ("a" | "mx", argument) => {
            judgement.lookups += 1;
            let (host, bits) = host_and_bits(argument, domain);
            let hosts = match name {
                "mx" => dns.mail_servers(&host).await?,
                _ => vec![host],
            };
            let mut addresses = Vec::new();
            for host in hosts.iter().take(10) {
                addresses.extend(dns.addresses(host).await?);
            }
            if addresses.is_empty() {
                judgement.voids += 1;
            }
            Ok(addresses.iter().any(|address| same_network(*address, sender, bits)))
        }
        ("include", Some(target)) => {
            judgement.lookups += 1;
            let before = judgement.faults.len();
            let inner = evaluate(dns, target.to_owned(), sender, judgement, false).await?;
            if judgement.faults[before..]
                .iter()
                .any(|fault| matches!(fault, Fault::Missing(_)))
            {
                judgement.voids += 1;
            }
            Ok(inner == Some('+'))
        }
        ("exists", Some(target)) => {
            judgement.lookups += 1;
            // Macros depend on the single mail, so they cannot be evaluated here.
            if target.contains('%') {
                return Ok(false);
            }
            let found = !dns.addresses(target).await?.is_empty();
            judgement.voids += u32::from(!found);
            Ok(found)
        }
        ("ptr", _) => {
            judgement.lookups += 1;
            Ok(false)
        }
        _ => {
            syntax(judgement);
            Ok(false)
        }
    }
}

fn host_and_bits(argument: Option<&str>, domain: &str) -> (String, Option<u8>) {
    let argument = argument.unwrap_or_default();
    let (host, bits) = argument.split_once('/').unwrap_or((argument, ""));
    let host = if host.is_empty() { domain } else { host };
    (
        host.to_owned(),
        bits.split('/').next().and_then(|bits| bits.parse().ok()),
    )
}

fn same_network(address: IpAddr, sender: IpAddr, bits: Option<u8>) -> bool {
    match bits.and_then(|bits| IpNet::new(address, bits).ok()) {
        Some(network) => network.contains(&sender),
        None => address == sender,
    }
}
