//! Publishes the head of each store's audit chain where this server cannot change it: to the store's webhooks, or to its admins by mail.
//!
//! The chain itself shows when an entry inside it was changed. Only a head that was kept elsewhere shows that entries were cut off its end:
//! `countersign audit verify STORE --head …` compares the two.

use chrono::{DateTime, Datelike, Utc, Weekday};
use serde_json::json;

use crate::{
    integrations::webhook_delivery,
    mail::{self, Mail},
    tenancy::{self, Executor, Pool, Scope, audit},
};

/// Queues today's heads: to each webhook endpoint daily, or, for a store without endpoints, to its admins by mail on Mondays. The
/// idempotency keys make it happen once a day, however often this is called.
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
