//! Outages of the first model, as each store keeps them: staff hear of one once, however many replicas see it.

use chrono::{DateTime, Utc};

use super::{ModelOutage, SettingNames};
use crate::{
    language::LocalizedText,
    mail::{self, Mail},
    tenancy::{self, Executor, Pool, Scope, Tx},
};

/// Notes in each store that the model is away, and mails its admins if nobody has yet; or that it is back.
pub async fn record(
    pool: &Pool<Executor>,
    outage: Option<&ModelOutage>,
    names: &SettingNames,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for tenant in tenancy::all(pool).await? {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        match outage {
            Some(outage) => begin(&mut tx, outage, names, now).await?,
            None => end(&mut tx, now).await?,
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn begin(
    tx: &mut Tx<Executor>,
    outage: &ModelOutage,
    names: &SettingNames,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let begun = sqlx::query!(
        "INSERT INTO model_outages (tenant_id, started_at, error) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tx.tenant_id().as_uuid(),
        outage.since,
        outage.error.code()
    )
    .execute(&mut **tx)
    .await?;
    if begun.rows_affected() == 0 {
        return Ok(());
    }
    let told = Mail::ModelOutage {
        since: outage.since,
        by_rules: outage.answered_by == "rules",
        reason: LocalizedText::from_fn(|language| outage.error.reason(language)),
        mend: LocalizedText::from_fn(|language| outage.error.mend(names, language)),
    };
    let key = format!("model_outage:{}", outage.since.timestamp_micros());
    mail::queue(tx, &told, "model_outage", &key, now).await
}

async fn end(tx: &mut Tx<Executor>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_outages SET ended_at = greatest($2, started_at) WHERE tenant_id = $1 AND ended_at IS NULL",
        tx.tenant_id().as_uuid(),
        now
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
