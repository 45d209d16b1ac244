//! The questions that a model is checked with, and what a right answer to each is.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use crate::{
    language::Language,
    model::{ModelError, Prompt, PromptMessage, ToolCall, ToolDefinition},
};

/// What holds for the turn, in the form of a real one.
const CONTEXT: &str = "[server]\nNow: Monday 2026-01-05 10:00 (UTC)\nThe shopper's language: en\n[/server]";

/// What the model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Plain,
    OneTool,
    TwoTools,
}

/// A made-up tool: the call that the question needs, and the word that only its result holds.
struct Tool {
    name: &'static str,
    description: &'static str,
    argument: &'static str,
    right: &'static str,
    result: &'static str,
    fact: &'static str,
}

const TOOLS: [Tool; 2] = [
    Tool {
        name: "find_parcel",
        description: "Tells where a parcel is.",
        argument: "parcel",
        right: "P-17",
        result: r#"{"parcel":"P-17","place":"locker 4417"}"#,
        fact: "4417",
    },
    Tool {
        name: "find_counter",
        description: "Tells at which counter of the store a service is given, such as returns or repairs.",
        argument: "service",
        right: "returns",
        result: r#"{"service":"returns","counter":"counter 5386"}"#,
        fact: "5386",
    },
];

/// How the model dealt with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered the plain question.
    Answered,
    /// It called the tools as it should and answered from their results.
    CalledTools,
    /// It answered without the tools, as where a server's template drops them.
    IgnoredTools,
    /// It wrote a call into its text, as where a server does not read calls out of it.
    CallAsText,
    CalledWrongly(WrongCall),
    /// It called the tools, and its answer does not say what they returned, as where a template drops results.
    IgnoredResults,
    Failed(ModelError),
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongCall {
    /// There is no such tool.
    UnknownTool,
    /// The arguments are not those of the question, or no JSON object.
    Arguments,
    /// A tool that the question needs was not called.
    Missing,
    /// It calls again and again and never answers.
    NoEnd,
}

impl Outcome {
    pub fn is_right(self) -> bool {
        matches!(self, Self::Answered | Self::CalledTools)
    }
}

impl Question {
    pub const ALL: [Self; 3] = [Self::Plain, Self::OneTool, Self::TwoTools];

    fn text(self) -> &'static str {
        match self {
            Self::Plain => "Are you there? Answer with one short sentence.",
            Self::OneTool => "Where is my parcel P-17?",
            Self::TwoTools => "Where is my parcel P-17, and at which counter are returns taken?",
        }
    }

    fn tools(self) -> &'static [Tool] {
        match self {
            Self::Plain => &[],
            Self::OneTool => &TOOLS[..1],
            Self::TwoTools => &TOOLS,
        }
    }

    /// The prompt, in the form of a real one: instructions, what holds for the turn, the shopper's words.
    pub(super) fn prompt(self, instructions: &str, max_output_tokens: u32) -> Prompt {
        Prompt {
            model: None,
            summarizes: false,
            is_check: true,
            messages: vec![
                PromptMessage::System(instructions.to_owned()),
                PromptMessage::Context(CONTEXT.to_owned()),
                PromptMessage::Shopper(self.text().to_owned()),
            ],
            language: Language::EN,
            tools: definitions(self.tools()),
            may_call_tools: true,
            max_output_tokens,
        }
    }

    /// The result of a right call, or what is wrong with it.
    pub(super) fn run(self, call: &ToolCall) -> Result<&'static str, WrongCall> {
        let tool = self
            .tools()
            .iter()
            .find(|tool| tool.name == call.tool)
            .ok_or(WrongCall::UnknownTool)?;
        let arguments: Value = serde_json::from_str(&call.arguments).map_err(|_| WrongCall::Arguments)?;
        let given = arguments[tool.argument].as_str().unwrap_or_default();
        match call.fault.is_none() && given.trim().eq_ignore_ascii_case(tool.right) {
            true => Ok(tool.result),
            false => Err(WrongCall::Arguments),
        }
    }

    /// What an answer without calls is worth, after the tools in `called` were called.
    pub(super) fn judge(self, text: &str, called: &BTreeSet<String>) -> Outcome {
        let mut tools = self.tools().iter();
        if text.trim().is_empty() {
            Outcome::Failed(ModelError::Empty)
        } else if self.tools().is_empty() {
            Outcome::Answered
        } else if called.is_empty() {
            match tools.any(|tool| text.contains(tool.name)) {
                true => Outcome::CallAsText,
                false => Outcome::IgnoredTools,
            }
        } else if tools.clone().any(|tool| !called.contains(tool.name)) {
            Outcome::CalledWrongly(WrongCall::Missing)
        } else if tools.any(|tool| !text.contains(tool.fact)) {
            Outcome::IgnoredResults
        } else {
            Outcome::CalledTools
        }
    }
}

/// The plain question with a tool beside it: the least that shows whether a turn would be answered, a refusal of tools included.
pub fn plain_with_a_tool(max_output_tokens: u32) -> Prompt {
    let instructions = "You are the customer service assistant of an online store. Be brief.";
    Prompt {
        tools: definitions(&TOOLS[..1]),
        ..Question::Plain.prompt(instructions, max_output_tokens)
    }
}

fn definitions(tools: &[Tool]) -> Arc<[ToolDefinition]> {
    let definition = |tool: &Tool| ToolDefinition {
        name: tool.name,
        description: tool.description.to_owned(),
        schema: json!({
            "type": "object",
            "properties": { tool.argument: { "type": "string" } },
            "required": [tool.argument],
            "additionalProperties": false,
        }),
    };
    tools.iter().map(definition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: &str, arguments: &str) -> ToolCall {
        ToolCall {
            tool: tool.into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        }
    }

    #[test]
    fn a_call_is_right_with_the_tool_and_the_argument_of_the_question() {
        let one = Question::OneTool;
        assert!(one.run(&call("find_parcel", r#"{"parcel":" p-17"}"#)).is_ok());
        for (made, wrong) in [
            (call("find_parcels", r#"{"parcel":"P-17"}"#), WrongCall::UnknownTool),
            (call("find_counter", r#"{"service":"returns"}"#), WrongCall::UnknownTool),
            (call("find_parcel", r#"{"parcel":"17"}"#), WrongCall::Arguments),
            (call("find_parcel", "{}"), WrongCall::Arguments),
        ] {
            assert_eq!(one.run(&made), Err(wrong), "{made:?}");
        }
        assert!(
            Question::TwoTools
                .run(&call("find_counter", r#"{"service":"returns"}"#))
                .is_ok()
        );
    }

    #[test]
    fn an_answer_is_worth_what_it_says_of_the_results() {
        use Outcome as O;
        let both = ["find_parcel", "find_counter"];
        for (question, text, called, outcome) in [
            (Question::Plain, "Yes.", &[][..], O::Answered),
            (Question::Plain, " ", &[], O::Failed(ModelError::Empty)),
            (Question::OneTool, "I cannot look that up.", &[], O::IgnoredTools),
            (Question::OneTool, r#"find_parcel(parcel="P-17")"#, &[], O::CallAsText),
            (Question::OneTool, "In locker 4417.", &both[..1], O::CalledTools),
            (Question::OneTool, "On its way.", &both[..1], O::IgnoredResults),
            (
                Question::TwoTools,
                "4417, who knows.",
                &both[..1],
                O::CalledWrongly(WrongCall::Missing),
            ),
            (Question::TwoTools, "Locker 4417, counter 5386.", &both, O::CalledTools),
            (Question::TwoTools, "Locker 4417.", &both, O::IgnoredResults),
        ] {
            let called = called.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(question.judge(text, &called), outcome, "{text}");
        }
    }
}
