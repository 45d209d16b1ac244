//! JSON schemas of tool arguments, in the strict subset that model providers enforce.

use serde_json::{Map, Value};

/// The schema of `T` with every property required and none extra, as strict function calling asks
/// (<https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>).
pub fn strict<T: schemars::JsonSchema>() -> Value {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    tighten(&mut schema);
    // It describes the Rust type. What the tool does stands in its contract.
    if let Value::Object(root) = &mut schema {
        root.remove("description");
    }
    schema
}

/// Keywords that strict mode refuses or that are of no use to a model. The server checks lengths itself.
const DROPPED: [&str; 8] = [
    "$schema",
    "title",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "default",
];

fn tighten(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    for keyword in DROPPED {
        object.remove(keyword);
    }
    if object.get("type").is_some_and(|kind| kind == "object") {
        let properties = object.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        let required = properties
            .as_object()
            .map(|map| map.keys().cloned().map(Value::String).collect())
            .unwrap_or_default();
        if let Value::Object(map) = properties {
            map.values_mut().for_each(tighten);
        }
        object.insert("required".into(), Value::Array(required));
        object.insert("additionalProperties".into(), Value::Bool(false));
    }
    for keyword in ["items", "anyOf", "oneOf", "allOf"] {
        match object.get_mut(keyword) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(tighten),
            Some(schema) => tighten(schema),
            None => {}
        }
    }
}
