//! A prompt as the body of a Responses request. Nothing is stored at the provider: the whole conversation goes along each time.

use serde_json::{Map, Value, json};

use crate::model::{
    Prompt, PromptMessage,
    dialect::{Adaptation, Adaptations},
    json_schema,
    protocol::Sampling,
};

pub fn body(model: &str, endpoint: &str, sampling: Sampling, prompt: &Prompt, adaptations: &Adaptations) -> Value {
    let has = |adaptation| adaptations.contains(&adaptation);
    let mut body = Map::new();
    body.insert("model".into(), json!(model));
    let (instructions, input) = input(prompt, endpoint);
    body.insert("instructions".into(), json!(instructions));
    body.insert("input".into(), input.into());
    if prompt.sends_tools(adaptations) {
        let tool = |tool: &crate::model::ToolDefinition| {
            let schema = if has(Adaptation::PlainSchemas) {
                json_schema::plain(&tool.schema)
            } else {
                tool.schema.clone()
            };
            let strict = !has(Adaptation::NoStrict) && !has(Adaptation::PlainSchemas);
            json!({ "type": "function", "name": tool.name, "description": tool.description, "parameters": schema, "strict": strict })
        };
        body.insert("tools".into(), prompt.tools.iter().map(tool).collect());
        if !prompt.may_call_tools {
            body.insert("tool_choice".into(), json!("none"));
        }
    }
    body.insert("stream".into(), json!(true));
    body.insert("store".into(), json!(false));
    body.insert("max_output_tokens".into(), json!(prompt.max_output_tokens));
    if !has(Adaptation::NoReasoningEffort) {
        // Reasoning that is not stored there comes back sealed, and is given back so.
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
        if let Some(effort) = sampling.reasoning_effort {
            body.insert("reasoning".into(), json!({ "effort": effort.name() }));
        }
    }
    if let Some(temperature) = sampling.temperature.filter(|_| !has(Adaptation::NoTemperature)) {
        body.insert("temperature".into(), json!(temperature));
    }
    if let Some(top_p) = sampling.top_p.filter(|_| !has(Adaptation::NoTopP)) {
        body.insert("top_p".into(), json!(top_p));
    }
    Value::Object(body)
}

/// The instructions and the items of the conversation.
fn input(prompt: &Prompt, endpoint: &str) -> (String, Vec<Value>) {
    let (mut instructions, mut items) = (Vec::new(), Vec::new());
    for message in &prompt.messages {
        match message {
            PromptMessage::System(text) => instructions.push(text.as_str()),
            PromptMessage::Context(text) | PromptMessage::Shopper(text) => {
                items.push(json!({ "type": "message", "role": "user", "content": text }));
            }
            PromptMessage::ToolResult { call_id, content } => {
                items.push(json!({ "type": "function_call_output", "call_id": call_id, "output": content }));
            }
            PromptMessage::Assistant { text, calls, echo } => {
                let own = echo.as_ref().filter(|echo| *echo.endpoint == *endpoint);
                items.extend(own.and_then(|echo| echo.data.as_array()).into_iter().flatten().cloned());
                if !text.is_empty() {
                    items.push(json!({ "type": "message", "role": "assistant", "content": text }));
                }
                items.extend(calls.iter().map(|call| {
                    json!({ "type": "function_call", "call_id": call.id, "name": call.tool, "arguments": call.arguments })
                }));
            }
        }
    }
    (instructions.join("\n\n"), items)
}
