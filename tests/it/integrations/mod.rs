//! Other systems: incoming webhooks, deliveries, imports and replays.

mod connector;
mod deliveries;
mod fakes;
mod import;
mod incoming_webhooks;
mod integration_target;
mod replay;
mod shop_connect;
mod shopify_events;
mod shopify_money;
mod shopify_people;
mod woocommerce_events;
