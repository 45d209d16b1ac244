//! Other systems: what they tell us and what they are told; data that comes in as files.

mod deliveries;
mod import;
mod incoming_webhooks;
mod integration_target;
mod replay;
