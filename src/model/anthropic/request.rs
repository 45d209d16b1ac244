//! A prompt as the body of a Messages request, laid out for the provider's cache.

use serde_json::{Map, Value, json};

use crate::model::{
    Prompt, PromptMessage, ToolCall,
    dialect::{Adaptation, Adaptations},
    json_schema,
    protocol::{Effort, Sampling},
};

pub fn body(model: &str, endpoint: &str, sampling: Sampling, prompt: &Prompt, adaptations: &Adaptations) -> Value {
    let has = |adaptation| adaptations.contains(&adaptation);
    let (system, messages) = messages(prompt, endpoint);
    let mut body = Map::new();
    body.insert("model".into(), json!(model));
    body.insert("max_tokens".into(), json!(prompt.max_output_tokens));
    // Reasoning counts as output: half of the answer's limit at most goes there.
    let effort = sampling
        .reasoning_effort
        .filter(|_| !has(Adaptation::NoReasoningEffort));
    let thinking = effort
        .and_then(budget)
        .map(|budget| budget.min(prompt.max_output_tokens / 2))
        .filter(|budget| *budget >= MIN_THINKING);
    if let Some(budget) = thinking {
        body.insert("thinking".into(), json!({ "type": "enabled", "budget_tokens": budget }));
    }
    body.insert("stream".into(), json!(true));
    if !system.is_empty() {
        body.insert(
            "system".into(),
            json!([{ "type": "text", "text": system, "cache_control": cached() }]),
        );
    }
    let mut tools: Vec<Value> = prompt
        .tools
        .iter()
        .map(|tool| {
            let schema = if has(Adaptation::PlainSchemas) {
                json_schema::plain(&tool.schema)
            } else {
                tool.schema.clone()
            };
            json!({ "name": tool.name, "description": tool.description, "input_schema": schema })
        })
        .collect();
    if let Some(last) = tools.last_mut() {
        last["cache_control"] = cached();
        body.insert("tools".into(), tools.into());
        if !prompt.may_call_tools {
            body.insert("tool_choice".into(), json!({ "type": "none" }));
        }
    }
    body.insert("messages".into(), messages.into());
    // A model that thinks takes neither.
    if thinking.is_none() {
        if let Some(temperature) = sampling.temperature.filter(|_| !has(Adaptation::NoTemperature)) {
            body.insert("temperature".into(), json!(temperature.min(1.0)));
        }
        if let Some(top_p) = sampling.top_p.filter(|_| !has(Adaptation::NoTopP)) {
            body.insert("top_p".into(), json!(top_p));
        }
    }
    Value::Object(body)
}

/// The least that the API takes for reasoning, in tokens.
/// <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>
const MIN_THINKING: u32 = 1_024;

/// How many tokens of reasoning an effort allows.
fn budget(effort: Effort) -> Option<u32> {
    match effort {
        Effort::Minimal => None,
        Effort::Low => Some(MIN_THINKING),
        Effort::Medium => Some(4_096),
        Effort::High => Some(16_384),
    }
}

fn cached() -> Value {
    json!({ "type": "ephemeral" })
}

/// The instructions, and the messages: user and assistant in turns, each a list of blocks.
fn messages(prompt: &Prompt, endpoint: &str) -> (String, Vec<Value>) {
    let (mut system, mut messages) = (Vec::new(), Vec::<Value>::new());
    let mut add = |role: &str, blocks: Vec<Value>| match messages.last_mut().filter(|last| last["role"] == role) {
        Some(last) => {
            if let Value::Array(content) = &mut last["content"] {
                content.extend(blocks);
            }
        }
        None => messages.push(json!({ "role": role, "content": blocks })),
    };
    for message in &prompt.messages {
        match message {
            PromptMessage::System(text) => system.push(text.as_str()),
            PromptMessage::Context(said) | PromptMessage::Shopper(said) => add("user", text(said)),
            PromptMessage::ToolResult { call_id, content } => {
                add(
                    "user",
                    vec![json!({ "type": "tool_result", "tool_use_id": id(call_id), "content": content })],
                );
            }
            PromptMessage::Assistant { echo: Some(echo), .. } if *echo.endpoint == *endpoint => {
                add("assistant", echo.data.as_array().cloned().unwrap_or_default());
            }
            PromptMessage::Assistant { text: said, calls, .. } => {
                add(
                    "assistant",
                    text(said).into_iter().chain(calls.iter().map(call)).collect(),
                );
            }
        }
    }
    messages.retain(|message| message["content"].as_array().is_some_and(|content| !content.is_empty()));
    if messages.first().is_some_and(|first| first["role"] == "assistant") {
        messages.insert(
            0,
            json!({ "role": "user", "content": text("(The shopper has not written yet.)") }),
        );
    }
    cache_history(&mut messages);
    (system.join("\n\n"), messages)
}

/// Marks the end of what the next turn begins with as well: all before the newest message of the shopper, or the newest result of a tool.
fn cache_history(messages: &mut [Value]) {
    let is_result = |message: &Value| message["content"][0]["type"] == "tool_result";
    let at = match messages {
        [.., last] if is_result(last) => messages.len() - 1,
        [.., before, _] if before["role"] == "assistant" => messages.len() - 2,
        _ => return,
    };
    if let Some(block) = messages[at]["content"]
        .as_array_mut()
        .and_then(|content| content.last_mut())
        && matches!(block["type"].as_str(), Some("text" | "tool_use" | "tool_result"))
    {
        block["cache_control"] = cached();
    }
}

/// A text as blocks; the API refuses an empty one.
fn text(text: &str) -> Vec<Value> {
    match text.trim().is_empty() {
        true => Vec::new(),
        false => vec![json!({ "type": "text", "text": text })],
    }
}

fn call(call: &ToolCall) -> Value {
    let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    json!({ "type": "tool_use", "id": id(&call.id), "name": call.tool, "input": input })
}

/// An id by the API's pattern: letters, digits, `_` and `-`. Another endpoint may have made it.
fn id(id: &str) -> String {
    id.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect()
}
