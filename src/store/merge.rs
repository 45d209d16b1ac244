//! Moves orders to the shopper whom a platform says that they belong to.

use crate::{
    ids::{OrderId, ShopperId},
    store::profile,
    tenancy::{Executor, Tx},
};

/// Whose order it is, by its number. The platform's id must be the same where both are known: another order is nobody's to move.
pub(super) async fn owner_of(
    tx: &mut Tx<Executor>,
    number: &str,
    reference: Option<&str>,
) -> Result<Option<ShopperId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT shopper_id AS "id: ShopperId" FROM orders
        WHERE tenant_id = $1 AND bare_number = ltrim($2, '#') AND ($3::text IS NULL OR reference IS NULL OR reference = $3)"#,
        tx.tenant_id().as_uuid(),
        number,
        reference
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Moves an order with its money to a shopper. False when something was proposed for it: a decision is about the person who asked.
pub(super) async fn move_order(
    tx: &mut Tx<Executor>,
    number: &str,
    to: ShopperId,
    method: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let order = sqlx::query_scalar!(
        r#"SELECT id AS "id: OrderId" FROM orders o WHERE tenant_id = $1 AND bare_number = ltrim($2, '#')
            AND NOT EXISTS (SELECT FROM proposals p WHERE (p.tenant_id, p.order_id) = (o.tenant_id, o.id)) FOR UPDATE"#,
        tx.tenant_id().as_uuid(),
        number
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(order) = order else { return Ok(false) };
    sqlx::query("SET CONSTRAINTS money_movements_method DEFERRED")
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "UPDATE orders SET shopper_id = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id().as_uuid(),
        order.as_uuid(),
        to.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    if let Some(method) = method
        && let Some(method) = profile::payment_method(tx, to, method).await?
    {
        sqlx::query!("SELECT move_payments($1, $2)", order.as_uuid(), method.as_uuid())
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query("SET CONSTRAINTS money_movements_method IMMEDIATE")
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

/// Two of a platform's customers are one person: moves the orders of the one that was deleted to the one that is kept. Where only the
/// deleted one is known, it goes on under the other's id. Returns what could not be moved.
pub async fn shoppers(tx: &mut Tx<Executor>, kept: &str, deleted: &str) -> Result<Vec<String>, sqlx::Error> {
    let renamed = sqlx::query!(
        "UPDATE shoppers SET external_id = $2 WHERE tenant_id = $1 AND external_id = $3
            AND NOT EXISTS (SELECT FROM shoppers k WHERE k.tenant_id = $1 AND k.external_id = $2)",
        tx.tenant_id().as_uuid(),
        kept,
        deleted
    )
    .execute(&mut **tx)
    .await?;
    if renamed.rows_affected() == 1 {
        return Ok(Vec::new());
    }
    let orders = sqlx::query!(
        r#"SELECT o.number, k.shopper_id AS "kept: ShopperId" FROM orders o JOIN shoppers d USING (tenant_id, shopper_id)
            JOIN shoppers k ON (k.tenant_id, k.external_id) = (d.tenant_id, $2)
        WHERE d.tenant_id = $1 AND d.external_id = $3 ORDER BY o.id"#,
        tx.tenant_id().as_uuid(),
        kept,
        deleted
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut left = Vec::new();
    for order in orders {
        let method = profile::platform_method(tx, order.kept).await?;
        if !move_order(tx, &order.number, order.kept, Some(&method)).await? {
            left.push(format!(
                "order {} stays with the customer before, because requests were made for it",
                order.number
            ));
        }
    }
    Ok(left)
}
