//! The vendors whose webhooks are taken: a line for each.

use super::{
    event_source::{EventSource, Source},
    mail_relay::MailRelay,
    shopify::Shopify,
    store_api::StoreApi,
    stripe::Stripe,
};

/// Who sends the events of a source.
pub(super) fn of(source: Source) -> &'static dyn EventSource {
    match source {
        Source::Shopify => &Shopify,
        Source::Stripe => &Stripe,
        Source::Store => &StoreApi,
        Source::Mail => &MailRelay,
    }
}
