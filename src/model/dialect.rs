//! How an endpoint wants to be asked: what of our request it refuses, set beforehand or learnt from its refusals.

use std::{
    collections::BTreeSet,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};

use super::{ModelError, refusal::Refusal};

/// A change of the request that an endpoint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adaptation {
    /// The output limit is named `max_tokens`.
    MaxTokens,
    /// The output limit is named `max_completion_tokens`, though the endpoint was set to the other name.
    MaxCompletionTokens,
    /// No output limit is sent.
    NoOutputLimit,
    /// `stream_options` is not sent, so that the usage may not be known.
    NoStreamOptions,
    /// Tools are sent without `strict`.
    NoStrict,
    /// Schemas are sent without unions, formats and the like.
    PlainSchemas,
    NoTemperature,
    NoTopP,
    NoReasoningEffort,
    /// `tool_choice` is not sent. Where the model may not call tools, they are left out of the request.
    NoToolChoice,
    /// The instructions stand in the first message of the shopper.
    SystemAsUser,
    /// A call's message has an empty text in it, not null.
    EmptyContent,
    /// The answer begins inside the reasoning: its opening mark stands in the model's template.
    ReasoningFirst,
}

impl Adaptation {
    /// As it is shown to staff and by `model check`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::NoOutputLimit => "no_output_limit",
            Self::NoStreamOptions => "no_stream_options",
            Self::NoStrict => "no_strict",
            Self::PlainSchemas => "plain_schemas",
            Self::NoTemperature => "no_temperature",
            Self::NoTopP => "no_top_p",
            Self::NoReasoningEffort => "no_reasoning_effort",
            Self::NoToolChoice => "no_tool_choice",
            Self::SystemAsUser => "system_as_user",
            Self::EmptyContent => "empty_content",
            Self::ReasoningFirst => "reasoning_first",
        }
    }
}

/// Who serves a model, where that is known beforehand: `MODEL_DIALECT`. What is not said here is learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    #[default]
    OpenAi,
    Azure,
    Vllm,
    LlamaCpp,
    Ollama,
    Mistral,
    Groq,
    Gemini,
    DeepSeek,
    OpenRouter,
    LiteLlm,
}

/// The names of dialects, as `MODEL_DIALECT` takes them.
const DIALECTS: [(&str, Dialect); 11] = [
    ("openai", Dialect::OpenAi),
    ("azure", Dialect::Azure),
    ("vllm", Dialect::Vllm),
    ("llama.cpp", Dialect::LlamaCpp),
    ("ollama", Dialect::Ollama),
    ("mistral", Dialect::Mistral),
    ("groq", Dialect::Groq),
    ("gemini", Dialect::Gemini),
    ("deepseek", Dialect::DeepSeek),
    ("openrouter", Dialect::OpenRouter),
    ("litellm", Dialect::LiteLlm),
];

impl Dialect {
    /// What is known of the provider beforehand, from its own documents.
    pub fn adaptations(self) -> Adaptations {
        use Adaptation as A;
        let known: &[A] = match self {
            Self::OpenAi | Self::Azure | Self::LiteLlm | Self::Groq => &[],
            Self::Vllm | Self::OpenRouter => &[A::MaxTokens],
            Self::LlamaCpp | Self::Ollama => &[A::MaxTokens, A::NoStrict],
            Self::Mistral => &[A::MaxTokens, A::NoStreamOptions],
            Self::Gemini => &[A::MaxTokens, A::NoStrict, A::PlainSchemas],
            Self::DeepSeek => &[A::MaxTokens, A::NoStrict],
        };
        known.iter().copied().collect()
    }

    /// The dialect that knows beforehand exactly what was learnt.
    pub fn that_knows(adaptations: &Adaptations) -> Option<Self> {
        let mut dialects = DIALECTS.iter().map(|(_, dialect)| *dialect);
        dialects.find(|dialect| *dialect != Self::OpenAi && dialect.adaptations() == *adaptations)
    }

    /// As `MODEL_DIALECT` names it.
    pub fn name(self) -> &'static str {
        DIALECTS
            .iter()
            .find(|(_, dialect)| *dialect == self)
            .map_or("openai", |(name, _)| name)
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = DIALECTS.iter().find(|(name, _)| *name == text);
        found.map(|(_, dialect)| *dialect).ok_or_else(|| {
            let names: Vec<&str> = DIALECTS.iter().map(|(name, _)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

pub type Adaptations = BTreeSet<Adaptation>;

/// What an endpoint is known to need. Clones share it.
#[derive(Clone, Default)]
pub struct LearnedAdaptations(Arc<RwLock<Adaptations>>);

impl LearnedAdaptations {
    pub fn new(known: Adaptations) -> Self {
        Self(Arc::new(RwLock::new(known)))
    }

    pub fn get(&self) -> Adaptations {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps adaptations that an answer was given with.
    pub fn keep(&self, adaptations: &Adaptations) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for adaptation in adaptations {
            if known.insert(*adaptation) {
                tracing::warn!(
                    adaptation = adaptation.name(),
                    "learnt how the model's endpoint wants to be asked"
                );
            }
        }
    }
}

/// The next adaptation to try after a refusal of a request that had those in `tried`. None where the refusal names nothing of ours.
pub fn learn(refusal: &Refusal, tried: &Adaptations) -> Option<Adaptation> {
    use Adaptation as A;
    // A prompt that is too long is no fault of a parameter, whatever parameters the provider names beside it.
    let is_too_long = matches!(refusal.error(), ModelError::ContextTooLong(_));
    if is_too_long || !matches!(refusal.status, 400 | 422 | 500 | 501) {
        return None;
    }
    let system_refused = [
        "system role not supported",
        "system role is not supported",
        "system message is not supported",
        "does not support system",
        "only user and assistant roles",
        "only user, assistant and tool roles",
    ];
    let content_refused = [
        "content must be a string",
        "content should be a string",
        "content field is required",
    ];
    let candidates = [
        (
            refusal.names("max_tokens") && tried.contains(&A::MaxTokens),
            A::MaxCompletionTokens,
        ),
        (
            refusal.names("max_completion_tokens") && !tried.contains(&A::MaxTokens),
            A::MaxTokens,
        ),
        (
            refusal.names("max_tokens") || refusal.names("max_completion_tokens"),
            A::NoOutputLimit,
        ),
        (
            refusal.names("stream_options") || refusal.names("include_usage"),
            A::NoStreamOptions,
        ),
        (refusal.names("temperature"), A::NoTemperature),
        (refusal.names("top_p"), A::NoTopP),
        (
            refusal.names("reasoning_effort") || refusal.names("reasoning"),
            A::NoReasoningEffort,
        ),
        (refusal.names("tool_choice"), A::NoToolChoice),
        (refusal.names("strict"), A::NoStrict),
        (refusal.mentions(&system_refused), A::SystemAsUser),
        (refusal.mentions(&content_refused), A::EmptyContent),
        (names_schema(refusal), A::PlainSchemas),
        (names_schema(refusal), A::NoStrict),
    ];
    candidates
        .into_iter()
        .find(|(named, adaptation)| *named && !tried.contains(adaptation))
        .map(|(_, adaptation)| adaptation)
}

/// Whether the refusal is about the schemas of our tools.
fn names_schema(refusal: &Refusal) -> bool {
    let parameters = [
        "tools",
        "parameters",
        "function_declarations",
        "json_schema",
        "input_schema",
    ];
    let words = [
        "schema",
        "anyof",
        "additionalproperties",
        "grammar",
        "json type",
        "union type",
    ];
    parameters.iter().any(|name| refusal.names(name)) || refusal.mentions(&words)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn next(status: u16, body: &str, tried: &[Adaptation]) -> Option<Adaptation> {
        learn(
            &Refusal::read(status, &HeaderMap::new(), body.as_bytes()),
            &tried.iter().copied().collect(),
        )
    }

    #[test]
    fn what_a_provider_refuses_is_named() {
        use Adaptation as A;
        for (status, body, tried, right) in [
            (
                422,
                r#"{"detail":[{"loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}"#,
                &[][..],
                Some(A::MaxTokens),
            ),
            (
                400,
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#,
                &[A::MaxTokens],
                Some(A::MaxCompletionTokens),
            ),
            (
                422,
                r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs"}]}"#,
                &[A::MaxTokens],
                Some(A::NoStreamOptions),
            ),
            (
                400,
                r#"{"error":{"message":"Unknown name \"strict\" at 'tools[0].function_declarations[0]': Cannot find field.","code":400}}"#,
                &[],
                Some(A::NoStrict),
            ),
            (
                400,
                r#"{"error":{"message":"Proto field is not repeating, cannot start list. tools.function_declarations[0].parameters.properties[0].type"}}"#,
                &[],
                Some(A::PlainSchemas),
            ),
            (
                400,
                r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","param":"temperature"}}"#,
                &[],
                Some(A::NoTemperature),
            ),
            (
                400,
                r#"{"error":"System role not supported"}"#,
                &[],
                Some(A::SystemAsUser),
            ),
            (
                500,
                r#"{"error":{"message":"System role not supported","code":500}}"#,
                &[],
                Some(A::SystemAsUser),
            ),
            (400, r#"{"error":{"message":"something else"}}"#, &[], None),
            (401, r#"{"error":{"message":"stream_options"}}"#, &[], None),
        ] {
            assert_eq!(next(status, body, tried), right, "{body}");
        }
    }

    #[test]
    fn learning_ends() {
        let everything = r#"{"error":{"message":"max_tokens max_completion_tokens stream_options temperature top_p reasoning strict schema system role not supported content must be a string"}}"#;
        let mut tried = Vec::new();
        while let Some(adaptation) = next(400, everything, &tried) {
            tried.push(adaptation);
            assert!(tried.len() < 16, "{tried:?}");
        }
        assert!(tried.len() > 8, "{tried:?}");
    }
}
