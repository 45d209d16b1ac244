//! `countersign export`: writes a store's data in the format of `countersign import`, one record a line.

use std::io::Write;

use futures::TryStreamExt;
use serde_json::Value;

use super::CliError;
use crate::{
    money::{Currency, Money},
    tenancy::{Executor, Pool, Scope, Tenant},
};

/// Writes products, then shoppers, then orders, because an import needs them in this order.
pub async fn write(executor: &Pool<Executor>, store: &Tenant, out: &mut impl Write) -> Result<u64, CliError> {
    let mut tx = executor.begin(Scope::tenant(store.id)).await?;
    let mut count = 0;
    let products = sqlx::query_scalar!(
        r#"SELECT jsonb_strip_nulls(jsonb_build_object('type', 'product', 'id', p.external_id, 'name', p.name, 'description', p.description,
            'picture', p.picture,
            'variants', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', v.item_id, 'options', v.options, 'price', v.price_minor,
                'available', v.available) ORDER BY v.item_id), '[]') FROM variants v WHERE v.product_id = p.id))) AS "record!"
        FROM products p ORDER BY p.external_id"#
    )
    .fetch(&mut *tx);
    count += lines(products, store, out).await?;
    let shoppers = sqlx::query_scalar!(
        r#"SELECT jsonb_strip_nulls(jsonb_build_object('type', 'shopper', 'id', s.external_id, 'email', s.email, 'first_name', s.first_name,
            'last_name', s.last_name, 'address', s.address,
            'payment_methods', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', m.external_id, 'kind', m.kind, 'brand', m.brand,
                'last_four', m.last_four, 'balance', m.balance_minor, 'reference', m.reference,
                'customer', m.customer) ORDER BY m.external_id), '[]')
                FROM payment_methods m WHERE m.shopper_id = s.shopper_id))) AS "record!"
        FROM shoppers s WHERE NOT s.guest ORDER BY s.external_id"#
    )
    .fetch(&mut *tx);
    count += lines(shoppers, store, out).await?;
    let orders = sqlx::query_scalar!(
        r#"SELECT jsonb_strip_nulls(jsonb_build_object('type', 'order', 'number', o.number, 'shopper', s.external_id, 'reference', o.reference, 'status', o.status,
            'currency', o.currency, 'totals', o.totals,
            'placed_at', o.placed_at, 'address', o.address,
            'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('product_id', l.product_id, 'item_id', l.item_id, 'name', l.name,
                'options', l.options, 'price', l.price_minor, 'quantity', l.quantity, 'total', l.total_minor) ORDER BY l.position), '[]') FROM order_lines l WHERE l.order_id = o.id),
            'shipments', (SELECT coalesce(jsonb_agg(jsonb_build_object('carrier', h.carrier, 'tracking_number', h.tracking_number,
                'item_ids', h.item_ids, 'shipped_at', h.shipped_at, 'url', h.url, 'status', h.status) ORDER BY h.position), '[]') FROM shipments h WHERE h.order_id = o.id),
            'payments', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', p.kind, 'amount', p.amount_minor, 'payment_method', m.external_id,
                'reference', p.reference) ORDER BY p.position), '[]') FROM order_payments p JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE p.order_id = o.id AND p.confirmed))) AS "record!"
        FROM orders o JOIN shoppers s USING (tenant_id, shopper_id) ORDER BY o.created_at, o.number"#
    )
    .fetch(&mut *tx);
    count += lines(orders, store, out).await?;
    Ok(count)
}

async fn lines(
    mut records: impl futures::Stream<Item = Result<Value, sqlx::Error>> + Unpin,
    store: &Tenant,
    out: &mut impl Write,
) -> Result<u64, CliError> {
    let mut count = 0;
    while let Some(mut record) = records.try_next().await? {
        // An order has a currency of its own.
        let currency = record["currency"].as_str().and_then(|code| code.parse().ok());
        decimal_amounts(&mut record, currency.unwrap_or(store.currency));
        writeln!(out, "{record}")?;
        count += 1;
    }
    Ok(count)
}

/// Replaces amounts in minor units by the decimal text of the format.
fn decimal_amounts(value: &mut Value, currency: Currency) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field.as_i64()) {
                    (
                        "price" | "amount" | "balance" | "total" | "discount" | "tax" | "shipping" | "tip" | "fees"
                        | "duties",
                        Some(minor),
                    ) => {
                        *field = Money::new(minor, currency).amount().into();
                    }
                    _ => decimal_amounts(field, currency),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| decimal_amounts(item, currency)),
        _ => {}
    }
}
