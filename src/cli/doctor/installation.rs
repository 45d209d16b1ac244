//! What the doctor looks at inside: settings, secrets, roles, the schema's laws, what waits, what staff have set up.

use std::{
    collections::HashSet,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use chrono::Utc;
use secrecy::ExposeSecret;

use super::{
    Finding,
    Level::{self, Amber, Green, Red},
};
use crate::{
    config::{ConfigError, ModelSettings, Settings, environment},
    tenancy::{self, Executor, Pool, Pools, Role, Scope, audit},
};

/// A backup older than this is none, where one is made each night.
const OLDEST_BACKUP: Duration = Duration::from_secs(26 * 3600);

/// Every setting that does not fit, as `serve` would name it.
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

/// How secrets are kept, and whether somebody could guess them.
pub(super) fn secrets() -> Vec<Finding> {
    let mut found = Vec::new();
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
    or_well(
        found,
        "secrets",
        "secrets_strong",
        "secrets are long, random and nobody else's to read",
    )
}

/// What is set up for when things go wrong, and what is not.
pub(super) fn precautions(settings: &Settings, backups: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note = |level, code, text: &str| found.push(Finding::new("watch", level, code, text));
    if matches!(settings.model, ModelSettings::Offline) {
        note(
            Amber,
            "model_offline",
            "no language model answers, only the rules; set MODEL=openai",
        );
    } else if settings.second_model.is_none() {
        note(
            Amber,
            "model_single",
            "when the model is away the rules answer; SECOND_MODEL would be asked first",
        );
    }
    match settings.internal_listen {
        None => note(
            Amber,
            "unmonitored",
            "nothing is measured; set INTERNAL_LISTEN and let Prometheus scrape it",
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
            "errors are only in the log; SENTRY_DSN would tell somebody",
        );
    }
    let newest = backups.map(|folder| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let times = files.filter_map(|file| file.metadata().ok().filter(std::fs::Metadata::is_file)?.modified().ok());
        times.max()
    });
    match newest {
        None => note(
            Amber,
            "backup_unknown",
            "--backups FOLDER lets me look whether there is a fresh one",
        ),
        Some(None) => note(Red, "backup_missing", "there is no backup; `ops/backup` makes one"),
        Some(Some(time))
            if SystemTime::now()
                .duration_since(time)
                .is_ok_and(|age| age > OLDEST_BACKUP) =>
        {
            note(
                Red,
                "backup_old",
                "the newest backup is older than a day; is cron running `ops/backup`?",
            );
        }
        Some(Some(_)) => {}
    }
    or_well(
        found,
        "watch",
        "precautions_taken",
        "models, monitoring, Sentry and backups are set up",
    )
}

fn is_private(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        std::net::IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Whether Sentry can be reached at all.
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
        true => vec![Finding::new("watch", Green, "sentry_reached", "Sentry can be reached")],
        false => vec![Finding::new(
            "watch",
            Red,
            "sentry_unreachable",
            "Sentry cannot be reached; is SENTRY_DSN right, does a firewall stop it?",
        )],
    }
}

/// Roles, schema, laws, and what waits.
pub(super) async fn database(pools: &Pools) -> Vec<Finding> {
    let mut found = Vec::new();
    for (role, reached, powerful) in [
        (
            tenancy::Reader::NAME,
            pools.reader.is_reachable().await,
            pools.reader.is_powerful().await,
        ),
        (
            tenancy::Web::NAME,
            pools.web.is_reachable().await,
            pools.web.is_powerful().await,
        ),
        (
            Executor::NAME,
            pools.executor.is_reachable().await,
            pools.executor.is_powerful().await,
        ),
    ] {
        if !reached {
            let mend = format!(
                "{role} cannot sign in to the database: is it up, was `countersign migrate` run with this password?"
            );
            found.push(Finding::new("database", Red, "role_refused", mend));
        } else if matches!(powerful, Ok(true)) {
            let mend = format!("{role} may pass row-level security by: take SUPERUSER and BYPASSRLS from it");
            found.push(Finding::new("database", Red, "role_powerful", mend));
        }
    }
    if found.is_empty() {
        found.extend(schema(pools).await.unwrap_or_else(|error| {
            let text = format!("the catalogue cannot be read: {}", crate::telemetry::cause(&error));
            vec![Finding::new("database", Red, "catalogue_unreadable", text)]
        }));
    }
    or_well(
        found,
        "database",
        "database_sound",
        "three roles sign in, none is powerful, every table keeps the laws",
    )
}

async fn schema(pools: &Pools) -> Result<Vec<Finding>, sqlx::Error> {
    let mut found = Vec::new();
    if !pools.web.has_schema().await {
        let mend = "the schema is older than this release; run `countersign migrate`";
        found.push(Finding::new("database", Red, "schema_old", mend));
    }
    // Not checked queries: they read the catalogue.
    let open: Vec<String> = names(
        &pools.executor,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND relname <> '_sqlx_migrations' AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1",
    )
    .await?;
    if !open.is_empty() {
        let mend = format!(
            "row-level security is off or not forced on {}; run `countersign migrate` on a fresh database and compare",
            open.join(", ")
        );
        found.push(Finding::new("database", Red, "rls_off", mend));
    }
    for (role, condition, code) in [
        ("countersign_reader", "true", "reader_writes"),
        (
            "countersign_web",
            "relname IN ('orders', 'order_lines', 'payments', 'payment_methods', 'products', 'variants')",
            "web_writes",
        ),
        (
            "countersign_executor",
            "relname IN ('audit', 'decisions', 'budget_ledger')",
            "history_changes",
        ),
    ] {
        let kinds = if code == "history_changes" {
            "UPDATE,DELETE,TRUNCATE"
        } else {
            "INSERT,UPDATE,DELETE,TRUNCATE"
        };
        let query = format!(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND {condition}
                AND has_table_privilege('{role}', oid, '{kinds}') ORDER BY 1"
        );
        let may = names(&pools.executor, &query).await?;
        if !may.is_empty() {
            let mend = format!("{role} may change {}; REVOKE {kinds} ON them", may.join(", "));
            found.push(Finding::new("database", Red, code, mend));
        }
    }
    let now: Vec<chrono::DateTime<Utc>> = pools
        .executor
        .unscoped(|pool| async move { sqlx::query_scalar("SELECT clock_timestamp()").fetch_all(&pool).await })
        .await?;
    let skew = now.first().map_or(0, |now| (*now - Utc::now()).num_seconds().abs());
    if skew > 5 {
        let level = if skew > 30 { Red } else { Amber };
        found.push(Finding::new(
            "clock",
            level,
            "clock_skew",
            format!("this machine and the database's are {skew} s apart; run NTP on both"),
        ));
    }
    Ok(found)
}

async fn names(executor: &Pool<Executor>, query: &str) -> Result<Vec<String>, sqlx::Error> {
    let run = |pool: sqlx::PgPool| {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        async move { sqlx::query_scalar(query).fetch_all(&pool).await }
    };
    executor.unscoped(run).await
}

/// What each store's staff have set up, and what waits for them.
pub(super) async fn stores(pools: &Pools) -> Result<Vec<Finding>, sqlx::Error> {
    let mut found = Vec::new();
    let stores = tenancy::list(&pools.executor).await?;
    for store in &stores {
        let mut tx = pools.executor.begin(Scope::tenant(store.id)).await?;
        let mut note = |level: Level, code, text: String| {
            found.push(Finding::new("stores", level, code, format!("{}: {text}", store.slug)))
        };
        let seen = sqlx::query!(
            r#"SELECT
                (SELECT count(*) FROM staff WHERE role = 'admin' AND disabled_at IS NULL) AS "admins!",
                (SELECT count(*) FROM staff WHERE role IN ('admin', 'approver') AND disabled_at IS NULL AND totp_confirmed_at IS NULL) AS "half!",
                (SELECT count(*) FROM budgets) AS "budgets!",
                (SELECT count(*) FROM origins) AS "origins!",
                (SELECT count(*) FROM outbox WHERE state = 'dead') AS "dead!",
                (SELECT count(*) FROM proposals WHERE state = 'pending' AND awaiting = 'staff' AND created_at < now() - interval '4 hours') AS "forgotten!",
                (SELECT count(*) FROM proposals WHERE state IN ('approved', 'executing') AND updated_at < now() - interval '5 minutes') AS "stuck!",
                (SELECT coalesce(string_agg(tool, ', ' ORDER BY tool), '') FROM policies WHERE mode = 'automatic' AND automatic_below_minor > 10000) AS "generous!""#
        )
        .fetch_one(&mut *tx)
        .await?;
        if seen.admins == 0 {
            note(
                Red,
                "admin_missing",
                "nobody can administer it; `countersign staff add --role admin`".into(),
            );
        }
        if seen.half > 0 {
            note(
                Amber,
                "second_factor_missing",
                format!(
                    "{} who may decide have not set up their second factor, and cannot until they do",
                    seen.half
                ),
            );
        }
        if seen.budgets == 0 {
            note(
                Amber,
                "budget_unset",
                "its budget is the default; set one: PUT /v1/staff/budget".into(),
            );
        }
        if seen.origins == 0 {
            note(
                Amber,
                "origin_unset",
                "no page may call from a browser; `countersign tenant allow-origin`".into(),
            );
        }
        if seen.dead > 0 {
            note(
                Amber,
                "delivery_dead",
                format!(
                    "{} deliveries were given up; GET /v1/staff/deliveries?state=dead",
                    seen.dead
                ),
            );
        }
        if seen.forgotten > 0 {
            note(
                Amber,
                "approval_forgotten",
                format!("{} proposals have waited four hours for staff", seen.forgotten),
            );
        }
        if seen.stuck > 0 {
            note(
                Red,
                "execution_stuck",
                format!(
                    "{} approved proposals are not carried out: is a worker running?",
                    seen.stuck
                ),
            );
        }
        if !seen.generous.is_empty() {
            note(
                Amber,
                "policy_generous",
                format!(
                    "{} run by themselves up to more than 100.00; is that meant?",
                    seen.generous
                ),
            );
        }
        if let (_, Some(entry)) = audit::verify(&mut tx).await? {
            note(
                Red,
                "audit_broken",
                format!("its audit was changed at entry {entry}; keep the database as it is and find out who"),
            );
        }
    }
    if stores.is_empty() {
        found.push(Finding::new(
            "stores",
            Amber,
            "store_missing",
            "there is no store; `countersign tenant create`",
        ));
    }
    Ok(or_well(
        found,
        "stores",
        "stores_set_up",
        "every store has admins, a budget, origins and a whole audit",
    ))
}

/// What was found, or that all is well.
pub(super) fn or_well(found: Vec<Finding>, check: &'static str, code: &'static str, text: &str) -> Vec<Finding> {
    match found.is_empty() {
        true => vec![Finding::new(check, Green, code, text)],
        false => found,
    }
}
