//! The doctor's checks on this machine: settings, secrets, monitoring and backups.

use std::{
    collections::HashSet,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use secrecy::ExposeSecret;

use super::{
    Finding,
    Level::{self, Amber, Green, Red},
    or_all_well,
};
use crate::{
    config::{ConfigError, ModelSettings, Settings, environment},
    mail::MailSettings,
    telemetry::Addresses,
};

/// How old the newest backup may be. One is made each night.
const MAX_BACKUP_AGE: Duration = Duration::from_secs(26 * 3600);

/// Reads the settings as `serve` does, and reports every invalid one.
pub(super) fn settings() -> (Option<Settings>, Vec<Finding>) {
    match Settings::for_serve(&environment) {
        Ok(settings) => {
            let found = Finding::new(
                "settings",
                Green,
                "settings_fit",
                "`serve` would start on these settings",
            );
            (Some(settings), vec![found])
        }
        Err(ConfigError(faults)) => {
            let found = faults
                .iter()
                .map(|fault| Finding::new("settings", Red, "setting_unfit", fault.to_string()));
            (None, found.collect())
        }
    }
}

/// Checks whether secrets could be guessed, or read by others on this machine.
pub(super) fn secrets() -> Vec<Finding> {
    let (mut found, mut is_set) = (Vec::new(), false);
    let names = [
        "SECRET_KEY",
        "DATABASE_READER_PASSWORD",
        "DATABASE_WEB_PASSWORD",
        "DATABASE_EXECUTOR_PASSWORD",
    ];
    for name in names {
        let file = environment(&format!("{name}_FILE")).filter(|path| !path.is_empty());
        let value = match &file {
            Some(path) => std::fs::read_to_string(path).unwrap_or_default(),
            None => environment(name).unwrap_or_default(),
        };
        is_set |= !value.trim().is_empty();
        let signs: HashSet<char> = value.trim().chars().collect();
        if !value.is_empty() && (signs.len() < 8 || zxcvbn::zxcvbn(value.trim(), &[]).score() < zxcvbn::Score::Four) {
            let mend = format!("{name} could be guessed; `openssl rand -hex 32` makes another");
            found.push(Finding::new("secrets", Red, "secret_weak", mend));
        }
        if let Some(path) = file
            && std::fs::metadata(&path).is_ok_and(|it| it.permissions().mode() & 0o077 != 0)
        {
            let mend = format!("everybody on the machine can read {path}; `chmod 400` it");
            found.push(Finding::new("secrets", Red, "secret_readable", mend));
        }
    }
    if environment("SECRET_KEY_OLD").is_some_and(|old| !old.is_empty()) {
        found.push(Finding::new(
            "secrets",
            Amber,
            "rotation_open",
            "SECRET_KEY_OLD is set: a rotation is under way; `countersign keys` says when it can go",
        ));
    }
    if !is_set {
        // The settings are invalid then, and each missing secret has a finding there.
        return found;
    }
    or_all_well(
        found,
        "secrets",
        "secrets_strong",
        "the secrets are long and random, and their files can be read by their owner alone",
    )
}

/// Checks the model, public URL, mail transport, monitoring and backups.
pub(super) fn precautions(settings: &Settings, backups: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note = |level, code, text: &str| found.push(Finding::new("monitoring", level, code, text));
    check_models(settings, &mut note);
    check_transport(settings, &mut note);
    check_monitoring(settings, &mut note);
    check_backups(backups, &mut note);
    or_all_well(
        found,
        "monitoring",
        "precautions_taken",
        "models, monitoring, Sentry and backups are set up",
    )
}

/// Takes down a finding: its level, its code and what to do.
type Note<'a> = dyn FnMut(Level, &'static str, &str) + 'a;

fn check_models(settings: &Settings, note: &mut Note<'_>) {
    if matches!(settings.model, ModelSettings::Offline) {
        note(
            Red,
            "model_offline",
            "no language model answers, only the rules: not for real shoppers; set MODEL to openai, openai-responses or anthropic (docs/models.md)",
        );
    } else if settings.second_model.is_none() {
        note(
            Amber,
            "model_single",
            "when the model does not answer, the rules do; set SECOND_MODEL to have another model asked first",
        );
    }
}

/// Checks that nothing secret travels without TLS, and that no webhook reaches this machine.
fn check_transport(settings: &Settings, note: &mut Note<'_>) {
    let url = url::Url::parse(&settings.public_url).ok();
    let is_local = |url: &url::Url| matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    if url.is_none_or(|url| url.scheme() != "https" && !is_local(&url)) {
        note(
            Red,
            "public_url_plain",
            "PUBLIC_URL is not https: links in mails and cookies would travel in the clear; set the address that shoppers see",
        );
    }
    let endpoints = match &settings.model {
        ModelSettings::Endpoint(first) => vec![("OPENAI_BASE_URL or ANTHROPIC_BASE_URL", &first.base_url)],
        ModelSettings::Offline => Vec::new(),
    };
    let second = settings
        .second_model
        .iter()
        .map(|second| ("SECOND_MODEL_BASE_URL", &second.base_url));
    let called = [("STRIPE_URL", &settings.outbound.stripe_url)];
    let traces = settings
        .telemetry
        .traces
        .iter()
        .map(|traces| ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces.endpoint));
    for (name, address) in endpoints.into_iter().chain(second).chain(called).chain(traces) {
        if is_plain_to_the_outside(address) {
            let text = format!(
                "{name} is http:// to another network: keys and what shoppers write travel in the clear; set an https:// address"
            );
            note(Red, "plain_http", &text);
        }
    }
    if settings.outbound.allow_loopback {
        note(
            Red,
            "loopback_webhooks",
            "outgoing webhooks may call this machine itself (COUNTERSIGN_ALLOW_LOOPBACK_WEBHOOKS); take the setting out",
        );
    }
    if matches!(&settings.mail, MailSettings::Smtp(smtp) if smtp.plain) {
        note(
            Red,
            "smtp_plain",
            "mail leaves without TLS (COUNTERSIGN_ALLOW_PLAIN_SMTP); set SMTP_URL to a relay with TLS and take the setting out",
        );
    }
}

fn check_monitoring(settings: &Settings, note: &mut Note<'_>) {
    if settings.telemetry.log_addresses == Addresses::Kept {
        note(
            Amber,
            "addresses_logged",
            "the log keeps the addresses of callers (LOG_ADDRESSES=yes): say so in your privacy notice, or take the setting out",
        );
    }
    if settings
        .internal_listen
        .is_some_and(|address| address.ip().is_unspecified())
    {
        note(
            Amber,
            "metrics_everywhere",
            "INTERNAL_LISTEN is every address of this machine; make sure that its port is not published",
        );
    }
    match settings.internal_listen {
        None => note(
            Amber,
            "unmonitored",
            "no metrics are served; set INTERNAL_LISTEN and let Prometheus scrape it",
        ),
        Some(address) if !address.ip().is_loopback() && !address.ip().is_unspecified() && !is_private(address.ip()) => {
            note(
                Red,
                "metrics_public",
                "INTERNAL_LISTEN is a public address; take a private one",
            );
        }
        Some(_) => {}
    }
    if settings.telemetry.sentry.is_none() {
        note(
            Amber,
            "sentry_unset",
            "errors are only in the log; set SENTRY_DSN to be told of them",
        );
    }
}

/// Checks that the newest backup is fresh.
fn check_backups(backups: Option<&Path>, note: &mut Note<'_>) {
    let newest = backups.map(|folder| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let times = files.filter_map(|file| file.metadata().ok().filter(std::fs::Metadata::is_file)?.modified().ok());
        times.max()
    });
    match newest {
        None => note(
            Amber,
            "backup_unknown",
            "backups were not checked; run `countersign doctor --backups FOLDER` with the folder that `ops/backup` writes to",
        ),
        Some(None) => note(Red, "backup_missing", "there is no backup; `ops/backup` makes one"),
        Some(Some(time))
            if SystemTime::from(crate::clock::now())
                .duration_since(time)
                .is_ok_and(|age| age > MAX_BACKUP_AGE) =>
        {
            note(
                Red,
                "backup_old",
                "the newest backup is older than a day; is cron running `ops/backup`?",
            );
        }
        Some(Some(_)) => {}
    }
}

/// Whether a URL is http to a host that is not on this machine or a private network. A name without a dot is one of the own network's.
fn is_plain_to_the_outside(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    let is_own = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback() || is_private(address.into()),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || is_private(address.into()),
        Some(url::Host::Domain(name)) => {
            !name.contains('.')
                || [".internal", ".local", ".lan", ".svc"]
                    .iter()
                    .any(|own| name.ends_with(own))
        }
        None => false,
    };
    url.scheme() == "http" && !is_own
}

fn is_private(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        std::net::IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Checks whether a connection to Sentry can be opened.
pub(super) async fn sentry(settings: &Settings) -> Vec<Finding> {
    let Some(sentry) = &settings.telemetry.sentry else {
        return Vec::new();
    };
    let url = url::Url::parse(sentry.dsn.expose_secret()).ok();
    let address = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    let reached = match address {
        Some(address) => {
            let connect = tokio::net::TcpStream::connect(address);
            tokio::time::timeout(Duration::from_secs(5), connect)
                .await
                .is_ok_and(|it| it.is_ok())
        }
        None => false,
    };
    match reached {
        true => vec![Finding::new(
            "monitoring",
            Green,
            "sentry_reached",
            "Sentry can be reached",
        )],
        false => vec![Finding::new(
            "monitoring",
            Red,
            "sentry_unreachable",
            "Sentry cannot be reached; is SENTRY_DSN right, does a firewall stop it?",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_and_its_own_network() {
        for fine in [
            "https://api.openai.com/v1",
            "http://127.0.0.1:11434/v1",
            "http://[::1]:8080/v1",
            "http://10.1.2.3/v1",
            "http://ollama:11434/v1",
            "http://llm.internal/v1",
        ] {
            assert!(!is_plain_to_the_outside(fine), "{fine}");
        }
        for named in [
            "http://api.openai.com/v1",
            "http://203.0.113.9/v1",
            "http://llm.example/v1",
        ] {
            assert!(is_plain_to_the_outside(named), "{named}");
        }
    }
}
