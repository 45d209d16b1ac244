//! A shop's platform, such as Shopify: the system where a store's orders live, which this service reads and asks for changes.
//!
//! A platform is added as a folder with an implementation of [`Platform`], beside its [`EventSource`](super::event_source::EventSource), and a
//! line in `vendors.rs`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use reqwest::Url;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{
    credentials::{self, Kind},
    event_source::Source,
    outbound_http,
};
use crate::{
    ids::MovementId,
    jobs::outbox::Sent,
    keyring::Keyring,
    money::Currency,
    store::changes::Discount,
    tenancy::{Role, Tx},
};

/// What the key of a refund at the platform begins with; the movement's id follows. The key stands with the refund at the platform, by which
/// its events about it are recognised.
pub(super) const REFUND_KEY: &str = "shop_refund:";

/// The movement and the attempt of a refund at the platform, by its key; none where it is not ours.
pub(super) fn refund_of_key(key: &str) -> Option<(MovementId, i32)> {
    let key = key.strip_prefix(REFUND_KEY)?;
    let (movement, attempt) = key.split_once(':').unwrap_or((key, "0"));
    Some((movement.parse().ok()?, attempt.parse().ok()?))
}

/// A kind of record that is fetched from a platform. Products come first, because orders name them, then customers, then their orders.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Entity {
    Products,
    Customers,
    Orders,
}

impl Entity {
    pub const ALL: [Self; 3] = [Self::Products, Self::Customers, Self::Orders];

    pub fn name(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::Customers => "customers",
            Self::Orders => "orders",
        }
    }
}

/// The platform of a store, and how it is reached.
pub struct Connection {
    pub kind: Kind,
    /// The address of its API.
    pub url: Url,
    pub secret: SecretString,
}

/// The kind of platform that a store is connected with; none where it has none. Of several the one that was added last counts.
pub(super) async fn kind<R: Role>(tx: &mut Tx<R>) -> Result<Option<Kind>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT kind AS "kind: Kind" FROM integrations WHERE tenant_id = $1 AND is_platform AND revoked_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT 1"#,
        tx.tenant_id().as_uuid()
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The platform that a store is connected with; none where it has none.
pub async fn connection<R: Role>(tx: &mut Tx<R>, keyring: &Keyring) -> Result<Option<Connection>, sqlx::Error> {
    let Some(kind) = kind(tx).await? else { return Ok(None) };
    let credential = credentials::of(tx, keyring, kind).await?.into_iter().next();
    Ok(credential.and_then(|credential| {
        Some(Connection {
            kind,
            url: Url::parse(credential.url.as_deref()?).ok()?,
            secret: credential.secret,
        })
    }))
}

/// A platform's API with the credentials of one store.
pub struct Api<'a> {
    pub client: &'a reqwest::Client,
    pub connection: &'a Connection,
    pub throttle: &'a Throttle,
}

/// Keeps calls within the rate that a platform allows: who is told to wait holds back the calls behind it too.
#[derive(Default)]
pub struct Throttle(Mutex<Option<Instant>>);

impl Throttle {
    /// Waits until calls are allowed again.
    pub async fn wait(&self) {
        let until = *self.0.lock().await;
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Allows no call for so long.
    pub async fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self.0.lock().await;
        *held = Some(held.map_or(until, |held| held.max(until)));
    }
}

/// Why a platform did not do or answer what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The credentials are wrong, were taken away or lack a permission.
    #[error("the shop does not take the credentials ({0}); connect it again")]
    Unauthorized(String),
    /// Too many calls, or the platform has a fault of its own; another try may go well.
    #[error("{reason}")]
    Busy {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// It understood, and refuses. Holds a code or a field, never what was sent.
    #[error("the shop refused: {0}")]
    Refused(String),
    #[error("the shop's answer cannot be read: {0}")]
    Unreadable(&'static str),
}

impl PlatformError {
    pub fn busy(reason: impl Into<String>) -> Self {
        Self::Busy {
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// Whether another try may go well.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreadable(_))
    }
}

impl From<PlatformError> for Sent {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::Busy { reason, retry_after } => Sent::Retry {
                error: reason,
                not_before: retry_after.and_then(|wait| chrono::Duration::from_std(wait).ok()),
            },
            // Whether it was done before is unknown; with new credentials the next try will tell.
            error @ (PlatformError::Unauthorized(_) | PlatformError::Unreadable(_)) => Sent::Retry {
                error: error.to_string(),
                not_before: None,
            },
            PlatformError::Refused(reason) => Sent::Never(format!("the shop refused: {reason}")),
        }
    }
}

/// Reads the answer of a call as JSON of at most `max_bytes`.
pub(super) async fn json(request: reqwest::RequestBuilder, max_bytes: usize) -> Result<Value, PlatformError> {
    let response = request.send().await.map_err(|error| unreached(&error))?;
    let status = response.status();
    if matches!(status.as_u16(), 401..=403) {
        return Err(PlatformError::Unauthorized(format!("it answered {}", status.as_u16())));
    }
    match outbound_http::classify_status(status, response.headers()) {
        None => {}
        Some(Sent::Retry { error, not_before }) => {
            return Err(PlatformError::Busy {
                reason: format!("the shop {error}"),
                retry_after: not_before.and_then(|wait| wait.to_std().ok()),
            });
        }
        Some(_) => {
            let body = outbound_http::body_within(response, 64 * 1024)
                .await
                .unwrap_or_default();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let code = short(&body["code"]);
            return Err(PlatformError::Refused(
                format!("{} {code}", status.as_u16()).trim().to_owned(),
            ));
        }
    }
    let body = outbound_http::body_within(response, max_bytes)
        .await
        .map_err(|error| unreached(&error))?;
    serde_json::from_slice(&body).map_err(|_| PlatformError::Unreadable("it is no JSON"))
}

pub(super) fn unreached(error: &reqwest::Error) -> PlatformError {
    match outbound_http::no_answer(error) {
        Sent::Retry { error, .. } => PlatformError::busy(format!("the shop {error}")),
        _ => PlatformError::busy("the shop cannot be reached"),
    }
}

/// A code or a field of an error, never a text, which may hold what was sent.
pub(super) fn short(error: &Value) -> String {
    let text = match error {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_:,-".contains(*c))
        .take(80)
        .collect()
}

/// A count, which some platforms write as text.
pub(super) fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What a platform says of itself when it is connected.
pub struct Shop {
    pub name: String,
    pub currency: Option<Currency>,
    /// Permissions that the credentials lack.
    pub missing_scopes: Vec<String>,
}

/// Where a run that fetches records goes on. The shape of a cursor is the platform's own.
pub enum Next {
    /// After this page comes the one at the cursor, no sooner than after the wait.
    Page {
        cursor: Value,
        wait: Duration,
    },
    /// What was begun is lost, such as a file that has expired: the run starts over.
    StartOver {
        wait: Duration,
    },
    End,
}

impl Next {
    /// The page at a cursor of the platform's own shape.
    pub fn page(cursor: &impl Serialize, wait: Duration) -> Self {
        match serde_json::to_value(cursor) {
            Ok(cursor) => Self::Page { cursor, wait },
            Err(_) => Self::StartOver { wait },
        }
    }
}

/// A page of records.
pub struct Page {
    /// Bodies as the platform's webhooks have them.
    pub items: Vec<Value>,
    /// How many there will be in all, where the platform says so.
    pub total: Option<u64>,
    pub next: Next,
}

/// What is asked of a platform. Each can be asked again: what was done before is found by `key` and not done twice.
pub struct Request<'a> {
    pub operation: Operation,
    /// The platform's id of the order; empty for what concerns no order.
    pub order: &'a str,
    pub key: &'a str,
}

/// A change at the platform.
pub enum Operation {
    Cancel,
    Address(crate::store::Address),
    /// Goods come back: units of variants, and those that are sent instead.
    Return {
        items: Vec<String>,
        instead: Vec<String>,
    },
    /// Amount as decimal text in the order's currency, to what the order was paid with.
    Refund {
        amount: String,
    },
    Coupon {
        code: String,
        discount: Discount,
        /// The platform's id of the only customer who may use it, where there is one.
        customer: Option<String>,
        expires_at: DateTime<Utc>,
    },
}

/// The names of operations that a platform may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Creates a return that the shop's staff sees, rather than a tag or a note.
    Returns,
    /// Percent coupons with an upper limit.
    CappedCoupons,
    /// Other items in an order that was placed.
    ItemChanges,
}

pub(super) trait Platform: Sync {
    /// The events whose bodies [`Page::items`] have.
    fn source(&self) -> Source;

    /// The topic of such an event for a record of this kind.
    fn topic(&self, entity: Entity) -> &'static str;

    fn can(&self, ability: Ability) -> bool;

    /// Whether an order with this reference is one of this platform's, by its form.
    fn knows(&self, reference: &str) -> bool;

    /// The address of the API, by the shop's name or address as people know it; none where it is neither.
    fn api_url(&self, shop: &str) -> Option<String>;

    /// Whether we choose the secret that signs its events.
    fn takes_our_secret(&self) -> bool;

    /// Checks the credentials.
    fn shop<'a>(&'a self, api: &'a Api<'a>) -> BoxFuture<'a, Result<Shop, PlatformError>>;

    /// Has the platform send its webhooks to this address, with the secret where the platform lets us choose one. Returns how many are new.
    fn register_webhooks<'a>(
        &'a self,
        api: &'a Api<'a>,
        address: &'a str,
        secret: &'a SecretString,
    ) -> BoxFuture<'a, Result<usize, PlatformError>>;

    /// A page of what there is, or of what has changed since a time. Without a cursor the first.
    fn page<'a>(
        &'a self,
        api: &'a Api<'a>,
        entity: Entity,
        since: Option<DateTime<Utc>>,
        cursor: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Page, PlatformError>>;

    /// The order with the number that the shopper knows.
    fn order<'a>(&'a self, api: &'a Api<'a>, number: &'a str) -> BoxFuture<'a, Result<Option<Value>, PlatformError>>;

    /// Makes a change. Returns the platform's id of what was made.
    fn perform<'a>(
        &'a self,
        api: &'a Api<'a>,
        request: Request<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlatformError>>;
}
