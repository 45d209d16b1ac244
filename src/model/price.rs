//! What a model costs.

use std::{fmt, str::FromStr, sync::Arc};

use super::{Prompt, PromptMessage, Usage};

/// Millionths of the price table's currency for a million tokens: the same number as the currency's own price for one
/// million tokens, times a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    /// Input that the provider has in its cache.
    pub cached: u64,
    /// Output that is reasoning.
    pub reasoning: u64,
}

/// A model by its name at the provider, with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedModel {
    pub name: Arc<str>,
    pub price: Price,
}

/// Bytes that a provider adds to each message for its role and borders, rounded up generously.
const MESSAGE_OVERHEAD: usize = 64;

impl Price {
    /// What an answer cost, in millionths, rounded up.
    pub fn of(self, usage: Usage) -> i64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let reasoning = usage.reasoning_tokens.min(usage.output_tokens);
        total([
            (usage.input_tokens - cached - written, self.input),
            (cached, self.cached),
            (written, self.cache_write()),
            (usage.output_tokens - reasoning, self.output),
            (reasoning, self.reasoning),
        ])
    }

    /// The most that answering `prompt` can cost: a token is at least one byte, and the answer has an upper bound.
    pub fn worst_case(self, prompt: &Prompt) -> i64 {
        let bytes = u32::try_from(bytes(prompt)).unwrap_or(u32::MAX);
        let input = self.cached.max(self.cache_write());
        total([
            (bytes, input),
            (prompt.max_output_tokens, self.output.max(self.reasoning)),
        ])
    }

    /// Input that is written to the cache: the one provider that has a price of its own for it takes a quarter more.
    /// <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#pricing>
    fn cache_write(self) -> u64 {
        self.input + self.input / 4
    }
}

/// Tokens at their prices, rounded up to a millionth.
fn total(parts: impl IntoIterator<Item = (u32, u64)>) -> i64 {
    let total: u128 = parts
        .into_iter()
        .map(|(tokens, price)| u128::from(tokens) * u128::from(price))
        .sum();
    i64::try_from(total.div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// How long a prompt is, with what providers add to it.
pub(super) fn bytes(prompt: &Prompt) -> usize {
    let messages: usize = prompt.messages.iter().map(message_bytes).sum();
    let tools: usize = prompt
        .tools
        .iter()
        .map(|tool| tool.name.len() + tool.description.len() + tool.schema.to_string().len() + MESSAGE_OVERHEAD)
        .sum();
    messages + tools
}

fn message_bytes(message: &PromptMessage) -> usize {
    let content = match message {
        PromptMessage::System(text) | PromptMessage::Context(text) | PromptMessage::Shopper(text) => text.len(),
        PromptMessage::ToolResult { call_id, content } => call_id.len() + content.len(),
        PromptMessage::Assistant { text, calls, echo } => {
            let call =
                |call: &super::ToolCall| call.id.len() + call.tool.len() + call.arguments.len() + MESSAGE_OVERHEAD;
            let echo = echo.as_ref().map_or(0, |echo| echo.data.to_string().len());
            text.len() + echo + calls.iter().map(call).sum::<usize>()
        }
    };
    content + MESSAGE_OVERHEAD
}

/// `0.15/0.60`: a million tokens in, a million tokens out, in the currency, to a millionth; and, where they differ, a million tokens
/// from the cache and a million tokens of reasoning: `0.15/0.60/0.075/0.60`.
impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let prices: Vec<u64> = text.split('/').map(decimal).collect::<Result<_, _>>()?;
        let [input, output, more @ ..] = &prices[..] else {
            return Err(PriceError);
        };
        if more.len() > 2 {
            return Err(PriceError);
        }
        Ok(Self {
            input: *input,
            output: *output,
            cached: *more.first().unwrap_or(input),
            reasoning: *more.get(1).unwrap_or(output),
        })
    }
}

/// A price that is not two to four numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct PriceError;

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price is IN/OUT or IN/OUT/CACHED/REASONING for a million tokens, such as 0.15/0.60")
    }
}

/// A decimal number in millionths, exactly.
fn decimal(text: &str) -> Result<u64, PriceError> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return Err(PriceError);
    }
    format!("{whole}{fraction:0<6}").parse().map_err(|_| PriceError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prices_read_exactly_and_costs_round_up() {
        let price: Price = "0.15/0.60".parse().expect("a price");
        assert_eq!((price.input, price.output), (150_000, 600_000));
        let usage = |input_tokens, output_tokens| Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        assert_eq!(price.of(usage(1_000_000, 1_000_000)), 750_000);
        assert_eq!(price.of(usage(1, 0)), 1);
        assert_eq!(price.of(usage(0, 0)), 0);
        for bad in [
            "",
            "1",
            "1/",
            "-1/2",
            "1/2/3/4/5",
            "1/2/",
            "0.1234567/1",
            "1e3/1",
            "NaN/1",
        ] {
            assert_eq!(bad.parse::<Price>(), Err(PriceError), "{bad}");
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let price: Price = "2/8/0.5/10".parse().expect("a price");
        let usage = Usage {
            input_tokens: 1_000_000,
            cached_tokens: 400_000,
            cache_write_tokens: 100_000,
            output_tokens: 300_000,
            reasoning_tokens: 200_000,
        };
        assert_eq!(price.of(usage), 1_000_000 + 200_000 + 250_000 + 800_000 + 2_000_000);
        let odd = Usage {
            cached_tokens: 5,
            reasoning_tokens: 5,
            ..Usage::default()
        };
        assert_eq!(price.of(odd), 0, "parts of what was not counted cost nothing");
    }

    proptest! {
        #[test]
        fn no_real_cost_passes_the_reserved_one(text in ".{0,200}", output in 0u32..2000, price in 0u64..100_000_000) {
            let prompt = Prompt {
                messages: vec![PromptMessage::Shopper(text.clone())],
                language: crate::language::Language::EN,
                tools: [].into(),
                may_call_tools: true,
                max_output_tokens: 2000,
                model: None,
                summarizes: false,
                is_check: false,
            };
            let price = Price { input: price, output: price, cached: price / 2, reasoning: price };
            let input_tokens = text.len() as u32;
            let usage = Usage { input_tokens, cache_write_tokens: input_tokens, output_tokens: output, reasoning_tokens: output, ..Usage::default() };
            prop_assert!(price.of(usage) <= price.worst_case(&prompt));
        }
    }
}
