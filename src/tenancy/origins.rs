//! The origins of web pages that may call the API from a browser, each for one or more stores.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::sync::RwLock;
use uuid::Uuid;

use super::{Executor, Pool, Role, Tx, Web};
use crate::ids::TenantId;

/// How long the list is cached. A change takes effect after this time at the latest.
const CACHE_TTL: Duration = Duration::from_secs(10);

/// The list of origins, cached.
#[derive(Clone)]
pub struct Origins {
    web: Pool<Web>,
    list: Arc<RwLock<List>>,
}

#[derive(Default)]
struct List {
    tenants: HashMap<String, HashSet<TenantId>>,
    read_at: Option<Instant>,
}

impl List {
    fn is_fresh(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < CACHE_TTL)
    }
}

impl Origins {
    pub fn new(web: Pool<Web>) -> Self {
        Self {
            web,
            list: Arc::default(),
        }
    }

    /// Whether the page may call: for `tenant`, or for any store where the request does not name one (a preflight).
    pub async fn allow(&self, origin: &str, tenant: Option<TenantId>) -> bool {
        if !self.list.read().await.is_fresh() {
            self.refresh().await;
        }
        let list = self.list.read().await;
        list.tenants
            .get(origin)
            .is_some_and(|tenants| tenant.is_none_or(|tenant| tenants.contains(&tenant)))
    }

    /// Reloads the list. While the database is down, the old list is kept.
    async fn refresh(&self) {
        let mut list = self.list.write().await;
        if list.is_fresh() {
            return;
        }
        let read = |pool| async move {
            sqlx::query!(r#"SELECT tenant_id AS "tenant: TenantId", origin FROM origins"#)
                .fetch_all(&pool)
                .await
        };
        match self.web.unscoped(read).await {
            Ok(rows) => {
                list.tenants = HashMap::new();
                for row in rows {
                    list.tenants.entry(row.origin).or_default().insert(row.tenant);
                }
            }
            Err(error) => tracing::warn!(error = %crate::telemetry::cause(&error), "the list of origins was not read"),
        }
        list.read_at = Some(Instant::now());
    }
}

/// Parses an origin as browsers write it: `https://shop.example`, or with a port. Plain HTTP only for loopback.
pub fn parse(text: &str) -> Result<String, &'static str> {
    let origin = text.trim().trim_end_matches('/').to_lowercase();
    let (scheme, authority) = origin.split_once("://").ok_or("must begin with https://")?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !authority.chars().all(letters) || host.ends_with('.') {
        return Err("must be a scheme and a host, such as https://shop.example; no path, no wildcard, no final dot");
    }
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let is_loopback = host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match scheme {
        "https" => {}
        "http" if is_loopback => {}
        _ => return Err("must begin with https:// (http:// only for loopback)"),
    }
    Ok(origin.strip_suffix(default_port).unwrap_or(&origin).to_owned())
}

/// The origins that may call the API for the bound tenant.
pub async fn list<R: Role>(tx: &mut Tx<R>) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT origin FROM origins WHERE tenant_id = $1 ORDER BY origin",
        tx.tenant_id().as_uuid()
    )
    .fetch_all(&mut **tx)
    .await
}

/// Allows a page's origin to call the API for the bound tenant, as the operator's command does.
pub async fn add(tx: &mut Tx<Executor>, origin: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO origins (tenant_id, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        tx.tenant_id().as_uuid(),
        origin
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes an allowed origin. False when it was not allowed.
pub async fn remove(tx: &mut Tx<Executor>, origin: &str) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query!(
        "DELETE FROM origins WHERE tenant_id = $1 AND origin = $2",
        tx.tenant_id().as_uuid(),
        origin
    )
    .execute(&mut **tx)
    .await?;
    Ok(removed.rows_affected() == 1)
}

/// Allows an origin for staff, or forbids it. False when there was nothing to forbid. The database demands the session of an admin who has
/// just proved who it is, and notes the change in the audit.
pub async fn set(
    tx: &mut Tx<Web>,
    (origin, is_allowed): (&str, bool),
    (session, request): (Option<Uuid>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT set_origin($1, $2, $3, $4, $5) AS "done!""#,
        origin,
        is_allowed,
        session,
        request,
        now
    )
    .fetch_one(&mut **tx)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        assert_eq!(parse("https://Shop.Example/").as_deref(), Ok("https://shop.example"));
        assert_eq!(parse("https://shop.example:443").as_deref(), Ok("https://shop.example"));
        assert_eq!(
            parse("https://shop.example:8443").as_deref(),
            Ok("https://shop.example:8443")
        );
        assert_eq!(parse("http://127.0.0.1:3000").as_deref(), Ok("http://127.0.0.1:3000"));
        assert_eq!(parse("http://[::1]:3000").as_deref(), Ok("http://[::1]:3000"));
        for bad in [
            "*",
            "null",
            "shop.example",
            "http://shop.example",
            "https://*.shop.example",
            "https://shop.example/a",
            "https://shop.example.",
            "https://",
            "ftp://shop.example",
            "https://a b",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
