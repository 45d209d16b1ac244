//! The largest body that a route accepts, made from its schema in the OpenAPI document.

use serde_json::{Map, Value, json};

/// A password of many substitutions, for which the strength estimate takes longest.
const PASSWORD_LIKE: &str = "p4$$w0rd1!l0v3y0u@dm1n";
/// A text with an order, an address and a link, which gives the guards and the fixed rules the most work.
const QUESTION: &str = "I have refunded order #1001 to mia@example.com, see https://shop.example/a. ";
/// The length of a string whose schema has no maximum, in characters.
const DEFAULT_STRING_LENGTH: u64 = 4_000;

fn cycled(pattern: &str, length: u64) -> String {
    pattern.chars().cycle().take(length as usize).collect()
}

/// The body of `method` and `path`. None when the route has no body.
pub fn of(document: &Value, method: &str, path: &str) -> Option<Value> {
    let operation = &document["paths"][path][method.to_lowercase()];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    schema.is_object().then(|| value(document, "", schema))
}

fn value(document: &Value, name: &str, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return value(
            document,
            name,
            &document["components"]["schemas"][reference.rsplit('/').next().unwrap_or("")],
        );
    }
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().map(|part| value(document, name, part));
        let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
        return Value::Object(fields.collect());
    }
    for choice in ["oneOf", "anyOf"] {
        let options = schema[choice].as_array().into_iter().flatten();
        if let Some(option) = options.into_iter().find(|option| option["type"] != "null") {
            return value(document, name, option);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    let is = |kind: &str| {
        schema["type"] == kind
            || schema["type"]
                .as_array()
                .is_some_and(|kinds| kinds.contains(&json!(kind)))
    };
    if is("object") {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let fields: Map<String, Value> = properties
            .map(|(name, schema)| (name.clone(), value(document, name, schema)))
            .collect();
        Value::Object(fields)
    } else if is("array") {
        let many = schema["maxItems"].as_u64().unwrap_or(3).min(100);
        Value::Array((0..many).map(|_| value(document, name, &schema["items"])).collect())
    } else if is("integer") || is("number") {
        schema
            .get("maximum")
            .or(schema.get("minimum"))
            .cloned()
            .unwrap_or(json!(1))
    } else if is("boolean") {
        json!(true)
    } else {
        let length = schema["maxLength"]
            .as_u64()
            .unwrap_or(DEFAULT_STRING_LENGTH)
            .min(DEFAULT_STRING_LENGTH);
        Value::String(match (schema["format"].as_str(), name) {
            (Some("uuid"), _) => uuid::Uuid::now_v7().to_string(),
            (_, "email") => format!("{}@example.com", cycled("a.", 59) + "a"),
            (_, "password" | "current_password") => cycled(PASSWORD_LIKE, length.min(256)),
            (_, "token") => cycled("A", 43),
            (_, "code") => cycled("0", 8),
            _ => cycled(QUESTION, length),
        })
    }
}
