//! Rate limits for each address and each account. They are token buckets in memory, so each replica counts for itself, and the number of
//! buckets is bounded. Limits that must hold across replicas are counted in Postgres, by `identity::throttle`.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request, StatusCode},
    response::{IntoResponse, Response},
};
use governor::middleware::StateInformationMiddleware;
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::{GovernorConfig, GovernorConfigBuilder},
    key_extractor::KeyExtractor,
};

use super::{client_ip::ClientAddress, problem::Problem, request_log::Limited, settings::Rate};
use crate::identity::{Shopper, StaffMember};

/// How many callers have a bucket of their own. While there are as many, each caller is assigned one of [`SHARED_BUCKETS`], which bounds
/// the memory that a flood of addresses can take.
const MAX_TRACKED_CALLERS: usize = 50_000;
const SHARED_BUCKETS: u64 = 1024;
/// How often callers whose bucket is full again are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// The key of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    V4(u32),
    /// An IPv6 subscriber holds a /64.
    V6(u64),
    Account(uuid::Uuid),
    Shared(u64),
}

/// What a limit counts by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Address,
    /// The account that [`super::access::authorise`] has found, or the address where there is none.
    Account,
}

#[derive(Clone)]
pub struct Callers {
    by: By,
    remembered: Arc<AtomicUsize>,
}

impl KeyExtractor for Callers {
    type Key = Caller;

    fn extract<T>(&self, request: &Request<T>) -> Result<Caller, GovernorError> {
        let account = || {
            let shopper = request
                .extensions()
                .get::<Shopper>()
                .map(|shopper| shopper.id().as_uuid());
            shopper.or_else(|| request.extensions().get::<StaffMember>().map(StaffMember::id))
        };
        let caller = match (self.by, request.extensions().get::<ClientAddress>()) {
            (By::Account, _) if let Some(account) = account() => Caller::Account(account),
            (_, Some(ClientAddress(address))) => match address.to_canonical() {
                IpAddr::V4(address) => Caller::V4(address.into()),
                IpAddr::V6(address) => Caller::V6((u128::from(address) >> 64) as u64),
            },
            (_, None) => return Err(GovernorError::UnableToExtractKey),
        };
        if self.remembered.load(Ordering::Relaxed) < MAX_TRACKED_CALLERS {
            return Ok(caller);
        }
        let mut hasher = DefaultHasher::new();
        caller.hash(&mut hasher);
        Ok(Caller::Shared(hasher.finish() % SHARED_BUCKETS))
    }
}

pub type Layer = GovernorLayer<Callers, StateInformationMiddleware, Body>;

/// The limit of all requests from one address.
pub fn by_address(rate: Rate) -> Layer {
    layer("address", By::Address, rate)
}

/// The limit of sign-in requests from one address.
pub fn sign_in(rate: Rate) -> Layer {
    layer("sign_in", By::Address, rate)
}

/// The limit of webhooks from one address.
pub fn webhooks(rate: Rate) -> Layer {
    layer("webhook", By::Address, rate)
}

/// The limit of requests by one account.
pub fn by_account(rate: Rate) -> Layer {
    layer("account", By::Account, rate)
}

fn layer(name: &'static str, by: By, rate: Rate) -> Layer {
    let remembered = Arc::new(AtomicUsize::new(0));
    let callers = Callers {
        by,
        remembered: remembered.clone(),
    };
    let config = GovernorConfigBuilder::default()
        .period(Duration::from_secs(1) / rate.per_second.max(1))
        .burst_size(rate.burst.max(1))
        .key_extractor(callers)
        .use_headers()
        .finish();
    // `finish` returns none only for a period or burst of zero, and neither is zero.
    let config = Arc::new(config.unwrap_or_else(|| unreachable!("a rate is never zero")));
    #[allow(
        clippy::disallowed_methods,
        reason = "the task ends with the limiter that it looks after"
    )]
    tokio::spawn(remove_idle_callers(Arc::downgrade(&config), remembered));
    GovernorLayer::new(config).error_handler(move |error| refuse(name, rate, error))
}

/// Removes idle callers at intervals, for as long as the layer lives.
async fn remove_idle_callers(
    config: Weak<GovernorConfig<Callers, StateInformationMiddleware>>,
    remembered: Arc<AtomicUsize>,
) {
    let mut ticks = tokio::time::interval(CLEANUP_INTERVAL);
    loop {
        ticks.tick().await;
        let Some(config) = config.upgrade() else { return };
        config.limiter().retain_recent();
        remembered.store(config.limiter().len(), Ordering::Relaxed);
    }
}

fn refuse(name: &'static str, rate: Rate, error: GovernorError) -> Response {
    let GovernorError::TooManyRequests { wait_time, .. } = error else {
        return Problem::internal().into_response();
    };
    // The limiter rounds down, and a client that retries a moment too early would be refused again.
    let wait = wait_time.saturating_add(1).min(3600) as u32;
    let mut response = Problem::too_many(wait).into_response();
    describe(&mut response, name, rate, 0, u64::from(wait));
    response.extensions_mut().insert(Limited(name));
    response
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Sets the header fields of draft-ietf-httpapi-ratelimit-headers.
fn describe(response: &mut Response, name: &str, rate: Rate, remaining: u64, seconds: u64) {
    let window = rate.burst.div_ceil(rate.per_second.max(1));
    for (header, value) in [
        (POLICY, format!("\"{name}\";q={};w={window}", rate.burst)),
        (STATE, format!("\"{name}\";r={remaining};t={seconds}")),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(header, value);
        }
    }
}

/// Replaces the limiter's own headers by the standard ones. If several limits apply, the innermost, which is the narrowest, is reported.
pub fn standard_headers(name: &'static str, rate: Rate, mut response: Response) -> Response {
    let remaining = response
        .headers()
        .get("x-ratelimit-remaining")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    for old in [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-after",
        "x-ratelimit-whitelisted",
    ] {
        response.headers_mut().remove(old);
    }
    if let Some(remaining) = remaining
        && !response.headers().contains_key(STATE)
        && response.status() != StatusCode::TOO_MANY_REQUESTS
    {
        describe(&mut response, name, rate, remaining, 1);
    }
    response
}
