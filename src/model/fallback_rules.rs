//! The offline model: no language model at all, but plain rules that understand the common questions of a shop and call
//! the same tools. For the demo and for tests of a store; its answers are labelled as such.

mod asking;
mod telling;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use asking::{ask, wants_return};
use telling::{list, tell, text};

use super::{Chunk, ChunkStream, Model, Prompt, PromptMessage, Source, ToolCall, Usage};
use crate::language::{LocalizedText, TextKey};

pub struct OfflineModel;

impl Model for OfflineModel {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        let chunks = match reply(&prompt) {
            Reply::Call(tool, arguments) => {
                vec![Chunk::Call(ToolCall {
                    id: format!("offline-{}", prompt.messages.len()),
                    tool: tool.into(),
                    arguments: arguments.to_string(),
                    fault: None,
                })]
            }
            // Word by word, so that whoever builds a front end sees streaming.
            Reply::Say(text) => text
                .in_language(prompt.language)
                .split_inclusive(' ')
                .map(|word| Chunk::Text(word.to_owned()))
                .collect(),
        };
        stream::iter(chunks.into_iter().chain([Chunk::End(Usage::default(), None)]).map(Ok)).boxed()
    }

    fn source(&self) -> Source {
        Source::Offline
    }
}

enum Reply {
    Call(&'static str, Value),
    Say(LocalizedText),
}

const HELP: TextKey = TextKey("offline-help");

fn reply(prompt: &Prompt) -> Reply {
    let last_question = prompt
        .messages
        .iter()
        .rposition(|message| matches!(message, PromptMessage::Shopper(_)));
    let Some(PromptMessage::Shopper(question)) = last_question.map(|at| &prompt.messages[at]) else {
        return Reply::Say(HELP.everywhere());
    };
    let since = &prompt.messages[last_question.unwrap_or_default()..];
    match latest_result(since) {
        Some(("get_order", result)) if wants_return(question) && result.get("error").is_none() => {
            return_all(&result["data"])
        }
        Some((tool, result)) => Reply::Say(tell(tool, &result)),
        None => ask(question),
    }
}

/// Everything in the order, back to where it was paid from. Rules choose no items; a model would ask.
fn return_all(order: &Value) -> Reply {
    let items: Vec<&str> = list(order, "lines")
        .iter()
        .flat_map(|line| {
            let units = line["quantity"].as_u64().unwrap_or(1);
            std::iter::repeat_n(text(line, "item_id"), units.min(50) as usize)
        })
        .collect();
    let payment = list(order, "payments")
        .first()
        .map(|payment| text(payment, "payment_method_id"));
    Reply::Call(
        "return_items",
        json!({ "order_number": text(order, "number"), "item_ids": items, "payment_method_id": payment }),
    )
}

/// The newest tool result since the question, with the tool that gave it.
fn latest_result(since: &[PromptMessage]) -> Option<(&str, Value)> {
    let (call_id, content) = since.iter().rev().find_map(|message| match message {
        PromptMessage::ToolResult { call_id, content } => Some((call_id, content)),
        _ => None,
    })?;
    let tool = since.iter().find_map(|message| match message {
        PromptMessage::Assistant { calls, .. } => calls
            .iter()
            .find(|call| call.id == *call_id)
            .map(|call| call.tool.as_str()),
        _ => None,
    })?;
    Some((tool, serde_json::from_str(content).ok()?))
}
