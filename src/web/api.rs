//! Calls the API from pages. A call stays in this process but goes through the same router and middleware as any request.

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

/// The largest answer of the API that a page reads, in bytes.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The service's router, which is set once it is built. The reference is weak because the router holds the pages and the pages hold this:
/// with a strong one, neither would ever be freed.
#[derive(Clone, Default)]
pub struct Api {
    router: Arc<OnceLock<Weak<Router>>>,
}

/// Who calls the API: the person's token, and those headers of the browser's request that are not about the page itself.
pub struct Caller {
    headers: HeaderMap,
    peer: Option<Peer>,
    token: Option<String>,
    store_key: Option<String>,
}

/// An error that the API answered, or that the call met. Its text is for people.
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
    /// The API's answer was not what the page expects.
    pub fn unreadable() -> Self {
        Self {
            status: 500,
            kind: String::new(),
            detail: "The answer could not be read.".into(),
            errors: Vec::new(),
        }
    }

    /// The page asked for something that does not exist.
    pub fn not_found() -> Self {
        Self {
            status: 404,
            kind: String::new(),
            detail: "It does not exist.".into(),
            errors: Vec::new(),
        }
    }

    /// The problem's code, such as `wrong_credentials`.
    pub fn code(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// Whether this field is one of the invalid ones.
    pub fn names(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field == field)
    }

    /// The text for the person: the problem, then each invalid field.
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
        let headers = parts.headers.iter().filter(|(name, _)| !is_page_header(name));
        Self {
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
            peer: parts.extensions.get::<Peer>().copied(),
            token,
            store_key: None,
        }
    }

    /// A caller who is not signed in, with the key of a store.
    pub fn with_store_key(self, store_key: &str) -> Self {
        Self {
            token: None,
            store_key: Some(store_key.to_owned()),
            ..self
        }
    }
}

/// Whether a header concerns the page's own request, such as its credential. The request to the API sets its own.
fn is_page_header(name: &HeaderName) -> bool {
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
    /// Sets the router that calls go to.
    pub fn set_router(&self, router: &Arc<Router>) {
        // It is set once, where the service is built.
        let _ = self.router.set(Arc::downgrade(router));
    }

    pub async fn get<T: DeserializeOwned>(&self, caller: &Caller, path: &str) -> Result<T, Refusal> {
        self.call(caller, Method::GET, path, None).await
    }

    pub async fn post<T: DeserializeOwned>(&self, caller: &Caller, path: &str, body: Value) -> Result<T, Refusal> {
        self.call(caller, Method::POST, path, Some(body)).await
    }

    /// Sends one request. An answer without a body reads as `null`.
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
        let bytes = to_bytes(response.into_body(), MAX_ANSWER_BYTES)
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
