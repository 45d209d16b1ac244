//! Other systems: incoming webhooks, deliveries, imports and replays.

mod deliveries;
mod import;
mod import_csv;
mod incoming_webhooks;
mod integration_target;
mod replay;
mod shopify_events;
