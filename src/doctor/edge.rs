//! The doctor's checks of the public URL, from outside: TLS, headers, CORS, and that metrics are not public.

use std::time::Duration;

use reqwest::{Client, Response, redirect};

use super::{
    Finding,
    Level::{Amber, Red},
    or_all_well,
};
use crate::config::Settings;

/// An origin that no store allows.
const UNLISTED_ORIGIN: &str = "https://stranger.invalid";

pub(super) async fn examine(url: &str, settings: Option<&Settings>) -> Vec<Finding> {
    let mut found = Vec::new();
    let client = Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(redirect::Policy::none())
        .build();
    let Ok(client) = client else { return Vec::new() };
    let mut note = |level, code, text: &str| found.push(Finding::new("edge", level, code, text));
    let is_local = url::Url::parse(url).is_ok_and(|url| {
        matches!(url.host(), Some(url::Host::Domain("localhost")))
            || matches!(url.host(), Some(url::Host::Ipv4(address)) if address.is_loopback())
    });
    if !url.starts_with("https://") && !is_local {
        note(
            Red,
            "edge_plain",
            "PUBLIC_URL is not https://; put a proxy with TLS in front (ops/edge/Caddyfile)",
        );
    }
    match client
        .get(format!("{url}/health"))
        .header("origin", UNLISTED_ORIGIN)
        .send()
        .await
    {
        Err(error) if error.is_connect() && !error.to_string().contains("certificate") => {
            note(
                Red,
                "edge_unreachable",
                "PUBLIC_URL cannot be reached from here: DNS, the edge, a firewall?",
            );
        }
        Err(_) => note(
            Red,
            "edge_tls",
            "the TLS of PUBLIC_URL is not to be trusted, or it did not answer in time: certificate, name, date?",
        ),
        Ok(answer) => {
            if !answer.status().is_success() {
                note(Red, "edge_unhealthy", "PUBLIC_URL/health does not say ok");
            }
            headers(&answer, is_local, &mut note);
            if let Some(allowed) = header(&answer, "access-control-allow-origin") {
                let code = if allowed == "*" {
                    "cors_wildcard"
                } else {
                    "cors_reflects"
                };
                note(
                    Red,
                    code,
                    "the edge lets every page call from a browser; take its CORS headers out, the service has its own",
                );
            }
            if let Ok(answer) = client.get(format!("{url}/metrics")).send().await
                && answer.status().is_success()
            {
                note(
                    Red,
                    "metrics_outside",
                    "/metrics can be read from outside; publish only LISTEN, not INTERNAL_LISTEN",
                );
            }
        }
    }
    if let Some(plain) = url.strip_prefix("https://")
        && let Ok(answer) = client.get(format!("http://{plain}/health")).send().await
        && !answer.status().is_redirection()
    {
        note(
            Red,
            "edge_no_redirect",
            "http:// answers instead of leading to https://",
        );
    }
    if !is_local && settings.is_some_and(|settings| settings.connections.proxies.networks.is_empty()) {
        note(
            Amber,
            "proxies_unset",
            "TRUSTED_PROXIES is empty: behind an edge every shopper has the edge's address and shares its limits",
        );
    }
    // TLS and proxies are not seen on this machine's own address, so that is never green.
    if is_local && found.is_empty() {
        let text = "headers and CORS are right at this machine's own address; TLS and the proxy were not checked: run it with `--url` and the public address";
        return vec![Finding::new("edge", Amber, "edge_local", text)];
    }
    or_all_well(
        found,
        "edge",
        "edge_sound",
        "TLS, headers and CORS are right, seen from outside",
    )
}

fn headers(answer: &Response, is_local: bool, note: &mut impl FnMut(super::Level, &'static str, &str)) {
    let strict = header(answer, "strict-transport-security");
    let seconds = strict.and_then(|value| {
        value
            .split(';')
            .next()?
            .trim()
            .strip_prefix("max-age=")?
            .parse::<u64>()
            .ok()
    });
    if !is_local && seconds.is_none_or(|seconds| seconds < 15_552_000) {
        note(
            Red,
            "hsts_missing",
            "Strict-Transport-Security is missing or under half a year; the edge must hand it through",
        );
    }
    for (name, expected, code) in [
        ("x-content-type-options", "nosniff", "nosniff_missing"),
        ("x-frame-options", "DENY", "frame_options_missing"),
        ("referrer-policy", "no-referrer", "referrer_policy_missing"),
    ] {
        if header(answer, name) != Some(expected) {
            note(
                Red,
                code,
                &format!("{name}: {expected} does not reach browsers; the edge must hand it through"),
            );
        }
    }
    if header(answer, "content-security-policy").is_none() {
        note(
            Red,
            "csp_missing",
            "Content-Security-Policy does not reach browsers; the edge must hand it through",
        );
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}
