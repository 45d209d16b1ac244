//! A prompt as the body of a chat completion request.

use serde_json::{Map, Value, json};

use crate::model::{
    Prompt, PromptMessage, ToolCall, ToolDefinition,
    dialect::{Adaptation, Adaptations},
    json_schema,
    protocol::Sampling,
};

pub fn body(model: &str, endpoint: &str, sampling: Sampling, prompt: &Prompt, adaptations: &Adaptations) -> Value {
    let has = |adaptation| adaptations.contains(&adaptation);
    let mut body = Map::new();
    body.insert("model".into(), json!(model));
    body.insert("messages".into(), messages(prompt, endpoint, adaptations).into());
    if prompt.sends_tools(adaptations) {
        body.insert(
            "tools".into(),
            prompt
                .tools
                .iter()
                .map(|definition| tool(definition, adaptations))
                .collect(),
        );
        if !prompt.may_call_tools {
            body.insert("tool_choice".into(), json!("none"));
        }
    }
    body.insert("stream".into(), json!(true));
    if !has(Adaptation::NoStreamOptions) {
        body.insert("stream_options".into(), json!({ "include_usage": true }));
    }
    if !has(Adaptation::NoOutputLimit) {
        let is_old = has(Adaptation::MaxTokens) && !has(Adaptation::MaxCompletionTokens);
        let name = if is_old { "max_tokens" } else { "max_completion_tokens" };
        body.insert(name.into(), json!(prompt.max_output_tokens));
    }
    let optional = [
        (
            "temperature",
            sampling.temperature.map(|value| json!(value)),
            Adaptation::NoTemperature,
        ),
        ("top_p", sampling.top_p.map(|value| json!(value)), Adaptation::NoTopP),
        (
            "reasoning_effort",
            sampling.reasoning_effort.map(|effort| json!(effort.name())),
            Adaptation::NoReasoningEffort,
        ),
    ];
    for (name, value, without) in optional {
        if let Some(value) = value.filter(|_| !has(without)) {
            body.insert(name.into(), value);
        }
    }
    Value::Object(body)
}

fn tool(tool: &ToolDefinition, adaptations: &Adaptations) -> Value {
    let schema = match adaptations.contains(&Adaptation::PlainSchemas) {
        true => json_schema::plain(&tool.schema),
        false => tool.schema.clone(),
    };
    let mut function = json!({ "name": tool.name, "description": tool.description, "parameters": schema });
    if !adaptations.contains(&Adaptation::NoStrict) {
        function["strict"] = json!(true);
    }
    json!({ "type": "function", "function": function })
}

/// The messages, as strict chat templates want them: the instructions first, then user and assistant in turns, beginning with the user.
fn messages(prompt: &Prompt, endpoint: &str, adaptations: &Adaptations) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::new();
    for message in &prompt.messages {
        let next = match message {
            PromptMessage::System(text) if adaptations.contains(&Adaptation::SystemAsUser) => {
                message_json("user", text)
            }
            PromptMessage::System(text) => message_json("system", text),
            PromptMessage::Context(text) | PromptMessage::Shopper(text) => message_json("user", text),
            PromptMessage::ToolResult { call_id, content } => {
                json!({ "role": "tool", "tool_call_id": call_id, "content": content })
            }
            PromptMessage::Assistant { text, calls, .. } if calls.is_empty() => message_json("assistant", text),
            PromptMessage::Assistant { text, calls, echo } => {
                let mut message = message_json("assistant", text);
                if text.is_empty() && !adaptations.contains(&Adaptation::EmptyContent) {
                    message["content"] = Value::Null;
                }
                message["tool_calls"] = calls.iter().map(called).collect();
                if let Some(echo) = echo.as_ref().filter(|echo| *echo.endpoint == *endpoint) {
                    give_back(&mut message, &echo.data);
                }
                message
            }
        };
        let is_first = !messages.iter().any(|message| message["role"] != "system");
        if is_first && next["role"] == "assistant" {
            // A conversation that staff began.
            messages.push(message_json("user", "(The shopper has not written yet.)"));
        }
        match messages.last_mut().filter(|last| joins(last, &next)) {
            Some(last) => {
                let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
                last["content"] = json!(format!("{}\n\n{}", text(last), text(&next)));
            }
            None => messages.push(next),
        }
    }
    messages
}

/// Whether two messages of the same speaker stand side by side, and neither calls a tool.
fn joins(last: &Value, next: &Value) -> bool {
    let plain = |message: &Value| message["content"].is_string() && message.get("tool_calls").is_none();
    last["role"] == next["role"] && last["role"] != "tool" && plain(last) && plain(next)
}

fn message_json(role: &str, text: &str) -> Value {
    json!({ "role": role, "content": text })
}

fn called(call: &ToolCall) -> Value {
    json!({ "id": call.id, "type": "function", "function": { "name": call.tool, "arguments": call.arguments } })
}

/// Adds the fields that the endpoint wants back: `{"message": {…}, "calls": {"<id>": {…}}}`.
fn give_back(message: &mut Value, echo: &Value) {
    if let (Some(message), Some(fields)) = (message.as_object_mut(), echo["message"].as_object()) {
        message.extend(fields.clone());
    }
    for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
        let id = call["id"].as_str().unwrap_or_default().to_owned();
        if let (Some(call), Some(fields)) = (call.as_object_mut(), echo["calls"][&id].as_object()) {
            call.extend(fields.clone());
        }
    }
}
