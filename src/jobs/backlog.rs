//! The backlog of all stores: what waits, for metrics and readiness.

use chrono::{DateTime, Utc};

use super::SCHEMA;
use crate::{
    telemetry::Metrics,
    tenancy::{Executor, Pool},
};

/// Everything that can wait, with its kinds: metrics have no other labels, and an empty queue is shown as zero, not left out.
const ALL_KINDS: &[(&str, &[&str])] = &[
    ("approvals", &["staff", "shopper", "nobody"]),
    ("executions", &["approved", "executing"]),
    ("outbox_queued", &["mail", "webhook", "payment", "shop", "crm"]),
    ("outbox_dead", &["mail", "webhook", "payment", "shop", "crm"]),
    ("incoming", &["shopify", "woocommerce", "stripe", "store", "mail"]),
    (
        "jobs",
        &[
            "execute_proposal",
            "deliver",
            "process_events",
            "sync_platform",
            "housekeeping",
        ],
    ),
    ("budget", &["store_day", "store_month"]),
];

struct Waiting {
    what: String,
    kind: String,
    count: i64,
    oldest_seconds: f64,
    share: f64,
}

/// Sets the gauges. `caps` are the budgets for a day and a month of a store that has set none, in millionths.
pub async fn measure(
    pool: &Pool<Executor>,
    metrics: &Metrics,
    caps: (i64, i64),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (day, month) = (now.format("%Y-%m-%d").to_string(), now.format("%Y-%m").to_string());
    let stores = |pool: sqlx::PgPool| {
        let (day, month) = (day.clone(), month.clone());
        async move {
            sqlx::query_as!(
                Waiting,
                r#"SELECT what AS "what!", kind AS "kind!", sum(waiting)::bigint AS "count!", max(oldest_seconds) AS "oldest_seconds!", max(share) AS "share!"
                FROM backlog($1, $2, $3, $4, $5) GROUP BY what, kind"#,
                day,
                month,
                caps.0,
                caps.1,
                now
            )
            .fetch_all(&pool)
            .await
        }
    };
    let mut waiting = pool.unscoped(stores).await?;
    waiting.extend(pool.unscoped(jobs).await?);
    for (what, kinds) in ALL_KINDS {
        for kind in *kinds {
            let found = waiting.iter().find(|row| row.what == *what && row.kind == *kind);
            match *what {
                "budget" => metrics.budget_used(kind, found.map_or(0.0, |row| row.share)),
                _ => metrics.waiting(
                    what,
                    kind,
                    found.map_or(0, |row| row.count),
                    found.map_or(0.0, |row| row.oldest_seconds.max(0.0)),
                ),
            }
        }
    }
    Ok(())
}

/// Jobs that are due. Not a checked query, because the tables belong to the library.
async fn jobs(pool: sqlx::PgPool) -> Result<Vec<Waiting>, sqlx::Error> {
    let rows: Vec<(String, i64, f64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT t.identifier, count(*), coalesce(extract(epoch FROM now() - min(j.run_at)), 0)::float8
        FROM {SCHEMA}._private_jobs j JOIN {SCHEMA}._private_tasks t ON t.id = j.task_id WHERE j.run_at <= now() GROUP BY t.identifier"
    )))
    .fetch_all(&pool)
    .await?;
    let waiting = rows.into_iter().map(|(kind, count, oldest_seconds)| Waiting {
        what: "jobs".into(),
        kind,
        count,
        oldest_seconds,
        share: 0.0,
    });
    Ok(waiting.collect())
}
