//! A model that is told what to say, for integration tests of a store's front end; without a script it answers by the rules.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AnswerSource, Chunk, ChunkStream, FallbackRules, Model, ModelError, Prompt, PromptMessage, ToolCall, Usage,
};

/// One answer.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct ScriptedReply {
    /// Said word by word.
    #[serde(default)]
    pub text: String,
    /// Tools that are called after it.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// Before the first word, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// Break off after the text.
    #[serde(default)]
    pub fail: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub tool: String,
    pub arguments: Value,
}

/// Clones share their script.
#[derive(Clone, Default)]
pub struct TestControl {
    replies: Arc<Mutex<VecDeque<ScriptedReply>>>,
    asked: Arc<Mutex<Vec<Value>>>,
    /// Whether the newest answer was a scripted one.
    is_scripted: Arc<AtomicBool>,
}

impl TestControl {
    /// Adds answers; each time the model is asked takes one.
    pub fn add_replies(&self, replies: Vec<ScriptedReply>) {
        lock(&self.replies).extend(replies);
    }

    /// What it was asked so far, message by message.
    pub fn asked(&self) -> Vec<Value> {
        lock(&self.asked).clone()
    }

    pub fn forget(&self) {
        lock(&self.replies).clear();
        lock(&self.asked).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Model for TestControl {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        let messages: Vec<Value> = prompt.messages.iter().map(to_model_json).collect();
        lock(&self.asked).push(json!({ "messages": messages }));
        let reply = lock(&self.replies).pop_front();
        self.is_scripted.store(reply.is_some(), Ordering::Relaxed);
        let Some(reply) = reply else {
            return FallbackRules.answer(prompt);
        };
        let words = reply
            .text
            .split_inclusive(' ')
            .map(|word| Ok(Chunk::Text(word.to_owned())));
        let calls = reply.calls.iter().enumerate().map(|(position, call)| {
            Ok(Chunk::Call(ToolCall {
                id: format!("scripted-{}-{position}", prompt.messages.len()),
                tool: call.tool.clone(),
                arguments: call.arguments.to_string(),
                fault: None,
            }))
        });
        let end = match reply.fail {
            true => Err(ModelError::CutOff),
            false => Ok(Chunk::End(Usage::default(), None)),
        };
        let chunks: Vec<_> = words.chain(calls).chain([end]).collect();
        let wait = Duration::from_millis(reply.delay_ms);
        let answer = async move {
            tokio::time::sleep(wait).await;
            stream::iter(chunks)
        };
        stream::once(answer).flatten().boxed()
    }

    fn source(&self) -> AnswerSource {
        match self.is_scripted.load(Ordering::Relaxed) {
            true => AnswerSource::Model,
            false => AnswerSource::Offline,
        }
    }
}

fn to_model_json(message: &PromptMessage) -> Value {
    match message {
        PromptMessage::System(text) => json!({ "role": "system", "content": text }),
        PromptMessage::Context(text) => json!({ "role": "context", "content": text }),
        PromptMessage::Shopper(text) => json!({ "role": "user", "content": text }),
        PromptMessage::Assistant { text, .. } => json!({ "role": "assistant", "content": text }),
        PromptMessage::ToolResult { content, .. } => json!({ "role": "tool", "content": content }),
    }
}
