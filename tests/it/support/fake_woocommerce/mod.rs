//! A fake WooCommerce store: its REST API v3 over HTTP, with a world of its own and books of what was done to it. The real API takes keys in
//! plain text over HTTPS only; this one takes them over HTTP.

mod api;
mod books;
mod world;
mod writes;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use countersign::keyring::hmac_sha256;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use books::{Books, StoreCall, StoreNote, StoreRefund};
pub use world::{Kind, World};

#[derive(Clone)]
pub struct FakeWooCommerce {
    /// The address of the store, without a path.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    keys: Mutex<(String, String)>,
    permissions: Mutex<&'static str>,
    world: Mutex<World>,
    /// Faults of the next calls; one with a text waits for a call whose method and path contain it, such as `POST orders`.
    faults: Mutex<Vec<(Option<String>, StoreFault)>>,
}

#[derive(Clone, Debug)]
pub enum StoreFault {
    /// Does nothing and answers with this status and body.
    Answers(u16, &'static str),
    /// Does what it is asked and answers 500.
    DoesItAndFails,
    /// Does what it is asked and answers after this delay.
    DoesItAndIsSilent(Duration),
    /// Does what it is asked and cuts the connection in the middle of the answer.
    DoesItAndBreaksOff,
    /// Does what it is asked and answers a page of a PHP error.
    Garbage,
}

/// A webhook that is ready to be delivered.
#[derive(Clone, Debug)]
pub struct StoreWebhook {
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

impl FakeWooCommerce {
    /// The consumer key and secret that calls need at first.
    pub const KEYS: (&str, &str) = ("ck_of_the_tests", "cs_of_the_tests");

    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (key, secret) = Self::KEYS;
        let shared = Arc::new(Shared {
            keys: Mutex::new((key.into(), secret.into())),
            permissions: Mutex::new("read_write"),
            world: Mutex::new(World::new()),
            faults: Mutex::default(),
        });
        let router = Router::new()
            .route("/wp-json/", get(index))
            .route("/wp-json/wc/v3/{*path}", any(call))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Reads or changes the store.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.shared.world.lock().expect("no panic"))
    }

    pub fn books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        self.world(|world| look(&mut world.books))
    }

    /// Faults of the next calls, in this order.
    pub fn inject(&self, faults: impl IntoIterator<Item = StoreFault>) {
        let faults = faults.into_iter().map(|fault| (None, fault));
        self.shared.faults.lock().expect("no panic").extend(faults);
    }

    /// A fault of the next call whose method and path contain this text, such as `POST orders`.
    pub fn inject_on(&self, text: &str, fault: StoreFault) {
        self.shared
            .faults
            .lock()
            .expect("no panic")
            .push((Some(text.into()), fault));
    }

    /// The store revokes its keys and makes others.
    pub fn set_keys(&self, key: &str, secret: &str) {
        *self.shared.keys.lock().expect("no panic") = (key.into(), secret.into());
    }

    /// What the store's keys are good for: `read`, `write` or `read_write`, as at first.
    pub fn set_permissions(&self, permissions: &'static str) {
        *self.shared.permissions.lock().expect("no panic") = permissions;
    }

    /// The webhook of a topic, such as `order.updated`, about an object. It is up to the test to deliver it.
    pub fn webhook(&self, topic: &str, kind: Kind, id: u64, secret: &str) -> StoreWebhook {
        let (resource, event) = topic.split_once('.').expect("a topic");
        let (body, delivery) = self.world(|world| {
            let body = match event {
                "deleted" => json!({ "id": id }),
                _ => world.answered(world.get(kind, id).expect("an object")),
            };
            (body.to_string(), world.new_id())
        });
        let headers = vec![
            ("x-wc-webhook-source", "https://store.example/".to_owned()),
            ("x-wc-webhook-topic", topic.to_owned()),
            ("x-wc-webhook-resource", resource.to_owned()),
            ("x-wc-webhook-event", event.to_owned()),
            (
                "x-wc-webhook-signature",
                BASE64_STANDARD.encode(hmac_sha256(secret.as_bytes(), body.as_bytes())),
            ),
            ("x-wc-webhook-id", "1".to_owned()),
            ("x-wc-webhook-delivery-id", format!("{delivery:032x}")),
        ];
        StoreWebhook { body, headers }
    }
}

impl StoreWebhook {
    /// The request that delivers it.
    pub fn request(&self, client: &reqwest::Client, url: &str) -> reqwest::RequestBuilder {
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .body(self.body.clone());
        self.headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value))
    }
}

/// The index of the site, which has its timezone.
async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let offset = shared.world.lock().expect("no panic").offset;
    let body = json!({ "name": "Countersign Test Store", "url": "https://store.example", "gmt_offset": offset.num_minutes() as f64 / 60.0, "timezone_string": "" });
    axum::Json(body).into_response()
}

impl Shared {
    fn fault(&self, call: &str) -> Option<StoreFault> {
        let mut faults = self.faults.lock().expect("no panic");
        let place = faults
            .iter()
            .position(|(text, _)| text.as_ref().is_none_or(|text| call.contains(text.as_str())))?;
        Some(faults.remove(place).1)
    }

    /// Whether a call has the keys, in its header or its query.
    fn knows(&self, headers: &HeaderMap, params: &api::Params) -> bool {
        let (key, secret) = self.keys.lock().expect("no panic").clone();
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:{secret}")));
        let in_query = params.get("consumer_key") == Some(&key) && params.get("consumer_secret") == Some(&secret);
        in_query
            || headers
                .get(header::AUTHORIZATION)
                .is_some_and(|given| given.as_bytes() == expected.as_bytes())
    }
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    Query(params): Query<api::Params>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = shared.fault(&format!("{method} {path}"));
    if let Some(StoreFault::Answers(status, body)) = fault {
        return (
            StatusCode::from_u16(status).expect("a status"),
            [("retry-after", "1")],
            body,
        )
            .into_response();
    }
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = {
        let mut world = shared.world.lock().expect("no panic");
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let permissions = *shared.permissions.lock().expect("no panic");
        let needed = if method == Method::GET { "read" } else { "write" };
        let answer = match shared.knows(&headers, &params) {
            true if permissions.contains(needed) => api::answer(&mut world, method.as_str(), &parts, &params, &json),
            true => {
                let message = format!("The API key provided does not have {needed} permissions.");
                api::error(401, "woocommerce_rest_authentication_error", &message)
            }
            false => api::error(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
        };
        let query = uri.query().unwrap_or_default().to_owned();
        world.books.calls.push(StoreCall {
            method: method.to_string(),
            path: path.clone(),
            query,
            body: json,
            status: answer.status,
        });
        answer
    };
    match fault {
        Some(StoreFault::DoesItAndFails) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(StoreFault::Garbage) => {
            return "<br />\n<b>Fatal error</b>: Uncaught Error in wp-content/plugins".into_response();
        }
        Some(StoreFault::DoesItAndIsSilent(time)) => tokio::time::sleep(time).await,
        Some(StoreFault::DoesItAndBreaksOff) => {
            let text = answer.body.to_string();
            let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
            return Body::from_stream(stream::iter([Ok(half), Err(std::io::Error::other("cut by the test"))]))
                .into_response();
        }
        _ => {}
    }
    let mut response = (
        StatusCode::from_u16(answer.status).expect("a status"),
        axum::Json(answer.body),
    )
        .into_response();
    if let Some((all, pages)) = answer.pages {
        let number: usize = params.get("page").map_or(1, |page| page.parse().expect("checked"));
        let link = |page: usize, relation: &str| {
            format!("<https://store.example/wp-json/wc/v3/{path}?page={page}>; rel=\"{relation}\"")
        };
        let mut links = Vec::new();
        if number > 1 {
            links.push(link(number - 1, "prev"));
        }
        if number < pages {
            links.push(link(number + 1, "next"));
        }
        let answered = response.headers_mut();
        let value = |text: String| HeaderValue::try_from(text).expect("a header");
        answered.insert("x-wp-total", value(all.to_string()));
        answered.insert("x-wp-totalpages", value(pages.to_string()));
        if !links.is_empty() {
            answered.insert(header::LINK, value(links.join(", ")));
        }
    }
    response
}
