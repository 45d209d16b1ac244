//! What is wrong with a model, in plain words, and which setting mends it.

use super::{
    ModelError, Wire,
    check::{Outcome, WrongCall},
};
use crate::language::{Language, TextKey, Value};

/// What the settings of one model are called.
#[derive(Clone, Copy, Debug)]
pub struct SettingNames {
    pub url: &'static str,
    pub key: &'static str,
    pub model: &'static str,
    pub dialect: &'static str,
    pub context_tokens: &'static str,
}

impl SettingNames {
    /// Those of the model that is asked first.
    pub fn first(wire: Wire) -> Self {
        let [url, key, model] = match wire {
            Wire::Anthropic => ["ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_MODEL"],
            Wire::ChatCompletions | Wire::Responses => ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"],
        };
        Self {
            url,
            key,
            model,
            dialect: "MODEL_DIALECT",
            context_tokens: "MODEL_CONTEXT_TOKENS",
        }
    }

    /// Those of the model that is asked when the first does not answer.
    pub fn second() -> Self {
        Self {
            url: "SECOND_MODEL_BASE_URL",
            key: "SECOND_MODEL_API_KEY",
            model: "SECOND_MODEL",
            dialect: "SECOND_MODEL_DIALECT",
            context_tokens: "SECOND_MODEL_CONTEXT_TOKENS",
        }
    }

    /// What to do about `fault`, a message of `locales/*/model.ftl`.
    fn mend(&self, fault: TextKey, language: Language) -> String {
        let values: [(&str, Value<'_>); 5] = [
            ("url", self.url.into()),
            ("key", self.key.into()),
            ("model", self.model.into()),
            ("dialect", self.dialect.into()),
            ("context_tokens", self.context_tokens.into()),
        ];
        fault.attribute(language, "mend", &values).unwrap_or_default()
    }
}

impl ModelError {
    /// The message that says it.
    fn key(self) -> TextKey {
        match self {
            Self::TooSlow => TextKey("model-too-slow"),
            Self::RateLimited(_) => TextKey("model-rate-limited"),
            Self::NoCredit => TextKey("model-no-credit"),
            Self::KeyRefused => TextKey("model-key-refused"),
            Self::UnknownModel => TextKey("model-unknown"),
            Self::WrongAddress => TextKey("model-wrong-address"),
            Self::NoTools => TextKey("model-no-tools"),
            Self::ParameterRefused(_) => TextKey("model-parameter-refused"),
            Self::ContextTooLong(_) => TextKey("model-context-too-long"),
            Self::Status(_) => TextKey("model-status"),
            Self::Unreachable => TextKey("model-not-reached"),
            Self::CutOff | Self::ProviderFailed | Self::CircuitOpen => TextKey("model-breaks-off"),
            Self::LengthLimit | Self::TooLong => TextKey("model-length-limit"),
            Self::ContentFilter => TextKey("model-content-filter"),
            Self::Garbage => TextKey("model-garbage"),
            Self::OnlyCalls => TextKey("model-called-without-end"),
            Self::Empty => TextKey("model-empty"),
        }
    }

    /// The end of a sentence, such as `the provider refuses the key`.
    pub fn reason(self, language: Language) -> String {
        let status = match self {
            Self::Status(status) | Self::ParameterRefused(status) => status,
            _ => 0,
        };
        self.key().with(language, &[("status", status.into())])
    }

    /// What to do about it.
    pub fn mend(self, names: &SettingNames, language: Language) -> String {
        names.mend(self.key(), language)
    }
}

impl Outcome {
    fn key(self) -> TextKey {
        match self {
            Self::Answered => TextKey("model-answered"),
            Self::CalledTools => TextKey("model-called-tools"),
            Self::IgnoredTools => TextKey("model-ignored-tools"),
            Self::CallAsText => TextKey("model-call-as-text"),
            Self::CalledWrongly(WrongCall::UnknownTool) => TextKey("model-called-unknown-tool"),
            Self::CalledWrongly(WrongCall::Arguments) => TextKey("model-called-with-wrong-arguments"),
            Self::CalledWrongly(WrongCall::Missing) => TextKey("model-called-too-few-tools"),
            Self::CalledWrongly(WrongCall::NoEnd) => TextKey("model-called-without-end"),
            Self::IgnoredResults => TextKey("model-ignored-results"),
            Self::Failed(error) => error.key(),
        }
    }

    /// The end of a sentence, such as `it answered without the tools`.
    pub fn reason(self, language: Language) -> String {
        match self {
            Self::Failed(error) => error.reason(language),
            other => other.key().in_language(language),
        }
    }

    /// What to do about it; empty where all is well.
    pub fn mend(self, names: &SettingNames, language: Language) -> String {
        names.mend(self.key(), language)
    }

    /// A stable name, such as `key_refused`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::CalledTools => "called_tools",
            Self::IgnoredTools => "ignored_tools",
            Self::CallAsText => "call_as_text",
            Self::CalledWrongly(_) => "called_wrongly",
            Self::IgnoredResults => "ignored_results",
            Self::Failed(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_said_with_its_mend_in_each_language() {
        let errors = [
            ModelError::TooSlow,
            ModelError::RateLimited(None),
            ModelError::NoCredit,
            ModelError::KeyRefused,
            ModelError::UnknownModel,
            ModelError::WrongAddress,
            ModelError::NoTools,
            ModelError::ParameterRefused(400),
            ModelError::ContextTooLong(None),
            ModelError::Status(503),
            ModelError::Unreachable,
            ModelError::CutOff,
            ModelError::LengthLimit,
            ModelError::ContentFilter,
            ModelError::Garbage,
            ModelError::Empty,
            ModelError::OnlyCalls,
        ];
        let outcomes = [
            Outcome::IgnoredTools,
            Outcome::CallAsText,
            Outcome::CalledWrongly(WrongCall::Arguments),
            Outcome::CalledWrongly(WrongCall::UnknownTool),
            Outcome::CalledWrongly(WrongCall::Missing),
            Outcome::CalledWrongly(WrongCall::NoEnd),
            Outcome::IgnoredResults,
        ];
        for language in Language::all() {
            for outcome in errors.map(Outcome::Failed).into_iter().chain(outcomes) {
                let names = SettingNames::first(Wire::ChatCompletions);
                let (reason, mend) = (outcome.reason(language), outcome.mend(&names, language));
                assert!(reason.len() > 15 && !reason.contains('{'), "{outcome:?}: {reason}");
                assert!(mend.len() > 30 && !mend.contains('{'), "{outcome:?}: {mend}");
            }
        }
    }

    #[test]
    fn a_mend_names_the_settings_of_the_model_that_it_is_about() {
        let mend = |names: SettingNames| ModelError::KeyRefused.mend(&names, Language::EN);
        assert!(mend(SettingNames::first(Wire::Responses)).contains("OPENAI_API_KEY"));
        assert!(mend(SettingNames::first(Wire::Anthropic)).contains("ANTHROPIC_API_KEY"));
        assert!(mend(SettingNames::second()).contains("SECOND_MODEL_API_KEY"));
    }
}
