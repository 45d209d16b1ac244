//! Calls of WooCommerce's REST API, version 3: JSON, with the consumer key and secret as user and password.
//! <https://woocommerce.github.io/woocommerce-rest-api-docs/>
//!
//! WooCommerce itself limits no rate; hosts and firewalls before it do, with 429 and `Retry-After`. Who is told to wait waits, and the calls
//! behind it too.

use std::time::Duration;

use reqwest::{Method, Url};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    integrations::{
        outbound_http,
        platform::{self, Api, PlatformError, short},
    },
    jobs::outbox::Sent,
    telemetry::traces,
};

/// How many records a page of a list has at most.
pub(super) const PAGE: u64 = 100;
/// The most bytes of one answer that are read: a page of orders with plug-ins' fields has a few MiB.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// How often a throttled call is made before the caller hears of it.
const MAX_TRIES: usize = 3;
/// The longest wait that a call sits out; longer ones are the caller's.
const MAX_WAIT: Duration = Duration::from_secs(20);

pub(super) struct Answer {
    pub body: Value,
    /// How many records a list has in all; none where something between removes the header.
    pub total: Option<u64>,
}

/// An error that WooCommerce answers on purpose: it understood, and refuses.
pub(super) struct Failure {
    pub status: u16,
    /// Such as `woocommerce_rest_shop_order_invalid_id`; empty where the answer is no JSON of the API.
    pub code: String,
}

impl From<Failure> for PlatformError {
    fn from(failure: Failure) -> Self {
        let reason = format!("{} {}", failure.status, failure.code).trim().to_owned();
        match failure.status {
            401..=403 => Self::Unauthorized(format!("it answered {reason}")),
            300..=399 => Self::Refused(format!(
                "{reason}: it redirects; connect it with the address that a browser ends at"
            )),
            _ => Self::Refused(reason),
        }
    }
}

/// What is called: a path below the API's address, with its query.
pub(super) struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: &'a [(&'a str, String)],
    pub body: Option<&'a Value>,
}

pub(super) async fn get(api: &Api<'_>, path: &str, query: &[(&str, String)]) -> Result<Answer, PlatformError> {
    let call = Call {
        method: Method::GET,
        path,
        query,
        body: None,
    };
    Ok(send(api, call).await??)
}

/// A record; none where there is none with the id.
pub(super) async fn find(api: &Api<'_>, path: &str) -> Result<Option<Value>, PlatformError> {
    let call = Call {
        method: Method::GET,
        path,
        query: &[],
        body: None,
    };
    match send(api, call).await? {
        Ok(answer) => Ok(Some(answer.body)),
        // Without a code of the API's the page is missing, not the record.
        Err(Failure { status: 404, code }) if !matches!(code.as_str(), "" | "rest_no_route") => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Creates (`POST`) or changes (`PUT`).
pub(super) async fn write(api: &Api<'_>, method: Method, path: &str, body: &Value) -> Result<Value, PlatformError> {
    Ok(try_write(api, method, path, body).await??)
}

/// The same, for a caller that reads the error.
pub(super) async fn try_write(
    api: &Api<'_>,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<Result<Value, Failure>, PlatformError> {
    let call = Call {
        method,
        path,
        query: &[],
        body: Some(body),
    };
    Ok(send(api, call).await?.map(|answer| answer.body))
}

/// Makes a call. One that is told to wait does, and is made again: it was not carried out.
pub(super) async fn send(api: &Api<'_>, call: Call<'_>) -> Result<Result<Answer, Failure>, PlatformError> {
    let mut tries = 0;
    loop {
        api.throttle.wait().await;
        let (status, ended) = once(api, &call).await?;
        tries += 1;
        match ended {
            Err(PlatformError::Busy { reason, retry_after }) => {
                let wait = retry_after.unwrap_or(Duration::from_secs(1));
                if status != 429 || tries == MAX_TRIES || wait > MAX_WAIT {
                    return Err(PlatformError::Busy { reason, retry_after });
                }
                api.throttle.hold(wait).await;
            }
            Err(error) => return Err(error),
            Ok(ended) => return Ok(ended),
        }
    }
}

/// The status of an answer, and what it means.
type Ended = (u16, Result<Result<Answer, Failure>, PlatformError>);

async fn once(api: &Api<'_>, call: &Call<'_>) -> Result<Ended, PlatformError> {
    let url = base(&api.connection.url)
        .join(call.path)
        .map_err(|_| PlatformError::Refused("the address of the shop's API is none".into()))?;
    let Some((key, secret)) = api.connection.secret.expose_secret().split_once(':') else {
        return Err(PlatformError::Unauthorized("they have the form ck_…:cs_…".into()));
    };
    let mut request = api
        .client
        .request(call.method.clone(), url)
        .basic_auth(key.trim(), Some(secret.trim()))
        .headers(traces::trace_headers())
        .query(call.query);
    if let Some(body) = call.body {
        request = request.json(body);
    }
    let response = request.send().await.map_err(|error| platform::unreached(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = outbound_http::body_within(response, MAX_ANSWER_BYTES)
        .await
        .map_err(|error| platform::unreached(&error))?;
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let ended = match (outbound_http::classify_status(status, &headers), body) {
        (None, Some(body)) => {
            let total = headers
                .get("x-wp-total")
                .and_then(|total| total.to_str().ok()?.parse().ok());
            Ok(Ok(Answer { body, total }))
        }
        (None, None) => Err(PlatformError::Unreadable("it is no JSON")),
        (Some(kind), body) => {
            let code = short(&body.unwrap_or_default()["code"]);
            match kind {
                // WooCommerce writes 500 for some refusals; an error of PHP has another code, or none.
                Sent::Retry { error, not_before } if !code.starts_with("woocommerce_rest_") => {
                    Err(PlatformError::Busy {
                        reason: format!("the shop {error}"),
                        retry_after: not_before.and_then(|wait| wait.to_std().ok()),
                    })
                }
                _ => Ok(Err(Failure {
                    status: status.as_u16(),
                    code,
                })),
            }
        }
    };
    Ok((status.as_u16(), ended))
}

/// The API's address below a site's.
const PATH: &str = "wp-json/wc/v3/";

/// The address of the API. Credentials that were added by hand may have the address of the site.
fn base(url: &Url) -> Url {
    api_url(url.as_str())
        .and_then(|url| Url::parse(&url).ok())
        .unwrap_or_else(|| url.clone())
}

/// The address of the site itself.
pub(super) fn index(url: &Url) -> Option<Url> {
    base(url).join("../../").ok()
}

/// The address of the API by that of the site, which may be in a folder, or of one of its pages for staff.
pub(super) fn api_url(site: &str) -> Option<String> {
    let site = site.trim();
    let whole = match site.contains("://") {
        true => site.to_owned(),
        false => format!("https://{site}"),
    };
    let url = Url::parse(&whole).ok()?;
    let host = url.host_str()?;
    // A single word is the name of a shop elsewhere.
    if !host.contains(['.', ':']) || url.query().is_some() && !whole.contains("/wp-admin") {
        return None;
    }
    let site = whole
        .split(['?', '#'])
        .next()
        .and_then(|site| site.split("/wp-admin").next())
        .and_then(|site| site.split("/wp-json").next())?;
    Some(format!("{}/{PATH}", site.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_named_as_people_know_it() {
        for (given, expected) in [
            ("shop.example", Some("https://shop.example/wp-json/wc/v3/")),
            ("https://shop.example/", Some("https://shop.example/wp-json/wc/v3/")),
            (
                "https://shop.example/blog",
                Some("https://shop.example/blog/wp-json/wc/v3/"),
            ),
            (
                "https://shop.example/wp-json/wc/v3/",
                Some("https://shop.example/wp-json/wc/v3/"),
            ),
            (
                "https://shop.example/blog/wp-admin/admin.php?page=wc-settings",
                Some("https://shop.example/blog/wp-json/wc/v3/"),
            ),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080/wp-json/wc/v3/")),
            ("acme", None),
            ("https://shop.example/?p=1", None),
            ("", None),
        ] {
            assert_eq!(api_url(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn the_sites_own_address_stands_above_the_apis() {
        let url = Url::parse("https://shop.example/blog").expect("a URL");
        let index = index(&url).map(String::from);
        assert_eq!(index.as_deref(), Some("https://shop.example/blog/wp-json/"));
    }
}
