//! A fake shop at Shopify: its Admin GraphQL API over HTTP, with a world of its own and books of what was done to it.
//!
//! It executes real documents against the schema in `tests/fixtures/shopify.graphql`. Tests compare its books with the product's records; the
//! two share no code.

mod books;
mod bulk;
mod bulk_check;
mod connection;
mod derived;
mod execute;
mod generated;
pub mod money;
mod mutations;
mod refunds;
mod returns;
mod schema;
mod search;
mod server;
mod webhooks;
mod world;

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

pub use books::{Books, RefundOutcome};
pub use bulk::BulkEnding;
pub use webhooks::Webhook;
pub use world::World;

#[derive(Clone)]
pub struct FakeShopify {
    /// The address of the server, without a path.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    token: Mutex<String>,
    /// What the shop signs its webhooks with.
    secret: Mutex<String>,
    world: Mutex<RefCell<World>>,
    bucket: Mutex<Bucket>,
    /// Faults of the next calls; one with a name waits for a call whose document contains it.
    faults: Mutex<Vec<(Option<String>, ShopFault)>>,
}

#[derive(Clone, Debug)]
pub enum ShopFault {
    /// Does nothing and answers with this status and body.
    Answers(u16, &'static str),
    /// Does what it is asked and answers 500.
    DoesItAndFails,
    /// Does what it is asked and answers after this delay.
    DoesItAndIsSilent(Duration),
    /// Does what it is asked and cuts the connection in the middle of the answer.
    DoesItAndBreaksOff,
    /// Does what it is asked and answers something that is no JSON.
    Garbage,
    /// Does nothing: too many calls.
    Throttled,
    /// Does nothing: an error of the shop's, with status 200.
    InternalError,
}

/// The leaky bucket of query costs.
struct Bucket {
    size: f64,
    restored_a_second: f64,
    available: f64,
    at: Instant,
}

impl Bucket {
    fn new(size: f64, restored_a_second: f64) -> Self {
        Self {
            size,
            restored_a_second,
            available: size,
            at: Instant::now(),
        }
    }

    fn takes(&mut self, cost: u64) -> bool {
        let now = Instant::now();
        let restored = (now - self.at).as_secs_f64() * self.restored_a_second;
        (self.available, self.at) = ((self.available + restored).min(self.size), now);
        let takes = self.available >= cost as f64;
        if takes {
            self.available -= cost as f64;
        }
        takes
    }

    fn gives_back(&mut self, cost: u64) {
        self.available = (self.available + cost as f64).min(self.size);
    }

    fn status(&self) -> Value {
        json!({ "maximumAvailable": self.size, "currentlyAvailable": self.available.floor() as u64, "restoreRate": self.restored_a_second })
    }
}

impl Shared {
    fn fault(&self, query: &str) -> Option<ShopFault> {
        let mut faults = self.faults.lock().expect("no panic");
        let place = faults
            .iter()
            .position(|(name, _)| name.as_ref().is_none_or(|name| query.contains(name.as_str())))?;
        Some(faults.remove(place).1)
    }
}

impl FakeShopify {
    /// The access token that calls need at first.
    pub const TOKEN: &str = "shpat_of_the_tests";
    /// The secret of the app, which webhooks are signed with at first.
    pub const SECRET: &str = "shpss_of_the_tests";

    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut world = World::new();
        world.bulk.address.clone_from(&url);
        let shared = Arc::new(Shared {
            token: Mutex::new(Self::TOKEN.into()),
            secret: Mutex::new(Self::SECRET.into()),
            world: Mutex::new(RefCell::new(world)),
            bucket: Mutex::new(Bucket::new(2000., 100.)),
            faults: Mutex::default(),
        });
        let router = Router::new()
            .route("/admin/api/{version}/graphql.json", post(server::graphql))
            .route("/bulk/{name}", get(server::file))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// The address of the GraphQL endpoint.
    pub fn endpoint(&self) -> String {
        format!("{}/admin/api/2025-10/graphql.json", self.url)
    }

    /// Reads or changes the shop.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(self.shared.world.lock().expect("no panic").get_mut())
    }

    /// Reads or changes what is on record of the calls.
    pub fn books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        self.world(|world| look(&mut world.books))
    }

    /// Faults of the next calls, in this order.
    pub fn inject(&self, faults: impl IntoIterator<Item = ShopFault>) {
        let faults = faults.into_iter().map(|fault| (None, fault));
        self.shared.faults.lock().expect("no panic").extend(faults);
    }

    /// A fault of the next call whose document contains this text, such as `refundCreate`.
    pub fn inject_on(&self, text: &str, fault: ShopFault) {
        self.shared
            .faults
            .lock()
            .expect("no panic")
            .push((Some(text.into()), fault));
    }

    /// How many points of cost the shop lets its apps use, and how many it restores in a second. The bucket is full.
    pub fn limit(&self, size: u32, restored_a_second: u32) {
        *self.shared.bucket.lock().expect("no panic") = Bucket::new(size.into(), restored_a_second.into());
    }

    /// The shop gives the app another access token; the old one is worth nothing.
    pub fn set_token(&self, token: &str) {
        *self.shared.token.lock().expect("no panic") = token.into();
    }

    /// The shop signs its webhooks with another secret.
    pub fn set_secret(&self, secret: &str) {
        *self.shared.secret.lock().expect("no panic") = secret.into();
    }

    /// The webhook that the shop sends about an object, such as `orders/updated` about an order. It is up to the test to deliver it.
    pub fn webhook(&self, topic: &str, gid: &str) -> Webhook {
        let secret = self.shared.secret.lock().expect("no panic").clone();
        self.world(|world| webhooks::webhook(world, topic, gid, &secret))
    }
}
