//! Forgets the words of conversations, and every copy of them: in tool calls, in notes, in proposals. An erasure and retention both use it, so
//! that a new place for words is forgotten by both.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::tenancy::{Executor, Tx};

/// Replaces erased text.
pub const ERASED: &str = "[erased]";

/// Blanks the words of conversations. A turn that runs in one of them ends: it stores no answer. A proposal that is still open keeps its plan,
/// because somebody has to decide on it or pay for it; what is kept of the others is what was decided, and the amount.
pub async fn forget_words(
    tx: &mut Tx<Executor>,
    conversations: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    sqlx::query!(
        "UPDATE messages SET body = $3 WHERE tenant_id = $1 AND conversation_id = ANY ($2)",
        tenant,
        conversations,
        ERASED
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE tool_calls SET arguments = $3 WHERE tenant_id = $1
            AND turn_id IN (SELECT id FROM turns WHERE tenant_id = $1 AND conversation_id = ANY ($2))",
        tenant,
        conversations,
        ERASED
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE turns SET events = '[]', idempotency_key = NULL, finished_at = coalesce(finished_at, $3),
            status = CASE status WHEN 'running' THEN 'interrupted' ELSE status END
        WHERE tenant_id = $1 AND conversation_id = ANY ($2)",
        tenant,
        conversations,
        now
    )
    .execute(&mut **tx)
    .await?;
    let ended = sqlx::query_scalar!(
        "SELECT id FROM proposals WHERE tenant_id = $1 AND conversation_id = ANY ($2)
            AND state NOT IN ('pending', 'approved', 'executing', 'awaiting_payment', 'needs_payment')",
        tenant,
        conversations
    )
    .fetch_all(&mut **tx)
    .await?;
    forget_plans(tx, &ended).await?;
    sqlx::query!(
        "UPDATE conversations SET erased_at = coalesce(erased_at, $3), network = NULL, site = NULL WHERE tenant_id = $1 AND id = ANY ($2)",
        tenant,
        conversations,
        now
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Blanks the plans of proposals and the notes that they made. The amount has a column of its own, and the digest still proves, to whoever has
/// the plan, what was decided on.
pub async fn forget_plans(tx: &mut Tx<Executor>, proposals: &[Uuid]) -> Result<(), sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    sqlx::query!(
        "UPDATE proposals SET arguments = '{}', plan = jsonb_build_object('summary', $3::text, 'changes', '[]'::jsonb), reason = NULL
        WHERE tenant_id = $1 AND id = ANY ($2)",
        tenant,
        proposals,
        ERASED
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE notes SET body = $3 WHERE tenant_id = $1 AND proposal_id = ANY ($2)",
        tenant,
        proposals,
        ERASED
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}
