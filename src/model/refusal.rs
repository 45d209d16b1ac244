//! A refusal by a model's provider: what it means, and which parameter it names.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::ModelError;

/// How many characters of a provider's error text are searched.
const MAX_TEXT: usize = 4_000;
/// The longest that a provider may ask to be left alone. One that asks for more is tried again all the same.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// An HTTP answer other than 2xx. It holds the provider's words, which may repeat the prompt: they are compared here and go nowhere.
pub struct Refusal {
    pub status: u16,
    /// The parameter that the provider says it is about, in small letters.
    parameter: Option<String>,
    /// Every string in the answer, in small letters.
    text: String,
    retry_after: Option<Duration>,
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Phrases by which providers say that the context window is exceeded.
const CONTEXT: [&str; 12] = [
    "context length",
    "context_length",
    "context size",
    "context window",
    "maximum context",
    "exceed_context",
    "too many tokens",
    "prompt is too long",
    "input is too long",
    "input token count",
    "reduce the length",
    // Text Generation Inference: `inputs` tokens + `max_new_tokens` must be <= 4096.
    "max_new_tokens` must be",
];
/// Phrases by which providers say that the credit is used up.
const CREDIT: [&str; 6] = [
    "insufficient_quota",
    "exceeded your current quota",
    "billing",
    "insufficient balance",
    "insufficient credits",
    "credit balance",
];
/// Phrases by which providers say that a content filter stopped the answer.
const FILTER: [&str; 4] = [
    "content_filter",
    "content management policy",
    "content policy",
    "content_policy",
];

impl Refusal {
    /// Reads an answer. Providers write `{"error": {"message", "param", "code"}}`, the same in a list, `{"error": "…"}`,
    /// `{"detail": "…"}`, `{"detail": [{"loc", "msg"}]}`, `{"message": "…"}`, or plain text; codes may be numbers.
    pub fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let json: Option<Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
        let (mut strings, mut parameter) = (Vec::new(), None);
        match &json {
            Some(json) => collect(json, &mut strings, &mut parameter),
            None => strings.push(&text),
        }
        let text = strings
            .join("\n")
            .chars()
            .take(MAX_TEXT)
            .collect::<String>()
            .to_lowercase();
        Self {
            status,
            parameter,
            text,
            retry_after: retry_after(headers),
        }
    }

    /// What the provider says in the middle of a stream: an object or a text under `error`.
    pub fn in_stream(error: &Value) -> Self {
        let code = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let status = [&error["code"], &error["status"], &error["status_code"]]
            .into_iter()
            .find_map(code);
        let status = status
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| *status >= 400);
        Self::read(status.unwrap_or(500), &HeaderMap::new(), error.to_string().as_bytes())
    }

    /// What the refusal means.
    pub fn error(&self) -> ModelError {
        let mentions = |words: &[&str]| self.mentions(words);
        match self.status {
            401 | 403 => ModelError::KeyRefused,
            402 => ModelError::NoCredit,
            404 if self.refuses_tools() => ModelError::NoTools,
            404 | 410 if mentions(&["model", "deployment", "endpoints found"]) => ModelError::UnknownModel,
            404 | 405 | 410 => ModelError::WrongAddress,
            // Anthropic says 529 when it is overloaded.
            429 | 529 if mentions(&CREDIT) => ModelError::NoCredit,
            429 | 529 => ModelError::RateLimited(
                self.retry_after
                    .map(|wait| wait.as_secs().try_into().unwrap_or(u16::MAX)),
            ),
            400..=499 if mentions(&FILTER) => ModelError::ContentFilter,
            400..=599 if mentions(&CONTEXT) => ModelError::ContextTooLong(self.window()),
            400 | 422 if mentions(&["credit balance"]) => ModelError::NoCredit,
            400..=499
                if mentions(&[
                    "api key not valid",
                    "invalid api key",
                    "incorrect api key",
                    "api_key_invalid",
                    "no_db_connection",
                ]) =>
            {
                ModelError::KeyRefused
            }
            400..=499 if self.refuses_tools() => ModelError::NoTools,
            400..=499 if self.names_unknown_model() => ModelError::UnknownModel,
            400 | 413 | 422 => ModelError::ParameterRefused(self.status),
            status => ModelError::Status(status),
        }
    }

    /// Whether the refusal is about the parameter `name`: it is the one that the provider names, or it is in its words.
    pub fn names(&self, name: &str) -> bool {
        match &self.parameter {
            Some(parameter) => parameter.split(|c: char| !is_word(c)).any(|part| part == name),
            None => words(&self.text).any(|word| word == name),
        }
    }

    /// Whether the words of the refusal hold any of `phrases`.
    pub fn mentions(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.text.contains(phrase))
    }

    fn refuses_tools(&self) -> bool {
        self.mentions(&[
            "does not support tools",
            "does not support function",
            "tool use is not supported",
            "tools are not supported",
            "tool calling is not supported",
            "no endpoints found that support tool use",
        ])
    }

    fn names_unknown_model(&self) -> bool {
        self.text.contains("model")
            && self.mentions(&[
                "does not exist",
                "not found",
                "no such model",
                "unknown model",
                "invalid model",
            ])
            || self.parameter.as_deref() == Some("model")
    }

    /// How many tokens the model can read, where the refusal says so.
    fn window(&self) -> Option<u32> {
        let number = |words: &str| {
            let rest = self.text.split_once(words)?.1;
            let digits: String = rest
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(|c| c.is_ascii_digit() || *c == ',')
                .filter(char::is_ascii_digit)
                .collect();
            digits.parse::<u32>().ok().filter(|tokens| *tokens >= 256)
        };
        let phrases = [
            "maximum context length is",
            "context size (",
            "context window of",
            "context length of",
            "must be <=",
            "> ",
        ];
        phrases.into_iter().find_map(number)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word(c))
}

/// Every string and number below `value`, and the parameter that it names.
fn collect<'a>(value: &'a Value, strings: &mut Vec<&'a str>, parameter: &mut Option<String>) {
    match value {
        Value::String(text) => strings.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, strings, parameter)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("param" | "parameter", Value::String(text)) if !text.is_empty() => {
                        *parameter = Some(text.to_lowercase());
                    }
                    // FastAPI: where in the body the fault is.
                    ("loc", Value::Array(path)) => {
                        let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
                        *parameter = Some(path.join(".").to_lowercase());
                    }
                    // What was sent, told back: the shopper's words, not the provider's.
                    ("input", _) => {}
                    // Numbers such as llama.cpp's `n_ctx` are kept with their names.
                    (name, Value::Number(_)) => strings.push(name),
                    _ => collect(value, strings, parameter),
                }
            }
        }
        _ => {}
    }
}

/// Seconds, or a date, or the milliseconds that OpenAI and Azure add.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms")
        .and_then(|millis| millis.parse().ok())
        .map(Duration::from_millis);
    let wait = millis.or_else(|| {
        let value = text(RETRY_AFTER.as_str())?;
        match value.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds.ceil()).ok(),
            Err(_) => {
                let until = chrono::DateTime::parse_from_rfc2822(value).ok()?;
                (until.to_utc() - crate::clock::Clock::system().now()).to_std().ok()
            }
        }
    });
    wait.map(|wait| wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::read(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn refusals_are_read_in_every_form() {
        use ModelError as E;
        for (status, body, right) in [
            (
                401,
                r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#,
                E::KeyRefused,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
                E::KeyRefused,
            ),
            (
                404,
                r#"{"error":"model 'x' not found, try pulling it first"}"#,
                E::UnknownModel,
            ),
            (404, "404 page not found", E::WrongAddress),
            (
                404,
                r#"{"error":{"message":"Invalid URL (POST /v1/v1/chat/completions)","type":"invalid_request_error"}}"#,
                E::WrongAddress,
            ),
            (405, r#"{"detail":"Method Not Allowed"}"#, E::WrongAddress),
            (
                404,
                r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
                E::UnknownModel,
            ),
            (
                404,
                r#"{"error":{"message":"No endpoints found that support tool use.","code":404}}"#,
                E::NoTools,
            ),
            (
                400,
                r#"{"error":{"message":"The model `gpt-9` does not exist","param":"model","code":null}}"#,
                E::UnknownModel,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size (2048 tokens)","type":"exceed_context_size_error","n_ctx":2048}}"#,
                E::ContextTooLong(Some(2048)),
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, you requested 9000","code":"context_length_exceeded"}}"#,
                E::ContextTooLong(Some(8192)),
            ),
            (
                400,
                r#"{"object":"error","message":"'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum context length is 4388 tokens and your request has 4000 input tokens (1024 > 4388 - 4000)."}"#,
                E::ContextTooLong(Some(4388)),
            ),
            (
                422,
                r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4388. Given: 4000 `inputs` tokens and 1024 `max_new_tokens`","error_type":"validation"}"#,
                E::ContextTooLong(Some(4388)),
            ),
            (
                500,
                r#"{"error":{"message":"context size exceeded"}}"#,
                E::ContextTooLong(None),
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"bad thing"}}"#,
                E::ParameterRefused(400),
            ),
            (
                422,
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
                E::ParameterRefused(422),
            ),
            (422, r#"{"detail":"Unprocessable"}"#, E::ParameterRefused(422)),
            (
                400,
                r#"{"error":"registry/gemma:2b does not support tools"}"#,
                E::NoTools,
            ),
            (
                400,
                r#"{"error":{"code":"content_filter","message":"The response was filtered"}}"#,
                E::ContentFilter,
            ),
            (429, r#"{"error":{"type":"insufficient_quota"}}"#, E::NoCredit),
            (429, "slow down", E::RateLimited(None)),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
                E::RateLimited(None),
            ),
            (402, "", E::NoCredit),
            (503, "<html>", E::Status(503)),
        ] {
            assert_eq!(refusal(status, body).error(), right, "{status} {body}");
        }
    }

    #[test]
    fn the_parameter_is_found_where_the_provider_names_it_and_never_in_what_was_sent() {
        let loc = refusal(
            422,
            r#"{"detail":[{"loc":["body","max_completion_tokens"],"msg":"Extra inputs","input":"temperature"}]}"#,
        );
        assert!(loc.names("max_completion_tokens") && !loc.names("temperature"));
        let words = refusal(
            400,
            r#"{"error":{"code":400,"message":"Unrecognized request argument supplied: stream_options"}}"#,
        );
        assert!(words.names("stream_options") && !words.names("stream"));
        let both = refusal(
            400,
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#,
        );
        assert!(both.names("max_tokens") && !both.names("max_completion_tokens"));
        let deep = refusal(
            400,
            r#"{"error":{"message":"Invalid","param":"tools[0].function.strict"}}"#,
        );
        assert!(deep.names("strict") && deep.names("tools"));
    }

    #[test]
    fn the_window_and_the_wait_are_read() {
        let openai = r#"{"error":{"message":"This model's maximum context length is 8,192 tokens."}}"#;
        assert_eq!(refusal(400, openai).error(), ModelError::ContextTooLong(Some(8192)));
        let llama = r#"{"error":{"code":400,"message":"the request exceeds the available context size (2048 tokens), try increasing it"}}"#;
        assert_eq!(refusal(400, llama).error(), ModelError::ContextTooLong(Some(2048)));
        let anthropic = r#"{"error":{"message":"prompt is too long: 215000 tokens > 200000 maximum"}}"#;
        assert_eq!(
            refusal(400, anthropic).error(),
            ModelError::ContextTooLong(Some(200_000))
        );
        let wait = |name: &'static str, value: &str| {
            let headers = HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))]);
            Refusal::read(429, &headers, b"").error()
        };
        assert_eq!(wait("retry-after", "7"), ModelError::RateLimited(Some(7)));
        assert_eq!(wait("retry-after", "0.5"), ModelError::RateLimited(Some(1)));
        assert_eq!(wait("retry-after", "86400"), ModelError::RateLimited(Some(120)));
        assert_eq!(wait("retry-after-ms", "2500"), ModelError::RateLimited(Some(2)));
        assert_eq!(wait("retry-after", "soon"), ModelError::RateLimited(None));
    }
}
