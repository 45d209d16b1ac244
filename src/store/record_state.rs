//! The stored state of what a record describes, as one hash: an import compares it before and after, and says what is new and what changed.

use super::records::Record;
use crate::tenancy::{Executor, Tx};

/// A hash of everything that is stored of a record's thing; none where there is no such thing.
pub async fn of(tx: &mut Tx<Executor>, record: &Record) -> Result<Option<String>, sqlx::Error> {
    let tenant = tx.tenant_id().as_uuid();
    match record {
        Record::Product(product) => {
            sqlx::query_scalar!(
                r#"SELECT md5(p::text || coalesce((SELECT string_agg(v::text, ',' ORDER BY v.item_id) FROM variants v
                    WHERE (v.tenant_id, v.product_id) = (p.tenant_id, p.id)), '')) AS "state!"
                FROM products p WHERE p.tenant_id = $1 AND p.external_id = $2"#,
                tenant,
                product.id
            )
            .fetch_optional(&mut **tx)
            .await
        }
        Record::Shopper(shopper) => {
            sqlx::query_scalar!(
                r#"SELECT md5(s::text || coalesce((SELECT string_agg(m::text, ',' ORDER BY m.external_id) FROM payment_methods m
                    WHERE (m.tenant_id, m.shopper_id) = (s.tenant_id, s.shopper_id)), '')) AS "state!"
                FROM shoppers s WHERE s.tenant_id = $1 AND s.external_id = $2"#,
                tenant,
                shopper.id
            )
            .fetch_optional(&mut **tx)
            .await
        }
        Record::Order(order) => {
            sqlx::query_scalar!(
                r#"SELECT md5(o::text
                    || coalesce((SELECT string_agg(l::text, ',' ORDER BY l.position) FROM order_lines l
                        WHERE (l.tenant_id, l.order_id) = (o.tenant_id, o.id)), '')
                    || coalesce((SELECT string_agg(h::text, ',' ORDER BY h.position) FROM shipments h
                        WHERE (h.tenant_id, h.order_id) = (o.tenant_id, o.id)), '')
                    || coalesce((SELECT string_agg(p::text, ',' ORDER BY p.position) FROM order_payments p
                        WHERE (p.tenant_id, p.order_id) = (o.tenant_id, o.id)), '')) AS "state!"
                FROM orders o WHERE o.tenant_id = $1 AND o.bare_number = ltrim($2, '#')"#,
                tenant,
                order.number
            )
            .fetch_optional(&mut **tx)
            .await
        }
    }
}
