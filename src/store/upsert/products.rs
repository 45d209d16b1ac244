//! Stores products with their variants.

use sqlx::types::Json;
use uuid::Uuid;

use super::{UpsertError, minor, valid};
use crate::{
    ids::ProductId,
    store::records::{ProductRecord, VariantRecord},
    tenancy::{Executor, Tenant, Tx},
};

pub(super) async fn store(tx: &mut Tx<Executor>, store: &Tenant, product: &ProductRecord) -> Result<(), UpsertError> {
    let id = sqlx::query_scalar!(
        r#"INSERT INTO products (tenant_id, id, external_id, name, description, picture) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET name = excluded.name, description = excluded.description, picture = excluded.picture
        RETURNING id AS "id: ProductId""#,
        store.id.as_uuid(),
        Uuid::now_v7(),
        product.id,
        product.name,
        product.description,
        product.picture
    )
    .fetch_one(&mut **tx)
    .await?;
    for variant in &product.variants {
        put_variant(tx, store, id, variant).await?;
    }
    // A variant that the store no longer sends is no longer sold, but is kept because orders name it.
    let told = product.variants.iter().map(|variant| &variant.id);
    let sold: Vec<String> = told.chain(&product.variants_apart).cloned().collect();
    sqlx::query!(
        "UPDATE variants SET available = false WHERE tenant_id = $3 AND product_id = $1 AND available AND item_id <> ALL($2)",
        id.as_uuid(),
        &sold,
        store.id.as_uuid()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Stores one variant of a product that is known, and leaves its others as they are. False when there is no such product.
pub async fn variant(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    product: &str,
    variant: &VariantRecord,
) -> Result<bool, UpsertError> {
    let product = sqlx::query_scalar!(
        r#"SELECT id AS "id: ProductId" FROM products WHERE tenant_id = $1 AND external_id = $2"#,
        store.id.as_uuid(),
        product
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(product) = product else { return Ok(false) };
    put_variant(tx, store, product, valid(variant)?).await?;
    Ok(true)
}

async fn put_variant(
    tx: &mut Tx<Executor>,
    store: &Tenant,
    product: ProductId,
    variant: &VariantRecord,
) -> Result<(), UpsertError> {
    sqlx::query!(
        "INSERT INTO variants (tenant_id, id, product_id, item_id, options, price_minor, available) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, item_id) DO UPDATE SET product_id = excluded.product_id, options = excluded.options,
            price_minor = excluded.price_minor, available = excluded.available",
        store.id.as_uuid(),
        Uuid::now_v7(),
        product.as_uuid(),
        variant.id,
        Json(&variant.options) as _,
        minor("variants.price", &variant.price, store.currency)?,
        variant.available
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
