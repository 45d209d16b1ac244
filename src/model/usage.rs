//! What the model has cost, added up from the ledger.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::tenancy::{Role, Tx};

/// What usage is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    Day,
    Model,
    Shopper,
    Tool,
}

/// What a day, model, shopper or tool has used. An answer that called several tools is counted with each of them.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageRow {
    #[schema(example = "2026-11-25")]
    pub key: String,
    pub calls: i64,
    pub input_tokens: i64,
    /// Of the input: read from the provider's cache.
    pub cached_tokens: i64,
    pub output_tokens: i64,
    pub spent_micros: i64,
}

/// The bound tenant's usage from one moment to another, the most expensive first.
pub async fn usage<R: Role>(
    tx: &mut Tx<R>,
    by: UsageBy,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<UsageRow>, sqlx::Error> {
    let by = match by {
        UsageBy::Day => "day",
        UsageBy::Model => "model",
        UsageBy::Shopper => "shopper",
        UsageBy::Tool => "tool",
    };
    sqlx::query_as!(
        UsageRow,
        r#"SELECT k.key AS "key!", count(*) AS "calls!", sum(l.input_tokens)::bigint AS "input_tokens!", sum(l.output_tokens)::bigint AS "output_tokens!",
            sum(l.cached_tokens)::bigint AS "cached_tokens!",
            sum(l.spent_micros)::bigint AS "spent_micros!"
        FROM budget_ledger l CROSS JOIN LATERAL (SELECT unnest(CASE $1 WHEN 'day' THEN ARRAY[to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD')]
            WHEN 'model' THEN ARRAY[l.model] WHEN 'shopper' THEN ARRAY[l.shopper_id::text]
            ELSE (SELECT array_agg(DISTINCT tool) FROM unnest(l.tools) tool) END) AS key) k
        WHERE l.at >= $2 AND l.at < $3 GROUP BY k.key ORDER BY sum(l.spent_micros) DESC, k.key LIMIT 1000"#,
        by,
        from,
        to
    )
    .fetch_all(&mut **tx)
    .await
}
