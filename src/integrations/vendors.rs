//! The vendors whose webhooks are accepted, one line each.

use super::{
    event_source::{EventSource, Source},
    mail_relay::MAIL_RELAY,
    shopify::Shopify,
    store_api::STORE_API,
    stripe::Stripe,
    woocommerce::Woocommerce,
};

/// The implementation for a source.
pub(super) fn of(source: Source) -> &'static dyn EventSource {
    match source {
        Source::Shopify => &Shopify,
        Source::Woocommerce => &Woocommerce,
        Source::Stripe => &Stripe,
        Source::Store => &STORE_API,
        Source::Mail => &MAIL_RELAY,
    }
}
