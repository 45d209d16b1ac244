//! Moves orders to the shopper whom a platform says that they belong to, and retires accounts that another takes the place of.

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

/// Moves all orders of a shopper to another. Returns what could not be moved.
pub(super) async fn move_orders(
    tx: &mut Tx<Executor>,
    from: ShopperId,
    to: ShopperId,
) -> Result<Vec<String>, sqlx::Error> {
    let numbers = sqlx::query_scalar!(
        "SELECT number FROM orders WHERE tenant_id = $1 AND shopper_id = $2 ORDER BY id",
        tx.tenant_id().as_uuid(),
        from.as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut left = Vec::new();
    for number in numbers {
        let method = profile::platform_method(tx, to).await?;
        if !move_order(tx, &number, to, Some(&method)).await? {
            left.push(format!(
                "order {number} stays with the customer before, because requests were made for it"
            ));
        }
    }
    Ok(left)
}

/// Another account takes the place of this one: its address is free for that one, and nobody signs in to it any more.
pub(super) async fn retire(tx: &mut Tx<Executor>, shopper: ShopperId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE shoppers SET email = 'replaced-' || shopper_id || '@replaced.invalid' WHERE tenant_id = $1 AND shopper_id = $2",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    end_sign_in(tx, shopper).await
}

/// Whoever could sign in to the account before cannot any more.
pub(super) async fn end_sign_in(tx: &mut Tx<Executor>, shopper: ShopperId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM passwords WHERE tenant_id = $1 AND shopper_id = $2",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE sessions SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND shopper_id = $2",
        tx.tenant_id().as_uuid(),
        shopper.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Two of a platform's customers are one person: moves the orders of the one that was deleted to the one that is kept. Where only the
/// deleted one is known, it goes on under the other's id; else its address is free, and its sessions end. Returns what could not be moved.
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
    let both = sqlx::query!(
        r#"SELECT k.shopper_id AS "kept: ShopperId", d.shopper_id AS "deleted: ShopperId" FROM shoppers k JOIN shoppers d USING (tenant_id)
        WHERE k.tenant_id = $1 AND k.external_id = $2 AND d.external_id = $3"#,
        tx.tenant_id().as_uuid(),
        kept,
        deleted
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(both) = both else { return Ok(Vec::new()) };
    let left = move_orders(tx, both.deleted, both.kept).await?;
    retire(tx, both.deleted).await?;
    Ok(left)
}
