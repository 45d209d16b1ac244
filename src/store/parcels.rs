//! Parcels of an order, as a platform's own events about them tell.

use super::orders::{OrderStatus, Shipment, ShipmentStatus};
use crate::{
    ids::{OrderId, ShopperId},
    tenancy::{Executor, Tx},
};

/// The order with a platform's id, locked. A named type, because it is used by each function here.
struct Found {
    id: OrderId,
    shopper: ShopperId,
    status: OrderStatus,
}

async fn find(tx: &mut Tx<Executor>, reference: &str) -> Result<Option<Found>, sqlx::Error> {
    sqlx::query_as!(
        Found,
        r#"SELECT id AS "id: OrderId", shopper_id AS "shopper: ShopperId", status AS "status: OrderStatus" FROM orders
        WHERE tenant_id = $1 AND reference = $2 LIMIT 1 FOR UPDATE"#,
        tx.tenant_id().as_uuid(),
        reference
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Replaces the parcels of a fulfilment. False when there is no such order.
pub async fn replace(
    tx: &mut Tx<Executor>,
    reference: &str,
    fulfillment: &str,
    shipments: &[Shipment],
) -> Result<bool, sqlx::Error> {
    let Some(order) = find(tx, reference).await? else {
        return Ok(false);
    };
    sqlx::query!(
        "DELETE FROM shipments WHERE tenant_id = $1 AND order_id = $2 AND fulfillment = $3",
        tx.tenant_id().as_uuid(),
        order.id.as_uuid(),
        fulfillment
    )
    .execute(&mut **tx)
    .await?;
    add(tx, order.shopper, order.id, shipments).await?;
    refresh_status(tx, &order).await?;
    Ok(true)
}

/// Adds parcels behind those that an order has.
pub(super) async fn add(
    tx: &mut Tx<Executor>,
    shopper: ShopperId,
    order: OrderId,
    shipments: &[Shipment],
) -> Result<(), sqlx::Error> {
    for shipment in shipments {
        sqlx::query!(
            "INSERT INTO shipments (tenant_id, shopper_id, order_id, position, carrier, tracking_number, item_ids, shipped_at, url, status, fulfillment)
            SELECT $1, $2, $3, coalesce(max(position) + 1, 0), $4, $5, $6, $7, $8, $9, $10 FROM shipments WHERE tenant_id = $1 AND order_id = $3",
            tx.tenant_id().as_uuid(),
            shopper.as_uuid(),
            order.as_uuid(),
            shipment.carrier,
            shipment.tracking_number,
            &shipment.item_ids,
            shipment.shipped_at,
            shipment.url,
            shipment.status as Option<ShipmentStatus> as _,
            shipment.fulfillment
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Sets what a carrier says of the parcels of a fulfilment. False when there are none.
pub async fn set_status(
    tx: &mut Tx<Executor>,
    reference: &str,
    fulfillment: &str,
    status: ShipmentStatus,
) -> Result<bool, sqlx::Error> {
    let Some(order) = find(tx, reference).await? else {
        return Ok(false);
    };
    let updated = sqlx::query!(
        "UPDATE shipments SET status = $4 WHERE tenant_id = $1 AND order_id = $2 AND fulfillment = $3",
        tx.tenant_id().as_uuid(),
        order.id.as_uuid(),
        fulfillment,
        status as ShipmentStatus as _
    )
    .execute(&mut **tx)
    .await?;
    refresh_status(tx, &order).await?;
    Ok(updated.rows_affected() > 0)
}

/// Where an order was sent whole, its status follows what the carriers say.
async fn refresh_status(tx: &mut Tx<Executor>, order: &Found) -> Result<(), sqlx::Error> {
    let follows = [
        OrderStatus::Shipped,
        OrderStatus::OutForDelivery,
        OrderStatus::Delivered,
    ]
    .contains(&order.status);
    let parcels = sqlx::query_scalar!(
        r#"SELECT status AS "status: ShipmentStatus" FROM shipments WHERE tenant_id = $1 AND order_id = $2"#,
        tx.tenant_id().as_uuid(),
        order.id.as_uuid()
    )
    .fetch_all(&mut **tx)
    .await?;
    // Without parcels no carrier says anything.
    let status = if follows && !parcels.is_empty() {
        ShipmentStatus::of_order(&parcels)
    } else {
        order.status
    };
    sqlx::query!(
        "UPDATE orders SET status = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id().as_uuid(),
        order.id.as_uuid(),
        status as OrderStatus as _
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The platform deleted an order: nothing of it is on its way any more. False when there is none.
pub async fn order_deleted(tx: &mut Tx<Executor>, reference: &str) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query!(
        "UPDATE orders SET status = 'cancelled', version = version + 1 WHERE tenant_id = $1 AND reference = $2",
        tx.tenant_id().as_uuid(),
        reference
    )
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() > 0)
}
