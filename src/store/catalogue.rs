//! The catalogue: products and their variants, which every shopper of the tenant may see.

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::{Options, orders::currency};
use crate::{
    money::{Currency, Money},
    tenancy::{Executor, Role, Tx},
};

/// A product with all of its variants.
#[derive(Clone, Serialize)]
pub struct Product {
    pub product_id: String,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub variants: Vec<Variant>,
}

/// A variant: one form of a product that can be bought.
#[derive(Clone, Serialize)]
pub struct Variant {
    pub item_id: String,
    pub options: Options,
    pub price: Money,
    /// Whether it can be ordered now.
    pub available: bool,
}

/// A product found by a search.
#[derive(Clone, Serialize)]
pub struct ProductSummary {
    pub product_id: String,
    pub name: String,
    /// The price of the cheapest variant that can be ordered now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_from: Option<Money>,
    pub variants_available: i64,
}

/// A variant with the name of its product.
#[derive(Clone, Serialize)]
pub struct StockLevel {
    pub item_id: String,
    pub product_id: String,
    pub name: String,
    pub options: Options,
    pub price: Money,
    pub available: bool,
}

#[derive(Debug, Deserialize)]
struct VariantRow {
    item_id: String,
    options: Options,
    price_minor: i64,
    available: bool,
}

impl VariantRow {
    fn priced_in(self, currency: Currency) -> Variant {
        let price = Money::new(self.price_minor, currency);
        Variant {
            item_id: self.item_id,
            options: self.options,
            price,
            available: self.available,
        }
    }
}

/// The product with this id, its variants in order of price.
pub async fn product<R: Role>(tx: &mut Tx<R>, product_id: &str) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT p.external_id, p.name, p.description, t.currency,
            (SELECT coalesce(json_agg(json_build_object('item_id', v.item_id, 'options', v.options, 'price_minor', v.price_minor,
                    'available', v.available) ORDER BY v.price_minor, v.item_id), '[]')
             FROM variants v WHERE (v.tenant_id, v.product_id) = (p.tenant_id, p.id)) AS "variants!: Json<Vec<VariantRow>>"
        FROM products p JOIN tenants t USING (tenant_id) WHERE p.external_id = $1"#,
        product_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let currency = currency(&row.currency)?;
    Ok(Some(Product {
        product_id: row.external_id,
        name: row.name,
        description: row.description,
        variants: row
            .variants
            .0
            .into_iter()
            .map(|variant| variant.priced_in(currency))
            .collect(),
    }))
}

/// Products whose name or description contains every word of `query`, at most `limit`, by name.
pub async fn search<R: Role>(tx: &mut Tx<R>, query: &str, limit: u32) -> Result<Vec<ProductSummary>, sqlx::Error> {
    let patterns: Vec<String> = query.split_whitespace().map(crate::text::contains).collect();
    sqlx::query!(
        r#"SELECT p.external_id, p.name, t.currency, v.price_from, coalesce(v.available, 0) AS "available!"
        FROM products p JOIN tenants t USING (tenant_id) LEFT JOIN LATERAL (
            SELECT min(price_minor) AS price_from, count(*) AS available
            FROM variants v WHERE (v.tenant_id, v.product_id) = (p.tenant_id, p.id) AND v.available) v ON true
        WHERE p.name || ' ' || p.description ILIKE ALL($1) ORDER BY p.name, p.external_id LIMIT $2"#,
        &patterns,
        i64::from(limit)
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .map(|row| {
        let currency = currency(&row.currency)?;
        let price_from = row.price_from.map(|minor| Money::new(minor, currency));
        Ok(ProductSummary {
            product_id: row.external_id,
            name: row.name,
            price_from,
            variants_available: row.available,
        })
    })
    .collect()
}

/// Whether the variant with this id can be ordered, and at what price.
pub async fn stock<R: Role>(tx: &mut Tx<R>, item_id: &str) -> Result<Option<StockLevel>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT v.item_id, p.external_id, p.name, v.options AS "options: Json<Options>", v.price_minor, v.available, t.currency
        FROM variants v JOIN products p ON (p.tenant_id, p.id) = (v.tenant_id, v.product_id) JOIN tenants t ON t.tenant_id = v.tenant_id
        WHERE v.item_id = $1"#,
        item_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        let price = Money::new(row.price_minor, currency(&row.currency)?);
        let options = row.options.0;
        Ok(StockLevel {
            item_id: row.item_id,
            product_id: row.external_id,
            name: row.name,
            options,
            price,
            available: row.available,
        })
    })
    .transpose()
}

/// Sets whether a variant can be ordered. False when there is no such variant.
pub async fn set_available(tx: &mut Tx<Executor>, item_id: &str, available: bool) -> Result<bool, sqlx::Error> {
    let set = sqlx::query!(
        "UPDATE variants SET available = $2 WHERE item_id = $1",
        item_id,
        available
    )
    .execute(&mut **tx)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// Takes a product off the store: none of its variants can be ordered any more. False when there is no such product.
pub async fn withdraw(tx: &mut Tx<Executor>, product: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"WITH withdrawn AS (UPDATE variants v SET available = false FROM products p
            WHERE p.tenant_id = $1 AND p.external_id = $2 AND (v.tenant_id, v.product_id) = (p.tenant_id, p.id))
        SELECT EXISTS (SELECT FROM products WHERE tenant_id = $1 AND external_id = $2) AS "found!""#,
        tx.tenant_id().as_uuid(),
        product
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(found)
}
