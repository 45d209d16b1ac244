//! JSON schemas of tools, for endpoints that take few of the keywords.

use serde_json::{Map, Value};

/// The keywords that every endpoint takes.
const KEPT: [&str; 8] = [
    "type",
    "description",
    "properties",
    "required",
    "items",
    "enum",
    "nullable",
    "anyOf",
];

/// `schema` without unions, formats and bounds: what may be null is left out of `required` instead.
pub fn plain(schema: &Value) -> Value {
    let Value::Object(object) = schema else {
        return schema.clone();
    };
    if let Some(only) = only_variant(object) {
        let mut plain = plain(only);
        if let (Value::Object(plain), Some(description)) = (&mut plain, object.get("description")) {
            plain.insert("description".into(), description.clone());
        }
        return plain;
    }
    let mut kept = Map::new();
    for (name, value) in object.iter().filter(|(name, _)| KEPT.contains(&name.as_str())) {
        let value = match (name.as_str(), value) {
            ("type", Value::Array(types)) => types.iter().find(|kind| *kind != "null").cloned().unwrap_or_default(),
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, schema)| (name.clone(), plain(schema)))
                .collect::<Map<_, _>>()
                .into(),
            ("required", Value::Array(names)) => {
                let needed = |name: &&Value| {
                    !name
                        .as_str()
                        .is_some_and(|name| may_be_null(&object["properties"][name]))
                };
                names.iter().filter(needed).cloned().collect()
            }
            ("items", schema) => plain(schema),
            ("anyOf", Value::Array(variants)) => variants.iter().map(plain).collect(),
            ("enum", Value::Array(values)) => values.iter().filter(|value| !value.is_null()).cloned().collect(),
            (_, value) => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    if let Some(value) = object.get("const") {
        kept.insert("enum".into(), Value::Array(vec![value.clone()]));
    }
    Value::Object(kept)
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |schema: &Value| schema["type"] == "null";
    let in_union = ["anyOf", "oneOf"].iter().any(|name| {
        schema[name]
            .as_array()
            .is_some_and(|variants| variants.iter().any(is_null))
    });
    in_union
        || schema["type"]
            .as_array()
            .is_some_and(|types| types.iter().any(|kind| kind == "null"))
}

/// The one variant of a union besides null.
fn only_variant(object: &Map<String, Value>) -> Option<&Value> {
    let variants = ["anyOf", "oneOf", "allOf"]
        .iter()
        .find_map(|name| object.get(*name)?.as_array())?;
    let mut others = variants.iter().filter(|variant| variant["type"] != "null");
    others.next().filter(|_| others.next().is_none())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unions_with_null_become_optional_and_rare_keywords_go() {
        let strict = json!({ "type": "object", "additionalProperties": false, "required": ["a", "b", "c"], "properties": {
            "a": { "type": "string", "format": "uuid", "maxLength": 3 },
            "b": { "type": ["string", "null"], "description": "B" },
            "c": { "description": "C", "anyOf": [{ "type": "array", "items": { "type": ["integer", "null"] } }, { "type": "null" }] } } });
        let right = json!({ "type": "object", "required": ["a"], "properties": {
            "a": { "type": "string" },
            "b": { "type": "string", "description": "B" },
            "c": { "description": "C", "type": "array", "items": { "type": "integer" } } } });
        assert_eq!(plain(&strict), right);
    }
}
