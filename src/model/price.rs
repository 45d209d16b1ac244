//! What a model costs.

use std::{fmt, str::FromStr};

use super::{Prompt, PromptMessage, Usage};

/// Millionths of the price table's currency for a million tokens: the same number as the currency's own price for one
/// million tokens, times a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
}

/// Bytes that a provider adds to each message for its role and borders, rounded up generously.
const MESSAGE_OVERHEAD: usize = 64;

impl Price {
    /// What an answer cost, in millionths, rounded up.
    pub fn of(self, usage: Usage) -> i64 {
        self.micros(u64::from(usage.input_tokens), u64::from(usage.output_tokens))
    }

    /// The most that answering `prompt` can cost: a token is at least one byte, and the answer has an upper bound.
    pub fn worst_case(self, prompt: &Prompt) -> i64 {
        self.micros(bytes(prompt) as u64, prompt.max_output_tokens.into())
    }

    fn micros(self, input: u64, output: u64) -> i64 {
        let total = u128::from(input) * u128::from(self.input) + u128::from(output) * u128::from(self.output);
        i64::try_from(total.div_ceil(1_000_000)).unwrap_or(i64::MAX)
    }
}

fn bytes(prompt: &Prompt) -> usize {
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
        PromptMessage::System(text) | PromptMessage::Shopper(text) => text.len(),
        PromptMessage::ToolResult { call_id, content } => call_id.len() + content.len(),
        PromptMessage::Assistant { text, calls } => {
            let call =
                |call: &super::ToolCall| call.id.len() + call.tool.len() + call.arguments.len() + MESSAGE_OVERHEAD;
            text.len() + calls.iter().map(call).sum::<usize>()
        }
    };
    content + MESSAGE_OVERHEAD
}

/// `0.15/0.60`: a million tokens in, a million tokens out, in the currency, to a millionth.
impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (input, output) = text.split_once('/').ok_or(PriceError)?;
        Ok(Self {
            input: decimal(input)?,
            output: decimal(output)?,
        })
    }
}

/// A price that is not two numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct PriceError;

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price is IN/OUT for a million tokens, such as 0.15/0.60")
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
        };
        assert_eq!(price.of(usage(1_000_000, 1_000_000)), 750_000);
        assert_eq!(price.of(usage(1, 0)), 1);
        assert_eq!(price.of(usage(0, 0)), 0);
        for bad in ["", "1", "1/", "-1/2", "1/2/3", "0.1234567/1", "1e3/1", "NaN/1"] {
            assert_eq!(bad.parse::<Price>(), Err(PriceError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_real_cost_passes_the_reserved_one(text in ".{0,200}", output in 0u32..2000, price in 0u64..100_000_000) {
            let prompt = Prompt { messages: vec![PromptMessage::Shopper(text.clone())], language: crate::language::Language::EN, tools: [].into(), max_output_tokens: 2000 };
            let price = Price { input: price, output: price };
            let usage = Usage { input_tokens: text.len() as u32, output_tokens: output };
            prop_assert!(price.of(usage) <= price.worst_case(&prompt));
        }
    }
}
