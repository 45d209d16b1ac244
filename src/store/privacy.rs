//! Privacy: exports everything about a shopper, and forgets what is old. `erasure` erases a shopper.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::forget_words::forget_words;
use crate::{
    ids::ShopperId,
    tenancy::{
        self, Executor, Pool, Role, Scope, Tx,
        audit::{self, Actor, Entry},
    },
};

/// The shopper with this address or this id at the store, but no guest.
pub async fn find(tx: &mut Tx<Executor>, email_or_external_id: &str) -> Result<Option<ShopperId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT shopper_id AS "id: ShopperId" FROM shoppers WHERE (external_id = $1 OR email = lower($1)) AND NOT guest"#,
        email_or_external_id
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Everything that is stored about a shopper, as JSON.
pub async fn export<R: Role>(tx: &mut Tx<R>, shopper: ShopperId) -> Result<Value, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT jsonb_build_object(
            'profile', (SELECT jsonb_build_object('id', external_id, 'email', email, 'former_emails', former_emails, 'first_name', first_name, 'last_name', last_name,
                'address', address, 'language', language, 'created_at', created_at) FROM shoppers WHERE shopper_id = $1),
            'payment_methods', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', external_id, 'kind', kind, 'brand', brand,
                'last_four', last_four, 'balance_minor', balance_minor)), '[]') FROM payment_methods WHERE shopper_id = $1),
            'orders', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', o.number, 'status', o.status, 'placed_at', o.placed_at,
                'currency', o.currency, 'address', o.address,
                'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', l.name, 'item_id', l.item_id, 'options', l.options,
                    'price_minor', l.price_minor, 'quantity', l.quantity, 'total_minor', l.total_minor) ORDER BY l.position), '[]') FROM order_lines l WHERE l.order_id = o.id),
                'payments', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', p.kind, 'amount_minor', p.amount_minor) ORDER BY p.position), '[]')
                    FROM order_payments p WHERE p.order_id = o.id),
                'shipments', (SELECT coalesce(jsonb_agg(jsonb_build_object('carrier', s.carrier, 'tracking_number', s.tracking_number) ORDER BY s.position), '[]')
                    FROM shipments s WHERE s.order_id = o.id)) ORDER BY o.created_at), '[]') FROM orders o WHERE o.shopper_id = $1),
            'conversations', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'created_at', c.created_at,
                'messages', (SELECT coalesce(jsonb_agg(jsonb_build_object('at', m.created_at, 'author', m.author, 'text', m.body)
                    ORDER BY m.created_at, m.id), '[]') FROM messages m WHERE m.conversation_id = c.id)) ORDER BY c.created_at), '[]')
                FROM conversations c WHERE c.shopper_id = $1),
            'proposals', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'tool', tool, 'state', state, 'arguments', arguments, 'plan', plan,
                'reason', reason, 'created_at', created_at) ORDER BY created_at), '[]') FROM proposals WHERE shopper_id = $1),
            'coupons', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', code, 'kind', kind, 'value', value, 'at_most_minor', at_most_minor, 'expires_at', expires_at)), '[]')
                FROM coupons WHERE shopper_id = $1),
            'notes', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'text', body, 'created_at', created_at)), '[]')
                FROM notes WHERE shopper_id = $1),
            'sessions', (SELECT coalesce(jsonb_agg(jsonb_build_object('address', address, 'device', device, 'created_at', created_at)), '[]')
                FROM sessions WHERE shopper_id = $1)) AS "everything!""#,
        shopper.as_uuid()
    )
    .fetch_one(&mut **tx)
    .await
}

/// How long an inactive guest is kept.
const GUEST_RETENTION: Duration = Duration::days(30);

/// Deletes guests who have no session and have said nothing for so long, with their conversations. Guests whose conversation was handed off
/// are kept, because their proposal is in the audit. Returns how many.
pub async fn forget_guests(pool: &Pool<Executor>, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut deleted = 0;
    for tenant in tenancy::all(pool).await? {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        let old = sqlx::query_scalar!(
            "SELECT shopper_id FROM shoppers s WHERE guest AND created_at < $1
                AND NOT EXISTS (SELECT FROM sessions e WHERE e.shopper_id = s.shopper_id)
                AND NOT EXISTS (SELECT FROM conversations c WHERE c.shopper_id = s.shopper_id AND c.updated_at >= $1)
                AND NOT EXISTS (SELECT FROM proposals p WHERE p.shopper_id = s.shopper_id) ORDER BY created_at LIMIT 1000 FOR UPDATE",
            now - GUEST_RETENTION
        )
        .fetch_all(&mut *tx)
        .await?;
        if old.is_empty() {
            continue;
        }
        sqlx::query!("DELETE FROM tool_calls WHERE shopper_id = ANY ($1)", &old)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM messages WHERE shopper_id = ANY ($1)", &old)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM turns WHERE shopper_id = ANY ($1)", &old)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM conversations WHERE shopper_id = ANY ($1)", &old)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("DELETE FROM shoppers WHERE shopper_id = ANY ($1)", &old)
            .execute(&mut *tx)
            .await?;
        let system = Actor::system();
        let entry = Entry::new(&system, "guests.forget", ("guests", old.len()), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await?;
        deleted += old.len();
    }
    Ok(deleted)
}

/// Blanks the texts of conversations that were not used for `longest`. Returns how many.
pub async fn retain(pool: &Pool<Executor>, longest: Duration, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let mut blanked = 0;
    for tenant in tenancy::all(pool).await? {
        let mut tx = pool.begin(Scope::tenant(tenant)).await?;
        let old = sqlx::query_scalar!(
            "SELECT id FROM conversations WHERE updated_at < $1 AND erased_at IS NULL ORDER BY updated_at LIMIT 200",
            now - longest
        )
        .fetch_all(&mut *tx)
        .await?;
        if old.is_empty() {
            continue;
        }
        forget_words(&mut tx, &old, now).await?;
        // Stored events were processed long before; their raw bodies are deleted at the same age.
        sqlx::query!(
            "DELETE FROM incoming_webhooks WHERE received_at < $1 AND state IN ('done', 'ignored')",
            now - longest
        )
        .execute(&mut *tx)
        .await?;
        let system = Actor::system();
        let entry = Entry::new(&system, "conversations.blank", ("conversations", old.len()), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await?;
        blanked += old.len();
    }
    Ok(blanked)
}
