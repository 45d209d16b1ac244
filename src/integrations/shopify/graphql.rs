//! Calls of Shopify's Admin GraphQL API.
//!
//! Shopify limits by the cost of queries: each answer tells how many points are left and how fast they come back
//! (<https://shopify.dev/docs/api/usage/limits>). Calls wait when the last one left too little for another of its kind.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    integrations::platform::{self, Api, PlatformError, short},
    telemetry::traces,
};

/// The most bytes of one answer that are read: a page of orders with their lines has a few hundred KiB.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How often a throttled call is tried before the caller hears of it.
const MAX_TRIES: usize = 5;
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Makes one call and returns its `data`. A call that is throttled waits and is made again.
pub(super) async fn call(api: &Api<'_>, document: &str, variables: Value) -> Result<Value, PlatformError> {
    let body = json!({ "query": document, "variables": variables });
    let mut tries = 0;
    loop {
        api.throttle.wait().await;
        let request = api
            .client
            .post(api.connection.url.clone())
            .header("x-shopify-access-token", api.connection.secret.expose_secret())
            .headers(traces::trace_headers())
            .json(&body);
        let answer = platform::json(request, MAX_ANSWER_BYTES).await?;
        let cost = &answer["extensions"]["cost"];
        let Some(error) = answer["errors"].get(0) else {
            if answer["errors"].is_string() {
                return Err(PlatformError::Refused(short(&answer["errors"])));
            }
            let wait = until_affordable(cost, cost["actualQueryCost"].as_f64().unwrap_or(0.0));
            if !wait.is_zero() {
                api.throttle.hold(wait.min(MAX_WAIT)).await;
            }
            return Ok(answer["data"].clone());
        };
        tries += 1;
        match error["extensions"]["code"].as_str() {
            Some("THROTTLED") if tries < MAX_TRIES => {
                let wait = until_affordable(cost, cost["requestedQueryCost"].as_f64().unwrap_or(0.0));
                api.throttle
                    .hold(wait.clamp(Duration::from_millis(100), MAX_WAIT))
                    .await;
            }
            Some("THROTTLED") => return Err(PlatformError::busy("the shop is busy")),
            Some("INTERNAL_SERVER_ERROR" | "TIMEOUT") => return Err(PlatformError::busy("the shop has a fault")),
            Some("ACCESS_DENIED") => {
                let path = answer["errors"][0]["path"].to_string();
                return Err(PlatformError::Unauthorized(format!(
                    "access to {} is denied",
                    short(&path.into())
                )));
            }
            code => {
                return Err(PlatformError::Refused(
                    code.unwrap_or("it does not understand the call").to_owned(),
                ));
            }
        }
    }
}

/// How long until there are `points` again.
fn until_affordable(cost: &Value, points: f64) -> Duration {
    let status = &cost["throttleStatus"];
    let available = status["currentlyAvailable"].as_f64().unwrap_or(points);
    let rate = status["restoreRate"]
        .as_f64()
        .filter(|rate| *rate > 0.0)
        .unwrap_or(50.0);
    Duration::try_from_secs_f64((points - available).max(0.0) / rate).unwrap_or(MAX_WAIT)
}

/// The result of a mutation; its first user error refuses it. `result` is the mutation's alias in our documents.
pub(super) async fn change(api: &Api<'_>, document: &str, variables: Value) -> Result<Value, PlatformError> {
    let mut data = call(api, document, variables).await?;
    let result = data["result"].take();
    match &result["userErrors"][0] {
        Value::Null => Ok(result),
        error => {
            let code = match short(&error["code"]) {
                none if none.is_empty() => short(&error["field"]),
                code => code,
            };
            Err(PlatformError::Refused(code))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_waits_until_its_cost_is_there() {
        let cost =
            json!({ "throttleStatus": { "maximumAvailable": 2000, "currentlyAvailable": 50, "restoreRate": 100 } });
        assert_eq!(until_affordable(&cost, 250.0), Duration::from_secs(2));
        assert_eq!(until_affordable(&cost, 20.0), Duration::ZERO);
        assert_eq!(until_affordable(&Value::Null, 20.0), Duration::ZERO);
    }
}
