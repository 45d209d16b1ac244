//! Arguments as a model writes them: parsed into types, bounded, and each error named by its path.

use serde::de::DeserializeOwned;
use validator::Validate;

use super::ToolError;

/// The longest arguments that a model may send, in bytes.
const MAX_ARGUMENTS_BYTES: usize = 16 * 1024;

/// Parses and validates arguments; the first error is named by its path.
pub(super) fn parse<T: DeserializeOwned + Validate>(text: &str) -> Result<T, ToolError> {
    let refuse = |field: String, reason: String| ToolError::Argument { field, reason };
    if text.len() > MAX_ARGUMENTS_BYTES {
        return Err(refuse(
            String::new(),
            format!("longer than {MAX_ARGUMENTS_BYTES} bytes"),
        ));
    }
    // For a tool without arguments, models send nothing.
    let text = if text.trim().is_empty() { "{}" } else { text };
    if !crate::validation::is_object(text.as_bytes()) {
        return Err(refuse(String::new(), "must be a JSON object".into()));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let misfit = crate::validation::misfit(&error);
        refuse(misfit.field, misfit.message)
    })?;
    deserializer
        .end()
        .map_err(|_| refuse(String::new(), "must be one JSON object and nothing after it".into()))?;
    value.validate().map_err(|errors| {
        let (field, reason) = crate::validation::first(&errors);
        refuse(field, reason)
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tools::{ReadTool, read::get_order::GetOrder};

    type Args = <GetOrder as ReadTool>::Arguments;

    fn refusal(text: &str) -> String {
        match parse::<Args>(text) {
            Err(ToolError::Argument { field, .. }) => field,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("accepted {text}"),
        }
    }

    #[test]
    fn hostile_arguments_are_refused_by_field() {
        for (text, field) in [
            (r#"{"order_number": 5}"#, "order_number"),
            (r#"{"order_number": "W1", "shopper_id": "x"}"#, "shopper_id"),
            (r#"{"order_number": "W1", "order_number": "W2"}"#, "order_number"),
            (r#"{"order_number": ""}"#, "order_number"),
            (r#"{"order_number": "a\u0000b"}"#, "order_number"),
            (r#"{"order_number": "a\u202eb"}"#, "order_number"),
        ] {
            assert_eq!(refusal(text), field, "{text}");
        }
        for text in [
            "not json",
            "{",
            "[]",
            "null",
            r#"{"order_number":"W1"} {}"#,
            &"[".repeat(10_000),
            &format!(r#"{{"order_number":"{}"}}"#, "x".repeat(1 << 20)),
        ] {
            refusal(text);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse::<Args>(&text);
        }
    }
}
