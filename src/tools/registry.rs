//! The allowlist. A call goes through here or nowhere: name, then arguments, then the tool on its own role's pool.

use std::{collections::BTreeMap, pin::Pin};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use validator::Validate;

use super::{Contract, ReadTool, ToolError, read, schema};
use crate::{
    identity::Shopper,
    model::ToolCall,
    tenancy::{Pool, Reader},
};

/// The longest arguments a model may send, in bytes.
const LONGEST_ARGUMENTS: usize = 16 * 1024;

/// What became of a call, for the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Answered,
    Refused,
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A call's end: what the model reads, and what is written down.
pub struct CallOutcome {
    pub outcome: Outcome,
    /// The refusal's code, if it was one.
    pub code: Option<&'static str>,
    /// JSON for the model: `{"data": …}` or `{"error": {"code", "message"}}`.
    pub content: String,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, ToolError>> + Send + 'a>>;
type Run = for<'a> fn(&'a str, &'a Shopper, &'a Pool<Reader>) -> Answer<'a>;

/// A registered tool.
pub struct Tool {
    pub contract: Contract,
    /// JSON schema of the arguments, strict.
    pub schema: Value,
    run: Run,
}

/// The tools of this service.
pub struct Registry {
    reader: Pool<Reader>,
    tools: BTreeMap<&'static str, Tool>,
}

impl Registry {
    /// Every tool there is. A tool that is not listed here does not exist.
    pub fn new(reader: Pool<Reader>) -> Self {
        let mut registry = Self {
            reader,
            tools: BTreeMap::new(),
        };
        registry.add_read::<read::list_orders::ListOrders>();
        registry.add_read::<read::get_order::GetOrder>();
        registry.add_read::<read::get_refund_status::GetRefundStatus>();
        registry.add_read::<read::get_product::GetProduct>();
        registry.add_read::<read::search_products::SearchProducts>();
        registry.add_read::<read::check_stock::CheckStock>();
        registry.add_read::<read::get_profile::GetProfile>();
        registry
    }

    fn add_read<T: ReadTool>(&mut self) {
        let tool = Tool {
            contract: T::CONTRACT,
            schema: schema::strict::<T::Arguments>(),
            run: |arguments, shopper, reader| Box::pin(run_read::<T>(arguments, shopper, reader)),
        };
        self.tools.insert(T::CONTRACT.name, tool);
    }

    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// What the shopper reads while this call runs.
    pub fn activity(&self, tool: &str) -> Option<&'static str> {
        self.tools.get(tool).map(|tool| tool.contract.activity)
    }

    /// Runs one call for `shopper`. Never fails: whatever goes wrong is an outcome the model can act on.
    pub async fn call(&self, call: &ToolCall, shopper: &Shopper) -> CallOutcome {
        let result = match self.tools.get(call.tool.as_str()) {
            Some(tool) => (tool.run)(&call.arguments, shopper, &self.reader).await,
            None => Err(ToolError::Unknown(call.tool.chars().take(64).collect())),
        };
        match result {
            Ok(data) => CallOutcome {
                outcome: Outcome::Answered,
                code: None,
                content: json!({ "data": data }).to_string(),
            },
            Err(error) => {
                let outcome = if matches!(error, ToolError::Database(_)) {
                    Outcome::Failed
                } else {
                    Outcome::Refused
                };
                if let ToolError::Database(cause) = &error {
                    tracing::error!(tool = call.tool, error = %crate::telemetry::cause(cause), "a read tool failed");
                }
                let content = json!({ "error": { "code": error.code(), "message": error.to_string() } }).to_string();
                CallOutcome {
                    outcome,
                    code: Some(error.code()),
                    content,
                }
            }
        }
    }
}

async fn run_read<T: ReadTool>(arguments: &str, shopper: &Shopper, reader: &Pool<Reader>) -> Result<Value, ToolError> {
    let arguments = parse::<T::Arguments>(arguments)?;
    let mut tx = reader.begin(shopper.scope()).await?;
    let answer = T::run(arguments, shopper, &mut tx).await?;
    serde_json::to_value(answer).map_err(|error| ToolError::Database(sqlx::Error::Decode(Box::new(error))))
}

/// Reads and checks arguments; the first thing wrong is named by its path.
fn parse<T: DeserializeOwned + Validate>(text: &str) -> Result<T, ToolError> {
    let refuse = |field: String, reason: String| ToolError::Argument { field, reason };
    if text.len() > LONGEST_ARGUMENTS {
        return Err(refuse(String::new(), format!("longer than {LONGEST_ARGUMENTS} bytes")));
    }
    // A model that has nothing to say sends nothing.
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

    use super::{read::get_order::GetOrder, *};

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
