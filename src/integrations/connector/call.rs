//! One call to the store's system: a POST with a JSON body, signed as Standard Webhooks are.

use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    clock,
    integrations::{
        platform::{self, Api, PlatformError},
        webhook_delivery,
    },
};

/// The most bytes of an answer: a page of large orders fits.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Calls `{base}/v1/{name}` and returns the answer, an object. The body names the call too, because the signature does not cover the address.
/// Each try has a message id of its own: a change is recognised by its key.
pub(super) async fn call(api: &Api<'_>, name: &str, mut body: Value) -> Result<Value, PlatformError> {
    body["type"] = name.into();
    let base = api.connection.url.as_str().trim_end_matches('/');
    let signed = webhook_delivery::signed(
        api.client,
        &format!("{base}/v1/{name}"),
        api.connection.secret.expose_secret().as_bytes(),
        Uuid::now_v7(),
        clock::now(),
        body.to_string(),
    );
    let signed = signed.ok_or_else(|| PlatformError::Unauthorized("the secret is not in base64".into()))?;
    match platform::json(signed.request(), MAX_ANSWER_BYTES).await? {
        Value::Object(fields) => Ok(Value::Object(without_nul(fields))),
        _ => Err(PlatformError::Unreadable("it is no JSON object")),
    }
}

/// Takes NUL characters out of every text: Postgres stores none, and one record must not hold up all others.
fn without_nul(fields: Map<String, Value>) -> Map<String, Value> {
    fn cleaned(value: Value) -> Value {
        match value {
            Value::String(text) if text.contains('\0') => text.replace('\0', "").into(),
            Value::Array(items) => items.into_iter().map(cleaned).collect(),
            Value::Object(fields) => Value::Object(without_nul(fields)),
            other => other,
        }
    }
    let cleaned = fields
        .into_iter()
        .map(|(name, value)| (name.replace('\0', ""), cleaned(value)));
    cleaned.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_lose_their_nul_characters_at_any_depth() {
        let Value::Object(answer) = json!({ "a\0": ["x\0y", { "b": "\0" }], "c": 1 }) else {
            panic!("an object");
        };
        assert_eq!(
            Value::Object(without_nul(answer)),
            json!({ "a": ["xy", { "b": "" }], "c": 1 })
        );
    }
}
