//! Other systems: incoming webhooks, deliveries, imports and replays.

mod connector;
mod deliveries;
mod fakes;
mod import;
mod import_csv;
mod incoming_webhooks;
mod integration_target;
mod replay;
mod shop_connect;
mod shopify_events;
mod shopify_money;
mod shopify_people;
mod woocommerce_connect;
mod woocommerce_events;
