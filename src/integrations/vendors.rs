//! The vendors whose webhooks are accepted, one line each.

use super::{
    connector::Connector,
    credentials::Kind,
    event_source::{EventSource, Source},
    mail_relay::MAIL_RELAY,
    platform::Platform,
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

/// The platform that credentials are for; none where they are for something else.
pub(super) fn platform(kind: Kind) -> Option<&'static dyn Platform> {
    match kind {
        Kind::Shopify => Some(&Shopify),
        Kind::Woocommerce => Some(&Woocommerce),
        Kind::Connector => Some(&Connector),
        _ => None,
    }
}
