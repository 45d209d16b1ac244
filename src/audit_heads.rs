//! The head of each store's audit chain, written where this server cannot change it: the store's webhooks, or its admins' mail.
//!
//! The chain shows what was changed inside it, and nothing shows that its end was cut off, except a head that somebody kept elsewhere:
//! `countersign audit verify STORE --head …` compares.

use chrono::{DateTime, Datelike, Utc, Weekday};
use serde_json::json;

use crate::{
    integrations::webhook_delivery,
    mail::{self, Mail},
    tenancy::{self, Executor, Pool, Scope, audit},
};

/// Queues today's heads: to each webhook endpoint daily; by mail on Mondays to the admins of a store without endpoints. The keys make it
/// once a day, however often it is asked for.
pub async fn publish(pool: &Pool<Executor>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let today = now.date_naive();
    for tenant in tenancy::all(pool).await? {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        let queued = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM audit_heads WHERE tenant_id = $1 AND day = $2) AS "queued!""#,
            tenant.as_uuid(),
            today
        )
        .fetch_one(&mut *tx)
        .await?;
        if queued {
            continue;
        }
        let Some(head) = audit::head(&mut tx).await? else {
            continue;
        };
        sqlx::query!(
            "INSERT INTO audit_heads (tenant_id, day, head) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            tenant.as_uuid(),
            today,
            head.to_string()
        )
        .execute(&mut *tx)
        .await?;
        let endpoints = webhook_delivery::count(&mut tx).await?;
        if endpoints > 0 {
            let data = json!({ "seq": head.seq, "hash": head.hash });
            webhook_delivery::announce(&mut tx, "audit.head", &format!("audit_head:{today}"), data, now).await?;
        } else if today.weekday() == Weekday::Mon {
            let mail = Mail::AuditHead { head: head.to_string() };
            mail::queue(&mut tx, &mail, "audit_head", &format!("audit_head:{today}"), now).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
