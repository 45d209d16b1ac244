//! Test support: a private Postgres, servers, shoppers and staff who are logged in, and fakes of the systems that the server calls.

pub mod app;
pub mod browser;
pub mod database;
pub mod dns;
pub mod fake_connector;
pub mod fake_openai;
pub mod fake_shopify;
pub mod fake_stripe;
pub mod fake_woocommerce;
pub mod fault_proxy;
mod mailbox;
pub mod process;
pub mod python;
pub mod recording_server;
pub mod shop;
pub mod shopper;
pub mod staff;
pub mod stripe_books;

pub use app::TestApp;
pub use fake_openai::{FakeOpenAi, Reply};
pub use mailbox::{Mailbox, Misbehaviour};
pub use shopper::TestShopper;
pub use staff::TestStaff;

/// The demo store of `countersign demo`, which every test tenant starts from.
pub const STORE: &str = include_str!("../../../src/cli/demo_store.jsonl");
pub const PASSWORD: &str = "demo-password";
