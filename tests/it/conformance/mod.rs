//! One suite that every platform passes: what a shop has is what its shopper reads, whatever happened on the way, and what was approved here is
//! done there, once. Each platform is a fake that speaks the real wire and keeps books of its own (`Shop`).

mod cases;
mod connector;
mod shop;
mod shopify;
mod woocommerce;

/// Runs every group of cases on a platform.
macro_rules! conforms {
    ($platform:ident, $shop:ty) => {
        mod $platform {
            use super::cases;

            #[tokio::test]
            async fn orders_are_told_as_the_shop_has_them() {
                cases::orders_are_told_as_the_shop_has_them::<$shop>().await;
            }

            #[tokio::test]
            async fn events_may_be_late_doubled_lost_or_forged() {
                cases::events_may_be_late_doubled_lost_or_forged::<$shop>().await;
            }

            #[tokio::test]
            async fn a_fetch_goes_on_after_every_fault() {
                cases::a_fetch_goes_on_after_every_fault::<$shop>().await;
            }

            #[tokio::test]
            async fn people_and_products_follow_the_shop() {
                cases::people_and_products_follow_the_shop::<$shop>().await;
            }

            #[tokio::test]
            async fn changes_are_made_at_the_shop_once_whatever_breaks() {
                cases::changes_are_made_at_the_shop_once_whatever_breaks::<$shop>().await;
            }

            #[tokio::test]
            async fn what_the_shop_refuses_is_left_to_staff() {
                cases::what_the_shop_refuses_is_left_to_staff::<$shop>().await;
            }

            #[tokio::test]
            async fn a_missing_order_is_looked_up_for_its_owner() {
                cases::a_missing_order_is_looked_up_for_its_owner::<$shop>().await;
            }
        }
    };
}

conforms!(on_shopify, crate::conformance::shopify::Shopify);
conforms!(on_woocommerce, crate::conformance::woocommerce::WooCommerce);
conforms!(on_a_connector, crate::conformance::connector::Connector);
