//! A fake of Stripe's payments API, Shopify's Admin GraphQL and a receiver of webhooks. It records every call and can be told to fail.
//! As with the real Stripe, the same Idempotency-Key is the same refund.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::stripe_books::{Books, Form};

#[derive(Clone)]
pub struct FakeStripe {
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    books: Mutex<Books>,
    /// Every call, whether it succeeded or not.
    calls: Mutex<Vec<Call>>,
    faults: Mutex<VecDeque<StripeFault>>,
    /// Orders that were cancelled at the shop, and how often each was.
    cancelled: Mutex<HashMap<String, usize>>,
    /// Refunds at the shop: their notes and amounts.
    shop_refunds: Mutex<Vec<(String, String)>>,
    /// How many refunds of other people's the shop shows before those.
    other_shop_refunds: Mutex<usize>,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub headers: HashMap<String, String>,
    pub body: String,
}

#[derive(Clone, Debug)]
pub enum StripeFault {
    /// Does nothing and answers with this status and body.
    Answers(u16, &'static str),
    /// Does what it is asked and answers 500.
    DoesItAndFails,
    /// Does what it is asked and answers after this delay.
    DoesItAndIsSilent(Duration),
    /// Redirects the caller to this address. For Shopify's GraphQL it is the code of an error instead.
    Redirects(String),
}

impl FakeStripe {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v1/refunds", post(refund).get(refunds))
            .route("/v1/payment_intents", post(charge).get(list))
            .route("/v1/payment_intents/search", get(search))
            .route("/v1/payment_intents/{id}", get(intent))
            .route("/v1/payment_intents/{id}/cancel", post(cancel))
            .route("/v1/checkout/sessions", post(page))
            .route("/hook", post(hook))
            .route("/graphql", post(graphql))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub fn inject(&self, faults: impl IntoIterator<Item = StripeFault>) {
        self.shared.faults.lock().expect("no panic").extend(faults);
    }

    /// The refunds that were made.
    pub fn refunds(&self) -> Vec<Value> {
        self.books(|books| books.all_refunds())
    }

    /// Reads or changes the provider's state.
    pub fn books<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.shared.books.lock().expect("no panic"))
    }

    /// How often each order was cancelled at the shop.
    pub fn cancelled(&self) -> HashMap<String, usize> {
        self.shared.cancelled.lock().expect("no panic").clone()
    }

    /// The notes and amounts of refunds at the shop.
    pub fn shop_refunds(&self) -> Vec<(String, String)> {
        self.shared.shop_refunds.lock().expect("no panic").clone()
    }

    /// Other people have refunded the shop's orders so often.
    pub fn refund_elsewhere_at_shop(&self, count: usize) {
        *self.shared.other_shop_refunds.lock().expect("no panic") = count;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().expect("no panic").clone()
    }
}

fn note(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Option<StripeFault> {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let body = String::from_utf8_lossy(body).into_owned();
    shared.calls.lock().expect("no panic").push(Call { headers, body });
    shared.faults.lock().expect("no panic").pop_front()
}

fn form(body: &Bytes) -> Form {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn plain((status, body): (u16, Value)) -> Response {
    (StatusCode::from_u16(status).expect("a status"), axum::Json(body)).into_response()
}

/// Answers a call with an idempotency key, with the fault that the test has queued.
async fn keyed(
    shared: &Shared,
    headers: &HeaderMap,
    body: &Bytes,
    make: impl FnOnce(&mut Books, &str, &Form) -> (u16, Value),
) -> Response {
    let fault = note(shared, headers, body);
    if let Some(StripeFault::Answers(status, body)) = fault {
        return (
            StatusCode::from_u16(status).expect("a status"),
            [("retry-after", "1")],
            body,
        )
            .into_response();
    }
    let key = headers["idempotency-key"].to_str().expect("a key").to_owned();
    let made = make(&mut shared.books.lock().expect("no panic"), &key, &form(body));
    match fault {
        Some(StripeFault::DoesItAndFails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(StripeFault::DoesItAndIsSilent(time)) => {
            tokio::time::sleep(time).await;
            plain(made)
        }
        _ => plain(made),
    }
}

async fn refund(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    keyed(&shared, &headers, &body, super::stripe_books::Books::refund).await
}

async fn charge(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    keyed(&shared, &headers, &body, super::stripe_books::Books::charge).await
}

async fn page(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    keyed(&shared, &headers, &body, super::stripe_books::Books::page).await
}

async fn cancel(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    keyed(&shared, &headers, &body, |books, key, _| books.cancel(key, &id)).await
}

async fn intent(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    plain(shared.books.lock().expect("no panic").find(&id))
}

async fn search(State(shared): State<Arc<Shared>>, Query(query): Query<Form>) -> Response {
    plain(shared.books.lock().expect("no panic").search(&query["query"]))
}

async fn list(State(shared): State<Arc<Shared>>, Query(query): Query<Form>) -> Response {
    plain(shared.books.lock().expect("no panic").list(&query))
}

async fn refunds(State(shared): State<Arc<Shared>>, Query(query): Query<Form>) -> Response {
    let payment = query.get("payment_intent").or(query.get("charge")).expect("a payment");
    plain(shared.books.lock().expect("no panic").refunds_of(payment))
}

async fn hook(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match note(&shared, &headers, &body) {
        Some(StripeFault::Answers(status, body)) => {
            (StatusCode::from_u16(status).expect("a status"), body).into_response()
        }
        Some(StripeFault::Redirects(to)) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The part of Shopify's Admin GraphQL that the server uses. As with the real one, errors come with status 200.
async fn graphql(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = note(&shared, &headers, &body);
    match fault {
        Some(StripeFault::Answers(status, body)) => {
            return (StatusCode::from_u16(status).expect("a status"), body).into_response();
        }
        Some(StripeFault::Redirects(code)) => {
            return axum::Json(json!({ "errors": [{ "extensions": { "code": code } }] })).into_response();
        }
        _ => {}
    }
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let (query, variables) = (request["query"].as_str().expect("a query"), &request["variables"]);
    let id = variables["id"].as_str().unwrap_or_default();
    let mut cancelled = shared.cancelled.lock().expect("no panic");
    let mut refunds = shared.shop_refunds.lock().expect("no panic");
    let data = if query.contains("cancelledAt") {
        json!({ "order": { "cancelledAt": cancelled.get(id).map(|_| "2026-11-25T00:00:00Z") } })
    } else if query.contains("transactions(first") {
        let others = *shared.other_shop_refunds.lock().expect("no panic");
        let first = query
            .split("refunds(first: ")
            .nth(1)
            .and_then(|rest| rest.split(')').next()?.parse().ok());
        let all = std::iter::repeat_n("", others).chain(refunds.iter().map(|(note, _)| note.as_str()));
        // The list is cut after `first`, and has no pages.
        let shown = all.take(first.unwrap_or(usize::MAX));
        let notes: Vec<Value> = shown.map(|note| json!({ "note": note })).collect();
        let paid = json!({ "id": "gid://shopify/OrderTransaction/1", "kind": "SALE", "status": "SUCCESS", "gateway": "bogus" });
        json!({ "order": { "transactions": [paid], "refunds": notes } })
    } else {
        if query.contains("orderCancel") {
            *cancelled.entry(id.to_owned()).or_default() += 1;
        }
        if query.contains("refundCreate") {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let input = &variables["input"];
            assert_eq!(input["transactions"][0]["parentId"], "gid://shopify/OrderTransaction/1");
            refunds.push((text(&input["note"]), text(&input["transactions"][0]["amount"])));
        }
        json!({ "result": { "userErrors": [] } })
    };
    match fault {
        Some(StripeFault::DoesItAndFails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => axum::Json(json!({ "data": data })).into_response(),
    }
}
