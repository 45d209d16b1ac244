//! Shopify's exports: <https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders>,
//! <https://help.shopify.com/en/manual/customers/import-export-customers>, <https://help.shopify.com/en/manual/products/import-export>.

pub(super) mod customers;
pub(super) mod orders;
pub(super) mod products;
