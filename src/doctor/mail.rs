//! The doctor's checks of mail: SPF, DKIM, DMARC, MX, reverse DNS, and the connection to the relay.

use std::net::{IpAddr, SocketAddr};

use super::{
    ExamineError, Finding,
    Level::{Amber, Green, Red},
    dns::{Dns, NoDnsAnswer},
    spf::{self, Fault},
};
use crate::{
    config::{Settings, environment},
    mail::{DkimSettings, SmtpSettings},
};

/// The shortest RSA key that RFC 8301 recommends, in bits.
const MIN_RSA_BITS: usize = 2048;

pub async fn examine(resolver: Option<SocketAddr>, senders: &[IpAddr]) -> Result<Vec<Finding>, ExamineError> {
    let settings = Settings::for_mail(&environment)?;
    let dns = Dns::new(resolver)?;
    let domain = settings.from.email.domain().to_lowercase();
    let relay = crate::mail::relay_host(&settings);
    let mut findings = Vec::new();
    let senders = match (senders, &relay) {
        ([], Some(relay)) => {
            let mut found = match relay.parse() {
                Ok(address) => vec![address],
                Err(_) => dns.addresses(relay).await.unwrap_or_default(),
            };
            // A relay on this machine or a private network sends from another address, which receivers see.
            found.retain(|address| !is_internal(*address));
            found
        }
        (given, _) => given.to_vec(),
    };
    note(&mut findings, "spf", sender_policy(&dns, &domain, &senders).await);
    note(&mut findings, "dkim", signatures(&dns, &domain, &settings.dkim).await);
    note(&mut findings, "dmarc", alignment(&dns, &domain, &settings).await);
    note(&mut findings, "mx", replies(&dns, &domain).await);
    note(&mut findings, "ptr", reverse(&dns, &senders).await);
    findings.push(match crate::mail::reach(&settings).await {
        Ok(()) => Finding::new(
            "relay",
            Green,
            "relay_reached",
            "the relay takes our connection, with TLS where it is not this machine",
        ),
        Err(error) => Finding::new(
            "relay",
            Red,
            "relay_unreachable",
            format!("the relay in SMTP_URL: {error}"),
        ),
    });
    Ok(findings)
}

/// Whether an address is of this machine or a private network.
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Adds what a check found. A resolver that does not answer is a warning, because it is not the domain's fault.
fn note(findings: &mut Vec<Finding>, check: &'static str, found: Result<Vec<Finding>, NoDnsAnswer>) {
    match found {
        Ok(found) => findings.extend(found),
        Err(silent) => findings.push(Finding::new(check, Amber, "resolver_silent", silent.to_string())),
    }
}

async fn sender_policy(dns: &Dns, domain: &str, senders: &[IpAddr]) -> Result<Vec<Finding>, NoDnsAnswer> {
    let finding = |level, code, text: String| Finding::new("spf", level, code, text);
    let terms: Vec<String> = senders
        .iter()
        .map(|sender| format!("{}:{sender}", if sender.is_ipv4() { "ip4" } else { "ip6" }))
        .collect();
    let right = format!("{domain}. TXT \"v=spf1 {} -all\"", terms.join(" "));
    let Some(first) = senders.first() else {
        return Ok(vec![finding(
            Amber,
            "sender_unknown",
            "SPF and reverse DNS were not checked: the relay is on this machine or a private network, or its name has no address. Give the public address that mail leaves from: `countersign doctor mail --sender ADDRESS`".into(),
        )]);
    };
    let mut found = Vec::new();
    let judgement = spf::judge(dns, domain, *first).await?;
    for fault in &judgement.faults {
        found.push(match fault {
            Fault::Missing(name) if name == domain => {
                finding(Red, "spf_missing", format!("{domain} has no SPF record")).publish(&right)
            }
            Fault::Missing(name) => finding(
                Red,
                "spf_include_missing",
                format!("what the record includes, {name}, has no SPF record; take it out"),
            ),
            Fault::Several(name) => finding(
                Red,
                "spf_several",
                format!("{name} has several SPF records; receivers then take none: keep one"),
            )
            .publish(&right),
            Fault::Syntax(term) => finding(
                Red,
                "spf_syntax",
                format!("no receiver can read `{term}` in the SPF record of {domain} or what it includes"),
            ),
            Fault::Loop => finding(Red, "spf_loop", "the SPF record includes itself".into()),
        });
    }
    if judgement.lookups > 10 {
        found.push(finding(
            Red,
            "spf_lookups",
            format!(
                "the SPF record takes {} DNS look-ups; receivers give up after 10: take out includes that send nothing",
                judgement.lookups
            ),
        ));
    }
    if judgement.voids > 2 {
        found.push(finding(
            Red,
            "spf_voids",
            format!(
                "{} terms of the SPF record lead nowhere; receivers give up after 2: take them out",
                judgement.voids
            ),
        ));
    }
    if judgement.passes_all {
        found.push(
            finding(
                Red,
                "spf_passes_all",
                "the SPF record ends in +all: anybody may send in your name; end it in -all".into(),
            )
            .publish(&right),
        );
    }
    for sender in senders {
        let judgement = spf::judge(dns, domain, *sender).await?;
        if judgement.faults.is_empty() && judgement.result != Some('+') {
            found.push(
                finding(
                    Red,
                    "spf_not_covered",
                    format!("the SPF record does not cover {sender}, which our mail leaves from"),
                )
                .publish(&right),
            );
        }
    }
    if found.is_empty() {
        found.push(finding(
            Green,
            "spf_good",
            format!("{domain}'s SPF record covers us, in {} look-ups", judgement.lookups),
        ));
    }
    Ok(found)
}

async fn signatures(dns: &Dns, domain: &str, keys: &[DkimSettings]) -> Result<Vec<Finding>, NoDnsAnswer> {
    let finding = |level, code, text: String| Finding::new("dkim", level, code, text);
    if keys.is_empty() {
        return Ok(vec![finding(
            Amber,
            "dkim_none",
            format!(
                "mail is not signed here; set DKIM_DOMAIN={domain}, DKIM_RSA_SELECTOR and DKIM_RSA_KEY_FILE, unless the relay signs"
            ),
        )]);
    }
    let mut found = Vec::new();
    for key in keys {
        let name = format!("{}._domainkey.{}", key.selector, key.domain);
        let Ok(half) = key.published_key() else {
            found.push(finding(
                Red,
                "dkim_key",
                format!("the key of selector {} cannot be read", key.selector),
            ));
            continue;
        };
        let right = format!("{name}. TXT \"{}\"", half.record);
        let records: Vec<String> = dns
            .txt(&name)
            .await?
            .into_iter()
            .filter(|text| text.contains("p="))
            .collect();
        let published = records.first().and_then(|record| tag(record, "p"));
        found.push(match (&records[..], published) {
            ([], _) => finding(Red, "dkim_missing", format!("{name} is not published")).publish(&right),
            ([_], Some(published)) if published.is_empty() => finding(
                Red,
                "dkim_revoked",
                format!("{name} is published as revoked (an empty p=)"),
            )
            .publish(&right),
            ([_], Some(published)) if published == half.key => match half.bits {
                Some(bits) if bits < MIN_RSA_BITS => finding(
                    Red,
                    "dkim_short",
                    format!("the key of {name} has {bits} bits; make one of {MIN_RSA_BITS}"),
                ),
                _ => finding(
                    Green,
                    "dkim_good",
                    format!("{name} publishes the public key of our private key"),
                ),
            },
            ([_], _) => finding(
                Red,
                "dkim_mismatch",
                format!("{name} publishes another key than that of our private key"),
            )
            .publish(&right),
            _ => finding(Red, "dkim_several", format!("{name} has several keys; keep one")).publish(&right),
        });
    }
    Ok(found)
}

async fn alignment(dns: &Dns, domain: &str, settings: &SmtpSettings) -> Result<Vec<Finding>, NoDnsAnswer> {
    let finding = |level, code, text: String| Finding::new("dmarc", level, code, text);
    let name = format!("_dmarc.{domain}");
    let right = format!("{name}. TXT \"v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}\"");
    let records: Vec<String> = dns
        .txt(&name)
        .await?
        .into_iter()
        .filter(|text| text.starts_with("v=DMARC1"))
        .collect();
    let mut found = Vec::new();
    match &records[..] {
        [] => found.push(finding(Red, "dmarc_missing", format!("{name} is not published")).publish(&right)),
        [record] => {
            match tag(record, "p").as_deref() {
                Some("quarantine" | "reject") => {}
                Some("none") => found.push(
                    finding(
                        Amber,
                        "dmarc_none",
                        "DMARC only reports (p=none): forged mail is delivered".into(),
                    )
                    .publish(&right),
                ),
                _ => found.push(
                    finding(Red, "dmarc_policy", "DMARC has no policy that can be read (p=)".into()).publish(&right),
                ),
            }
            if tag(record, "rua").is_none_or(|rua| !rua.starts_with("mailto:")) {
                found
                    .push(finding(Amber, "dmarc_rua", "nobody gets the reports (rua=mailto:…)".into()).publish(&right));
            }
        }
        _ => found.push(
            finding(
                Red,
                "dmarc_several",
                format!("{name} has several records; receivers then take none"),
            )
            .publish(&right),
        ),
    }
    for key in &settings.dkim {
        let signer = key.domain.to_lowercase();
        if domain != signer && !domain.ends_with(&format!(".{signer}")) && !signer.ends_with(&format!(".{domain}")) {
            found.push(finding(Red, "dmarc_alignment", format!("mail is from {domain} and signed by {signer}: DMARC counts the signature as nobody's; set DKIM_DOMAIN={domain}")));
        }
    }
    if found.is_empty() {
        found.push(finding(
            Green,
            "dmarc_good",
            format!("{name} is published, and our signature is aligned"),
        ));
    }
    Ok(found)
}

async fn replies(dns: &Dns, domain: &str) -> Result<Vec<Finding>, NoDnsAnswer> {
    let servers = dns.mail_servers(domain).await?;
    Ok(vec![match servers.is_empty() {
        true => Finding::new(
            "mx",
            Red,
            "mx_missing",
            format!("{domain} takes no mail: replies and bounces are lost, and many receivers refuse such senders"),
        )
        .publish(format!(
            "{domain}. MX 10 SERVER. (SERVER is the mail server that takes the mail of {domain})"
        )),
        false => Finding::new(
            "mx",
            Green,
            "mx_good",
            format!("{domain} takes mail at {}", servers.join(", ")),
        ),
    }])
}

async fn reverse(dns: &Dns, senders: &[IpAddr]) -> Result<Vec<Finding>, NoDnsAnswer> {
    let mut found = Vec::new();
    for sender in senders {
        let names = dns.names(*sender).await?;
        let Some(name) = names.first() else {
            found.push(Finding::new(
                "ptr",
                Red,
                "ptr_missing",
                format!("{sender} has no name (PTR); ask whoever gave you the address to set one"),
            ));
            continue;
        };
        found.push(match dns.addresses(name).await?.contains(sender) {
            true => Finding::new(
                "ptr",
                Green,
                "ptr_good",
                format!("{sender} is {name}, and {name} is {sender}"),
            ),
            false => Finding::new(
                "ptr",
                Red,
                "ptr_mismatch",
                format!("{sender} calls itself {name}, which leads elsewhere"),
            )
            .publish(format!(
                "{name}. {} {sender}",
                if sender.is_ipv4() { "A" } else { "AAAA" }
            )),
        });
    }
    Ok(found)
}

/// The value of a tag in a DKIM or DMARC record, without white space.
fn tag(record: &str, name: &str) -> Option<String> {
    record.split(';').find_map(|pair| {
        let (tag, value) = pair.split_once('=')?;
        (tag.trim() == name).then(|| value.chars().filter(|c| !c.is_whitespace()).collect())
    })
}
