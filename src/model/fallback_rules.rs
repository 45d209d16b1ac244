//! The fallback rules: no language model at all, but plain rules that understand the common questions of a shop and call the same tools.
//! They are what every shopper gets when no model answers, so they are modest: they look things up, they propose nothing without a
//! question back, and they say so when they do not understand. Their answers are labelled as such.

mod intents;
mod clauses;
mod human_request;
#[cfg(test)]
mod phrases;
mod references;
mod return_flow;
mod suggestions;
mod render;
mod vocabulary;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use intents::{DetectedIntent, Intent, calls, intents};
use render::{ToolResult, list, render, text};
use return_flow::{Answer, Question, answer_to, candidates, propose, question_in};

use super::{AnswerSource, Chunk, ChunkStream, Model, ModelError, Prompt, PromptMessage, ToolCall, Usage};
use crate::{
    cpu_pool::{Busy, MESSAGES},
    language::{Language, TextKey},
    store::order_number,
};

pub use human_request::wants_person;
pub use suggestions::suggestions;

pub struct FallbackRules;

impl Model for FallbackRules {
    fn answer(&self, prompt: Prompt) -> ChunkStream {
        stream::once(answer_in_pool(prompt)).flatten().boxed()
    }

    fn source(&self) -> AnswerSource {
        AnswerSource::Offline
    }
}

/// Answers off the runtime's threads, because a long message takes more than a millisecond to read.
async fn answer_in_pool(prompt: Prompt) -> ChunkStream {
    let chunks = match MESSAGES.run(None, move || chunks(&prompt)).await {
        Ok(chunks) => chunks.into_iter().map(Ok).collect(),
        Err(Busy) => vec![Err(ModelError::CircuitOpen)],
    };
    stream::iter(chunks).boxed()
}

fn chunks(prompt: &Prompt) -> Vec<Chunk> {
    let chunks: Vec<Chunk> = match reply(prompt) {
        Reply::Call(calls) => {
            let call = |(at, (tool, arguments)): (usize, (&str, Value))| {
                Chunk::Call(ToolCall {
                    id: format!("offline-{}-{at}", prompt.messages.len()),
                    tool: tool.to_owned(),
                    arguments: arguments.to_string(),
                    fault: None,
                })
            };
            calls.into_iter().enumerate().map(call).collect()
        }
        // Word by word, so that whoever builds a front end sees streaming.
        Reply::Say(text) => text
            .split_inclusive(' ')
            .map(|word| Chunk::Text(word.to_owned()))
            .collect(),
    };
    chunks.into_iter().chain([Chunk::End(Usage::default(), None)]).collect()
}

type Call = (&'static str, Value);

enum Reply {
    Call(Vec<Call>),
    Say(String),
}

/// What the rules can do, said to whoever does not ask for anything.
const HELP: TextKey = TextKey("fallback-help");
const NOT_UNDERSTOOD: TextKey = TextKey("fallback-not-understood");
/// Said to whoever asks if a person is there.
const PERSON_OFFERED: TextKey = TextKey("fallback-person-offered");

/// What is known when the rules are asked: the shopper's message and what was looked up since.
struct Turn<'a> {
    message: &'a str,
    intents: Vec<DetectedIntent>,
    results: Vec<ToolResult<'a>>,
    is_guest: bool,
    language: Language,
}

fn reply(prompt: &Prompt) -> Reply {
    let is_shopper = |message: &PromptMessage| matches!(message, PromptMessage::Shopper(_));
    let Some(at) = prompt.messages.iter().rposition(is_shopper) else {
        return Reply::Say(HELP.in_language(prompt.language));
    };
    let PromptMessage::Shopper(message) = &prompt.messages[at] else {
        return Reply::Say(HELP.in_language(prompt.language));
    };
    let results = render::results(&prompt.messages[at + 1..]);
    // What the server says of the turn stands between the answer before and the message.
    let is_context = |message: &&PromptMessage| matches!(message, PromptMessage::Context(_));
    let before = prompt.messages[..at].iter().rev().find(|message| !is_context(message));
    let asked = before.and_then(|before| match before {
        PromptMessage::Assistant { text, .. } => question_in(text),
        _ => None,
    });
    match (&asked, answer_to(asked.as_ref(), message)) {
        (Some(question), Some(Answer::Yes)) => return confirmed(question, &results, prompt.language),
        (Some(_), Some(Answer::No)) => {
            return Reply::Say(TextKey("fallback-return-not-asked").in_language(prompt.language));
        }
        _ => {}
    }
    let turn = Turn {
        message,
        intents: intents(message),
        results,
        is_guest: !prompt.tools.iter().any(|tool| tool.name == "return_items"),
        language: prompt.language,
    };
    match turn.next_calls() {
        none if none.is_empty() => Reply::Say(turn.render()),
        calls => Reply::Call(calls),
    }
}

/// The shopper has said yes to the question: the order is looked at again, and what was asked is proposed if it still fits.
fn confirmed(question: &Question, results: &[ToolResult<'_>], language: Language) -> Reply {
    let newest = |tool: &str| results.iter().rev().find(|result| result.tool == tool);
    if let Some(proposed) = newest("return_items") {
        return Reply::Say(render(proposed, language));
    }
    match newest("get_order") {
        None => Reply::Call(vec![("get_order", json!({ "order_number": question.number }))]),
        Some(order) if !order.is_found() => Reply::Say(render(order, language)),
        Some(order) => match propose(question, order.data()) {
            Some(call) => Reply::Call(vec![call]),
            None => Reply::Say(return_flow::ask_back(order.data(), "", language)),
        },
    }
}

impl Turn<'_> {
    fn text(&self, key: TextKey) -> String {
        key.in_language(self.language)
    }

    fn wants(&self, intent: &Intent) -> Option<&DetectedIntent> {
        self.intents.iter().find(|detected| detected.intent == *intent)
    }

    /// The return that is asked for, where the shopper can ask for one.
    fn wanted_return(&self) -> Option<&DetectedIntent> {
        self.wants(&Intent::Return).filter(|_| !self.is_guest)
    }

    fn newest(&self, tool: &str) -> Option<&ToolResult<'_>> {
        self.results.iter().rev().find(|result| result.tool == tool)
    }

    /// What is to be looked up next; nothing when all is there that an answer needs.
    fn next_calls(&self) -> Vec<Call> {
        if self.results.is_empty() {
            let possible = self
                .intents
                .iter()
                .filter(|detected| detected.intent != Intent::Return || !self.is_guest);
            return calls(possible, self.message);
        }
        // A guest has no orders to fall back to.
        if !self.is_guest && self.newest("list_orders").is_none() && !self.missing().is_empty() {
            return vec![("list_orders", json!({}))];
        }
        match self.chosen() {
            Some(number) if self.order(number).is_none() && !self.was_asked(number) => {
                vec![("get_order", json!({ "order_number": number }))]
            }
            _ => Vec::new(),
        }
    }

    /// The numbers that no order of the shopper has.
    fn missing(&self) -> Vec<&str> {
        let missing = self.results.iter().filter(|result| result.is_missing_order());
        missing.filter_map(ToolResult::order_number).collect()
    }

    /// The order that a return without a number means, if there is but one.
    fn chosen(&self) -> Option<&str> {
        let orders = self.returnable()?;
        let [order] = &orders[..] else { return None };
        Some(text(order, "number")).filter(|number| !number.is_empty())
    }

    /// The orders that a return without a number may mean; none where there is no such return, or no list yet.
    fn returnable(&self) -> Option<Vec<&Value>> {
        self.wanted_return().filter(|detected| detected.numbers.is_empty())?;
        let orders = self.newest("list_orders").filter(|orders| orders.is_found())?;
        Some(candidates(list(orders.data(), "orders"), self.message))
    }

    fn order(&self, number: &str) -> Option<&Value> {
        let number = order_number::fold(number);
        let orders = self
            .results
            .iter()
            .filter(|result| result.tool == "get_order" && result.is_found());
        let mut orders = orders.filter(|result| {
            let asked = result.order_number().map(order_number::fold);
            asked.as_ref() == Some(&number) || order_number::fold(text(result.data(), "number")) == number
        });
        orders.next().map(ToolResult::data)
    }

    fn was_asked(&self, number: &str) -> bool {
        let number = order_number::fold(number);
        let mut asked = self.results.iter().filter_map(ToolResult::order_number);
        asked.any(|it| order_number::fold(it) == number)
    }

    /// The order whose return is asked back about.
    fn order_to_return(&self) -> Option<&Value> {
        match self
            .wanted_return()?
            .numbers
            .iter()
            .find_map(|number| self.order(number))
        {
            Some(order) => Some(order),
            None => self.order(self.chosen()?),
        }
    }

    /// The answer, a paragraph a thing. A question back is the last one, so that a yes is to it.
    fn render(&self) -> String {
        let mut said: Vec<String> = Vec::new();
        let to_return = self.order_to_return();
        for result in &self.results {
            let is_asked_back = to_return.is_some_and(|order| std::ptr::eq(order, result.data()));
            let words = match result.tool {
                _ if is_asked_back || result.is_missing_order() => continue,
                "list_orders" if result.is_found() => match self.render_orders(result.data()) {
                    Some(words) => words,
                    None => continue,
                },
                "get_refund_status" if result.is_found() && self.wants(&Intent::ReturnState).is_some() => {
                    render::render_return(result.data(), self.language)
                }
                _ => render(result, self.language),
            };
            if !said.contains(&words) {
                said.push(words);
            }
        }
        let no_list = !self.newest("list_orders").is_some_and(ToolResult::is_found);
        if no_list && !self.missing().is_empty() {
            said.insert(0, self.text(TextKey("fallback-not-found")));
        }
        if self.wants(&Intent::Return).is_some() && self.is_guest {
            said.push(self.text(TextKey("fallback-sign-in-first")));
        }
        if self.wants(&Intent::AskIfHuman).is_some() {
            said.push(self.text(PERSON_OFFERED));
        }
        if self.wants(&Intent::Change).is_some() {
            said.push(self.text(TextKey("fallback-no-change")));
        }
        if let Some(order) = to_return {
            said.push(return_flow::ask_back(order, self.message, self.language));
        } else if let Some(orders) = self.returnable().filter(|orders| orders.len() > 1) {
            said.push(render::ask_which(&orders, self.language));
        }
        if said.is_empty() {
            said.push(self.text(if clauses::is_greeting(self.message) {
                HELP
            } else {
                NOT_UNDERSTOOD
            }));
        }
        said.join("\n\n")
    }

    /// The shopper's orders, and why they are told: a number fits none, or none can be returned. None where a question back tells them.
    fn render_orders(&self, data: &Value) -> Option<String> {
        let returnable = self.returnable();
        if returnable.as_ref().is_some_and(|orders| !orders.is_empty()) {
            return None;
        }
        let orders = match list(data, "orders").is_empty() && self.is_guest {
            true => self.text(TextKey("fallback-guest-orders")),
            false => render::render_orders(data, self.language),
        };
        let missing = self.missing().join(", ");
        if !missing.is_empty() {
            let none = TextKey("fallback-no-such-order").with(self.language, &[("number", missing.into())]);
            return Some(format!("{none} {orders}"));
        }
        match returnable.is_some() && !list(data, "orders").is_empty() {
            true => Some(format!("{} {orders}", self.text(TextKey("fallback-nothing-to-return")))),
            false => Some(orders),
        }
    }
}
