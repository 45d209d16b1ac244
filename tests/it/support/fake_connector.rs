//! A fake of a store's own shop system that implements the connector's calls (docs/connector.md), with a world of its own and books of what
//! was done to it. It checks our signature with code of its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::hmac;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

#[derive(Clone)]
pub struct FakeConnector {
    /// The address below which its calls are.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    secret: Mutex<String>,
    world: Mutex<World>,
    /// Faults of the next calls, each with the call or the operation that it waits for.
    faults: Mutex<Vec<(String, ConnectorFault)>>,
}

#[derive(Clone, Copy, Debug)]
pub enum ConnectorFault {
    /// Does nothing and answers with this status, and `Retry-After: 1`.
    Answers(u16),
    /// Does what it is asked and answers 500.
    DoesItAndFails,
    /// Does what it is asked and cuts the connection in the middle of the answer.
    DoesItAndBreaksOff,
    /// Does what it is asked and answers something that is no JSON.
    Garbage,
}

/// A record with the time of its last change.
#[derive(Clone)]
struct Kept {
    body: Value,
    changed_at: DateTime<Utc>,
}

/// A call whose signature was right, with its answer.
#[derive(Clone)]
pub struct Call {
    pub name: String,
    pub request: Value,
    pub answer: Value,
}

/// What the system has, and what it was told and asked.
#[derive(Default)]
pub struct World {
    records: HashMap<&'static str, BTreeMap<String, Kept>>,
    version: i64,
    /// The most records of a page, below what is asked for.
    pub page: Option<usize>,
    /// Operations that it refuses, with the code.
    pub refuses: HashMap<String, String>,
    /// Where its events go, and their secret.
    pub events: Option<(String, String)>,
    /// The changes that were made, as they were asked for.
    pub changes: Vec<Value>,
    /// The answer for each key.
    answers: HashMap<String, Value>,
    pub calls: Vec<Call>,
    pub wrong_signatures: usize,
}

impl World {
    /// Adds a record, or changes it: it gets a new version.
    pub fn put(&mut self, entity: &'static str, id: &str, mut body: Value) {
        self.version += 1;
        body["version"] = self.version.into();
        let changed_at = Utc::now();
        let of = self.records.entry(entity).or_default();
        of.insert(id.to_owned(), Kept { body, changed_at });
    }

    pub fn get(&self, entity: &'static str, id: &str) -> Option<Value> {
        let of = self.records.get(entity)?;
        of.get(id).map(|kept| kept.body.clone())
    }

    /// Changes fields of an order.
    pub fn edit(&mut self, order: &str, fields: &Value) {
        let mut body = self.get("orders", order).expect("an order");
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.put("orders", order, body);
    }

    pub fn orders(&self) -> Vec<Value> {
        let orders = self.records.get("orders").into_iter().flat_map(BTreeMap::values);
        orders.map(|kept| kept.body.clone()).collect()
    }

    pub fn count_of(&self, call: &str) -> usize {
        self.calls.iter().filter(|made| made.name == call).count()
    }

    /// The changes of one operation.
    pub fn made(&self, operation: &str) -> Vec<Value> {
        let made = self.changes.iter().filter(|change| change["operation"] == operation);
        made.cloned().collect()
    }

    fn answer(&mut self, name: &str, request: &Value) -> Result<Value, (StatusCode, &'static str)> {
        match name {
            "shop" => Ok(json!({ "name": "Harbour ERP", "currency": "USD" })),
            "events" => {
                let text = |name: &str| request[name].as_str().expect("text").to_owned();
                self.events = Some((text("url"), text("secret")));
                Ok(json!({}))
            }
            "records" => self.page_of(request),
            "order" => {
                let bare = |number: &Value| number.as_str().unwrap_or_default().trim_start_matches('#').to_owned();
                let wanted = bare(&request["number"]);
                let found = self.orders().into_iter().find(|order| bare(&order["number"]) == wanted);
                Ok(json!({ "order": found }))
            }
            "changes" => Ok(self.change(request)),
            _ => Err((StatusCode::NOT_FOUND, "unknown_call")),
        }
    }

    fn page_of(&self, request: &Value) -> Result<Value, (StatusCode, &'static str)> {
        let since: Option<DateTime<Utc>> = serde_json::from_value(request["since"].clone()).expect("a time or null");
        let after = request["cursor"].as_str().unwrap_or_default();
        if after == "gone" {
            return Err((StatusCode::BAD_REQUEST, "unknown_cursor"));
        }
        let limit = request["limit"].as_u64().expect("a limit") as usize;
        let limit = self.page.map_or(limit, |page| page.min(limit));
        let entity = request["entity"].as_str().expect("an entity");
        let of = self.records.get(entity);
        let changed: Vec<(&String, &Kept)> = of
            .into_iter()
            .flatten()
            .filter(|(_, kept)| since.is_none_or(|since| kept.changed_at >= since))
            .collect();
        let total = changed.len();
        let mut rest = changed.into_iter().filter(|(id, _)| id.as_str() > after);
        let page: Vec<(&String, &Kept)> = rest.by_ref().take(limit).collect();
        let next = rest.next().and(page.last()).map(|(id, _)| *id);
        let records: Vec<&Value> = page.iter().map(|(_, kept)| &kept.body).collect();
        Ok(json!({ "records": records, "next_cursor": next, "total": total }))
    }

    /// Makes a change, unless one with its key was made.
    fn change(&mut self, request: &Value) -> Value {
        let text = |name: &str| request[name].as_str().expect("text").to_owned();
        let key = text("key");
        if let Some(made) = self.answers.get(&key) {
            return made.clone();
        }
        let operation = text("operation");
        if let Some(code) = self.refuses.get(&operation) {
            return json!({ "refused": code });
        }
        if operation != "coupon" {
            let order = text("order");
            let Some(known) = self.get("orders", &order) else {
                return json!({ "refused": "unknown_order" });
            };
            match operation.as_str() {
                "cancel" => self.edit(&order, &json!({ "status": "cancelled" })),
                "set_address" => self.edit(&order, &json!({ "address": request["address"] })),
                "return" => self.edit(&order, &json!({ "status": "return_requested" })),
                "refund" => {
                    let mut payments = known["payments"].as_array().expect("payments").clone();
                    let method = payments[0]["payment_method"].clone();
                    payments.push(json!({ "kind": "refund", "amount": request["amount"], "payment_method": method }));
                    self.edit(&order, &json!({ "payments": payments }));
                }
                _ => return json!({ "refused": "unsupported" }),
            }
        }
        self.changes.push(request.clone());
        let answer = json!({ "reference": format!("change-{}", self.changes.len()) });
        self.answers.insert(key, answer.clone());
        answer
    }
}

impl FakeConnector {
    /// The secret that both sides have at first.
    pub const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBjb25uZWN0b3IgdGVzdHM=";

    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/countersign", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            secret: Mutex::new(Self::SECRET.into()),
            world: Mutex::default(),
            faults: Mutex::default(),
        });
        let router = Router::new()
            .route("/countersign/v1/{call}", post(call))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Reads or changes the system.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.shared.world.lock().expect("no panic"))
    }

    /// The system's secret is another one from now on.
    pub fn set_secret(&self, secret: &str) {
        *self.shared.secret.lock().expect("no panic") = secret.into();
    }

    /// A fault of the next call of this name, or of the next change by this operation.
    pub fn inject_on(&self, name: &str, fault: ConnectorFault) {
        let mut faults = self.shared.faults.lock().expect("no panic");
        faults.push((name.to_owned(), fault));
    }

    /// The event that the system sends about an order, signed with the secret that it was told.
    pub fn event(&self, client: &reqwest::Client, order: &str) -> reqwest::RequestBuilder {
        let (url, secret) = self.world(|world| world.events.clone()).expect("it was told where");
        let mut data = self.world(|world| world.get("orders", order)).expect("an order");
        let version = data.as_object_mut().expect("an object").remove("version");
        let body = json!({ "type": "order.upserted", "version": version, "data": data }).to_string();
        let id = format!("msg_{}", Uuid::now_v7());
        let headers = signed(&secret, &id, Utc::now().timestamp(), &body);
        let request = client.post(url).header(header::CONTENT_TYPE, "application/json");
        let request = headers
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value));
        request.body(body)
    }
}

fn mac(secret: &str, id: &str, time: &str, body: &str) -> String {
    let key = BASE64_STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mac = hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac))
}

/// The headers of a signed message.
pub fn signed(secret: &str, id: &str, time: i64, body: &str) -> [(&'static str, String); 3] {
    let time = time.to_string();
    let signature = mac(secret, id, &time, body);
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time),
        ("webhook-signature", signature),
    ]
}

fn is_signed(secret: &str, headers: &HeaderMap, body: &str) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (id, time) = (text("webhook-id"), text("webhook-timestamp"));
    let is_recent = time
        .parse::<i64>()
        .is_ok_and(|time| (Utc::now().timestamp() - time).abs() <= 300);
    is_recent && !id.is_empty() && text("webhook-signature") == mac(secret, id, time, body)
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    let secret = shared.secret.lock().expect("no panic").clone();
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    // The signature does not cover the path, so the body names the call.
    if !is_signed(&secret, &headers, &body) || request["type"] != name.as_str() {
        shared.world.lock().expect("no panic").wrong_signatures += 1;
        return (StatusCode::UNAUTHORIZED, Json(json!({ "code": "wrong_signature" }))).into_response();
    }
    let fault = {
        let mut faults = shared.faults.lock().expect("no panic");
        let place = faults
            .iter()
            .position(|(wanted, _)| *wanted == name || request["operation"] == wanted.as_str());
        place.map(|place| faults.remove(place).1)
    };
    if let Some(ConnectorFault::Answers(status)) = fault {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, [(header::RETRY_AFTER, "1")]).into_response();
    }
    let answer = {
        let mut world = shared.world.lock().expect("no panic");
        let answer = match world.answer(&name, &request) {
            Ok(answer) => answer,
            Err((status, code)) => return (status, Json(json!({ "code": code }))).into_response(),
        };
        let answer_of_call = answer.clone();
        world.calls.push(Call {
            name,
            request,
            answer: answer_of_call,
        });
        answer
    };
    match fault {
        Some(ConnectorFault::DoesItAndFails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(ConnectorFault::DoesItAndBreaksOff) => {
            let text = answer.to_string();
            let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
            let parts = stream::iter([Ok(half), Err(std::io::Error::other("cut by the test"))]);
            // The pause lets the first part leave before the connection breaks.
            let parts = parts.then(async |part| {
                tokio::time::sleep(Duration::from_millis(20)).await;
                part
            });
            Body::from_stream(parts).into_response()
        }
        Some(ConnectorFault::Garbage) => ([(header::CONTENT_TYPE, "application/json")], "{\"rec").into_response(),
        _ => Json(answer).into_response(),
    }
}
