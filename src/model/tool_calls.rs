//! Tool calls put together from the pieces in which servers stream them.
//!
//! OpenAI sends an index, an id and a name once, and the arguments as text in pieces. Others leave out the index or the id, repeat or change
//! them, begin to count at one, send the name with every piece, the arguments as an object, or a whole call twice.

use std::collections::HashSet;

use serde_json::Value;

use super::{CallFault, ModelError, ToolCall};

/// An answer with more calls than this is rejected.
const MAX_CALLS: usize = 16;
/// The longest arguments of one call, in bytes. The registry refuses shorter ones already; this bounds memory.
const MAX_ARGUMENTS: usize = 64 * 1024;
/// The longest name and the longest id that are echoed, by OpenAI's and Anthropic's patterns.
const MAX_NAME: usize = 64;

/// A piece of a call, as far as the server says what it belongs to.
#[derive(Debug, Default)]
pub struct Piece<'a> {
    pub index: Option<i64>,
    pub id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub arguments: Option<&'a Value>,
    /// Fields of the provider's own that it wants back with the call.
    pub extra: Option<Value>,
}

#[derive(Default)]
struct Open {
    index: Option<i64>,
    id: String,
    name: String,
    arguments: String,
    extra: Option<Value>,
    too_long: bool,
}

/// The calls of one answer.
#[derive(Default)]
pub struct ToolCalls {
    open: Vec<Open>,
    /// Names that are tools. They tell a name that comes in pieces from a second call.
    known: Vec<&'static str>,
}

/// A finished call and what its provider wants back with it.
pub struct Finished {
    pub call: ToolCall,
    pub extra: Option<Value>,
}

impl ToolCalls {
    pub fn new(known: Vec<&'static str>) -> Self {
        Self {
            open: Vec::new(),
            known,
        }
    }

    /// Adds a piece to the call that it belongs to, or begins a call with it.
    pub fn add(&mut self, piece: Piece<'_>) -> Result<(), ModelError> {
        let (id, name) = (piece.id.unwrap_or_default(), piece.name.unwrap_or_default());
        let arguments = match piece.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(whole) => whole.to_string(),
        };
        let at = match self.belongs_to(piece.index, id, name, &arguments) {
            Some(at) => at,
            None if id.is_empty() && name.is_empty() && arguments.trim().is_empty() => return Ok(()),
            None if self.open.len() == MAX_CALLS => return Err(ModelError::TooLong),
            None => {
                self.open.push(Open {
                    index: piece.index,
                    ..Open::default()
                });
                self.open.len() - 1
            }
        };
        let call = &mut self.open[at];
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if !name.is_empty() && call.name != name {
            call.name.push_str(name);
            call.name.truncate(call.name.floor_char_boundary(4 * MAX_NAME));
        }
        // A server that ends with the whole call once more says nothing new.
        let is_repeated = call.arguments == arguments && is_object(&arguments);
        // Anthropic's empty input, which a proxy passes on before the pieces of the real one.
        if !arguments.is_empty() && !is_repeated && call.arguments.trim() == "{}" {
            call.arguments.clear();
        }
        if !is_repeated {
            call.arguments.push_str(&arguments);
        }
        call.too_long |= call.arguments.len() > MAX_ARGUMENTS;
        if call.too_long {
            call.arguments.clear();
        }
        call.extra = piece.extra.or(call.extra.take());
        Ok(())
    }

    /// The call that a piece goes on with. None when it begins one.
    fn belongs_to(&self, index: Option<i64>, id: &str, name: &str, arguments: &str) -> Option<usize> {
        let same_index = index.and_then(|index| self.open.iter().rposition(|call| call.index == Some(index)));
        if index.is_some() && same_index.is_none() {
            // A new index begins a call, unless the piece has nothing that a call begins with.
            return (id.is_empty() && name.is_empty())
                .then(|| self.open.len().checked_sub(1))
                .flatten();
        }
        let same_id = (!id.is_empty())
            .then(|| self.open.iter().rposition(|call| call.id == id))
            .flatten();
        let at = same_index.or(same_id).or_else(|| self.open.len().checked_sub(1))?;
        let call = &self.open[at];
        if name.is_empty() {
            return Some(at);
        }
        let begins_anew = !arguments.trim().is_empty() && is_object(&call.arguments) && call.arguments != arguments;
        let other_call = !id.is_empty() && !call.id.is_empty() && call.id != id;
        let other_tool = name != call.name && self.known.contains(&name) && self.known.contains(&&call.name[..]);
        // Some servers send a new id with every piece. The piece starts another call only if the previous call is complete or empty.
        let is_complete = is_object(&call.arguments) || call.arguments.is_empty();
        match begins_anew || other_tool || (other_call && is_complete) {
            true => None,
            false => Some(at),
        }
    }

    /// The calls in their order, each with an id of its own, a name that providers take back and arguments that parse.
    /// `cut`: the answer ended at its length limit.
    pub fn finish(self, cut: bool) -> Vec<Finished> {
        let mut ids = HashSet::new();
        let last = self.open.len().saturating_sub(1);
        let known = self.known;
        let finish = |(at, open): (usize, Open)| {
            let (arguments, fault) = match open.too_long {
                true => (None, CallFault::TooLong),
                false if cut && at == last => (object(&open.arguments), CallFault::CutOff),
                false => (object(&open.arguments), CallFault::NotJson),
            };
            let call = ToolCall {
                id: distinct_id(&open.id, at, &mut ids),
                tool: tool_name(&open.name, &known),
                fault: arguments.is_none().then_some(fault),
                arguments: arguments.unwrap_or_else(|| "{}".to_owned()),
            };
            Finished {
                call,
                extra: open.extra,
            }
        };
        self.open.into_iter().enumerate().map(finish).collect()
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The text of a JSON object: as it stands, written as a JSON string, or nothing at all for no arguments.
fn object(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text == "null" {
        return Some("{}".to_owned());
    }
    if is_object(text) {
        return Some(text.to_owned());
    }
    if let Ok(inner) = serde_json::from_str::<String>(text) {
        return is_object(&inner).then_some(inner);
    }
    // Some parsers flush the arguments a second time at the end.
    let (first, second) = text.split_at_checked(text.len() / 2)?;
    (first == second && is_object(first)).then(|| first.to_owned())
}

/// The model's own id, or one of nine letters and digits, which every provider's pattern takes, where it is missing, doubled or odd.
fn distinct_id(id: &str, at: usize, taken: &mut HashSet<String>) -> String {
    let fits = !id.is_empty() && id.len() <= MAX_NAME && id.bytes().all(|byte| byte.is_ascii_graphic());
    let mut found = if fits { id.to_owned() } else { format!("call{at:05}") };
    let mut next = at;
    while !taken.insert(found.clone()) {
        found = format!("call{next:05}");
        next += MAX_CALLS;
    }
    found
}

/// What some models were taught to write before a tool's name.
const PREFIXES: [&str; 3] = ["functions.", "default_api.", "default_api:"];

/// The name as it may be echoed, without a prefix that the model was taught. Whether there is such a tool is seen where it is run.
fn tool_name(name: &str, known: &[&'static str]) -> String {
    let name = name.trim();
    let bare = PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .filter(|bare| known.contains(bare));
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
            c
        } else {
            '_'
        }
    };
    let name: String = bare.unwrap_or(name).chars().map(letter).take(MAX_NAME).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KNOWN: [&str; 2] = ["get_order", "list_orders"];

    proptest! {
        /// Whatever pieces come, what is sent back to the provider is valid.
        #[test]
        fn every_finished_call_can_be_echoed(pieces in proptest::collection::vec(
            (proptest::option::of(-1i64..4), proptest::option::of("[ab]?"), proptest::option::of("(get_order|list_orders|functions.get_order|é|)"),
             prop_oneof![Just(json!(null)), Just(json!({})), Just(json!({"a": 1})), "[{}\"a:1, ]{0,6}".prop_map(Value::String)]), 0..40), cut: bool) {
            let mut calls = ToolCalls::new(KNOWN.to_vec());
            for (index, id, name, arguments) in &pieces {
                let piece = Piece { index: *index, id: id.as_deref(), name: name.as_deref(), arguments: Some(arguments), extra: None };
                if calls.add(piece).is_err() { break; }
            }
            let calls = calls.finish(cut);
            let ids: HashSet<_> = calls.iter().map(|finished| finished.call.id.clone()).collect();
            prop_assert_eq!(ids.len(), calls.len());
            for Finished { call, .. } in calls {
                let arguments: Value = serde_json::from_str(&call.arguments).expect("JSON");
                prop_assert!(arguments.is_object());
                prop_assert!(!call.tool.is_empty() && call.tool.len() <= MAX_NAME);
                prop_assert!(call.tool.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')));
                prop_assert!(!call.id.is_empty() && call.id.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
