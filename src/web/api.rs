//! The API as pages call it: in this process, by the same router, with everything that any request passes.

use std::sync::{Arc, OnceLock, Weak};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tower::ServiceExt;

use crate::http::Peer;

/// The largest answer that a page is made of, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// The service's router, known once it is put together. The router holds the pages and they this: a strong reference would keep
/// all of it, connections too, for ever.
#[derive(Clone, Default)]
pub struct Api {
    router: Arc<OnceLock<Weak<Router>>>,
}

/// Who asks: the person's token, and what the browser's request says of where it is from. Nothing of what it wants.
pub struct Caller {
    headers: HeaderMap,
    peer: Option<Peer>,
    token: Option<String>,
    store_key: Option<String>,
}

/// Why the API did not do it. Its words are for people.
#[derive(Debug, Default, Deserialize)]
pub struct Refusal {
    #[serde(default)]
    pub status: u16,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    field: String,
    message: String,
}

impl Refusal {
    /// The answer was not what the page expects: a fault of ours.
    pub fn unreadable() -> Self {
        Self {
            status: 500,
            kind: String::new(),
            detail: "The answer could not be read.".into(),
            errors: Vec::new(),
        }
    }

    /// The page asked for something that is not there.
    pub fn not_found() -> Self {
        Self {
            status: 404,
            kind: String::new(),
            detail: "It does not exist.".into(),
            errors: Vec::new(),
        }
    }

    /// The problem's name, such as `wrong_credentials`.
    pub fn code(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// Whether it is about this field.
    pub fn names(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// What to tell the person.
    pub fn words(&self) -> String {
        let fields = self
            .errors
            .iter()
            .map(|error| format!(" {}: {}.", error.field, error.message));
        format!("{}{}", self.detail, fields.collect::<String>())
    }
}

impl Caller {
    pub fn new(parts: &Parts, token: Option<String>) -> Self {
        let headers = parts.headers.iter().filter(|(name, _)| !is_of_the_page(name));
        Self {
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
            peer: parts.extensions.get::<Peer>().copied(),
            token,
            store_key: None,
        }
    }

    /// A caller who is not known yet, with the key of a store.
    pub fn with_store_key(self, store_key: &str) -> Self {
        Self {
            token: None,
            store_key: Some(store_key.to_owned()),
            ..self
        }
    }
}

/// Headers that say what the browser wants of the page, and the page's own credential: the API's request has its own.
fn is_of_the_page(name: &HeaderName) -> bool {
    let own = [
        header::AUTHORIZATION,
        header::COOKIE,
        header::ORIGIN,
        header::ACCEPT,
        header::TRANSFER_ENCODING,
        header::IF_NONE_MATCH,
    ];
    let kinds = ["content-", "sec-", "x-store-key", "idempotency-key", "access-control-"];
    own.contains(name) || kinds.iter().any(|kind| name.as_str().starts_with(kind))
}

impl Api {
    /// Tells which router it is, for as long as that lives.
    pub fn is(&self, router: &Arc<Router>) {
        // Set once, where the service is put together.
        let _ = self.router.set(Arc::downgrade(router));
    }

    pub async fn get<T: DeserializeOwned>(&self, caller: &Caller, path: &str) -> Result<T, Refusal> {
        self.call(caller, Method::GET, path, None).await
    }

    pub async fn post<T: DeserializeOwned>(&self, caller: &Caller, path: &str, body: Value) -> Result<T, Refusal> {
        self.call(caller, Method::POST, path, Some(body)).await
    }

    /// One request. An answer without a body reads as `null`.
    pub async fn call<T: DeserializeOwned>(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, Refusal> {
        let unavailable = || Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            detail: "That cannot be shown just now. Please try again.".into(),
            ..Refusal::default()
        };
        let router = self.router.get().and_then(Weak::upgrade).ok_or_else(unavailable)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(
                body.as_ref()
                    .map_or_else(Body::empty, |body| Body::from(body.to_string())),
            )
            .map_err(|_| unavailable())?;
        if let Some(peer) = caller.peer {
            request.extensions_mut().insert(peer);
        }
        *request.headers_mut() = caller.headers.clone();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = value.parse() {
                request.headers_mut().insert(name, value);
            }
        };
        if body.is_some() {
            set(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &caller.token {
            set(header::AUTHORIZATION, &format!("Bearer {token}"));
        }
        if let Some(key) = &caller.store_key {
            set(HeaderName::from_static("x-store-key"), key);
        }
        let response = match Router::clone(&router).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let bytes = to_bytes(response.into_body(), LARGEST)
            .await
            .map_err(|_| unavailable())?;
        if !status.is_success() {
            let mut refusal: Refusal = serde_json::from_slice(&bytes).unwrap_or_else(|_| unavailable());
            refusal.status = status.as_u16();
            return Err(refusal);
        }
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|_| unavailable())
    }
}
