//! WooCommerce's exports: products with what is built in, customers with a report of Analytics, orders and customers with the plug-in
//! <https://woocommerce.com/document/import-and-export-of-woocommerce-orders/> and those that write the same columns.

pub(super) mod customers;
pub(super) mod orders;
pub(super) mod products;
