//! The models that answer: where they are, how they are asked, what they cost.

use std::{str::FromStr, time::Duration};

use secrecy::SecretString;

use super::Reader;
use crate::model::{Deadlines, Dialect, EndpointSettings, ModelSettings, Price, PricedModel, Sampling, Wire};

/// Where OpenAI is, and Anthropic.
const OPENAI: &str = "https://api.openai.com/v1";
const ANTHROPIC: &str = "https://api.anthropic.com/v1";
/// The demo asks this model where only a key is set: small and cheap. Its price for a million tokens in and out.
const DEMO_MODEL: (&str, &str) = ("gpt-4o-mini", "0.15/0.60");

/// The models that may be asked.
pub struct Models {
    pub first: ModelSettings,
    pub second: Option<EndpointSettings>,
    /// Tokens that one answer may have.
    pub output_tokens: u32,
}

impl Reader<'_> {
    pub fn model(&mut self) -> Option<ModelSettings> {
        let wire = match self.text("MODEL").as_deref() {
            Some("offline") => return Some(ModelSettings::Offline),
            Some("openai") => Wire::ChatCompletions,
            Some("openai-responses") => Wire::Responses,
            Some("anthropic") => Wire::Anthropic,
            _ => {
                let mend = "must be `openai` (any OpenAI-compatible endpoint), `openai-responses`, `anthropic` or, on a test system, `offline`";
                self.fault("MODEL", mend);
                return None;
            }
        };
        let [url, key, name, default] = match wire {
            Wire::Anthropic => ["ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_MODEL", ANTHROPIC],
            _ => ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL", OPENAI],
        };
        let api_key = self.required_secret(
            key,
            1,
            "the model provider's key; any word where the server asks for none",
        );
        let model = self.text(name);
        if model.is_none() {
            self.fault(name, "must be set: the model's name at the provider");
        }
        let base_url = self.base_url(url).unwrap_or_else(|| default.to_owned());
        let price = self.price(name, model.as_deref());
        let settings = EndpointSettings {
            wire,
            dialect: self.choice("MODEL_DIALECT"),
            deadlines: self.deadlines(),
            sampling: self.sampling(),
            context_tokens: self.context_tokens("MODEL_CONTEXT_TOKENS"),
            ..EndpointSettings::new(base_url, api_key?, model?, price?)
        };
        Some(ModelSettings::Endpoint(settings))
    }

    /// The model that is asked when the first does not answer: another one, or another endpoint, or both. What is not set
    /// is as with the first.
    pub fn second_model(&mut self, first: Option<&ModelSettings>) -> Option<EndpointSettings> {
        let model = self.text("SECOND_MODEL")?;
        let price = self.price("SECOND_MODEL", Some(&model));
        let (base_url, api_key) = (
            self.base_url("SECOND_MODEL_BASE_URL"),
            self.secret("SECOND_MODEL_API_KEY"),
        );
        if base_url.is_some() && api_key.is_none() {
            self.fault("SECOND_MODEL_API_KEY", "must be set: the key at SECOND_MODEL_BASE_URL");
        }
        let Some(ModelSettings::Endpoint(first)) = first else {
            return None;
        };
        let wire = match self.text("SECOND_MODEL_API").as_deref() {
            None => first.wire,
            Some("openai") => Wire::ChatCompletions,
            Some("openai-responses") => Wire::Responses,
            Some("anthropic") => Wire::Anthropic,
            Some(_) => {
                self.fault(
                    "SECOND_MODEL_API",
                    "must be `openai`, `openai-responses` or `anthropic`",
                );
                return None;
            }
        };
        if wire != first.wire && api_key.is_none() {
            self.fault(
                "SECOND_MODEL_API_KEY",
                "must be set: the key of another provider than the first model's",
            );
        }
        let default = match wire {
            _ if wire == first.wire => &first.base_url,
            Wire::Anthropic => ANTHROPIC,
            _ => OPENAI,
        };
        Some(EndpointSettings {
            wire,
            base_url: base_url.unwrap_or_else(|| default.to_owned()),
            api_key: api_key.unwrap_or_else(|| first.api_key.clone()),
            model,
            price: price?,
            deadlines: first.deadlines,
            dialect: self.choice("SECOND_MODEL_DIALECT"),
            sampling: first.sampling,
            context_tokens: self.context_tokens("SECOND_MODEL_CONTEXT_TOKENS"),
        })
    }

    /// Every model that is set.
    pub fn models(&mut self) -> Option<Models> {
        let first = self.model();
        let second = self.second_model(first.as_ref());
        Some(Models {
            first: first?,
            second,
            output_tokens: self.output_tokens(),
        })
    }

    /// The demo's model: the one that the command gives by URL and name, or the one that `OPENAI_API_KEY` opens, or the rules. The key
    /// is not sent to a URL that was given by the command.
    pub fn demo_model(&mut self, given: Option<(&str, &str)>) -> Option<ModelSettings> {
        let (base_url, api_key, model, price) = match given {
            Some((url, model)) => match check_base_url(url) {
                Ok(url) => (url, SecretString::from("none"), model.to_owned(), "0/0"),
                Err(mend) => {
                    self.fault("--model-url", mend);
                    return None;
                }
            },
            None => {
                let Some(key) = self.secret("OPENAI_API_KEY") else {
                    return Some(ModelSettings::Offline);
                };
                let url = self.base_url("OPENAI_BASE_URL").unwrap_or_else(|| OPENAI.to_owned());
                let model = self.text("OPENAI_MODEL").unwrap_or_else(|| DEMO_MODEL.0.to_owned());
                (url, key, model, DEMO_MODEL.1)
            }
        };
        let deadlines = match given {
            // A server at home may have to load the model first.
            Some(_) => Deadlines {
                first_chunk: Duration::from_secs(60),
                total: Duration::from_secs(120),
            },
            None => self.deadlines(),
        };
        Some(ModelSettings::Endpoint(EndpointSettings {
            deadlines,
            dialect: self.choice("MODEL_DIALECT"),
            sampling: self.sampling(),
            context_tokens: self.context_tokens("MODEL_CONTEXT_TOKENS"),
            ..EndpointSettings::new(base_url, api_key, model, price.parse().ok()?)
        }))
    }

    /// How often a model that fails is asked whether it answers again.
    pub fn model_check(&mut self) -> Option<Duration> {
        match self.number("MODEL_CHECK_SECONDS", 0..=3_600, 180) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds as u64)),
        }
    }

    /// The most tokens of one answer.
    pub fn output_tokens(&mut self) -> u32 {
        self.number("MODEL_OUTPUT_TOKENS", 64..=32_768, 1024) as u32
    }

    fn deadlines(&mut self) -> Deadlines {
        Deadlines {
            first_chunk: Duration::from_secs(self.number("MODEL_FIRST_TOKEN_SECONDS", 1..=600, 10) as u64),
            total: Duration::from_secs(self.number("MODEL_TOTAL_SECONDS", 1..=900, 30) as u64),
        }
    }

    fn sampling(&mut self) -> Sampling {
        let mut between = |name: &'static str, most: f64| {
            let text = self.text(name)?;
            let found = text.parse::<f64>().ok().filter(|value| (0.0..=most).contains(value));
            if found.is_none() {
                self.fault(name, format!("must be a number from 0 to {most}"));
            }
            found
        };
        let (temperature, top_p) = (between("MODEL_TEMPERATURE", 2.0), between("MODEL_TOP_P", 1.0));
        let reasoning_effort = self
            .text("MODEL_REASONING_EFFORT")
            .and_then(|effort| match effort.parse() {
                Ok(effort) => Some(effort),
                Err(mend) => {
                    self.fault("MODEL_REASONING_EFFORT", mend);
                    None
                }
            });
        Sampling {
            temperature,
            top_p,
            reasoning_effort,
        }
    }

    fn context_tokens(&mut self, name: &'static str) -> Option<u32> {
        self.text(name)?;
        Some(self.number(name, 1_024..=10_000_000, 8_192) as u32)
    }

    fn choice(&mut self, name: &'static str) -> Dialect {
        let Some(text) = self.text(name) else {
            return Dialect::default();
        };
        Dialect::from_str(&text).unwrap_or_else(|mend| {
            self.fault(name, mend);
            Dialect::default()
        })
    }

    /// A base URL as requests are put behind it: without a final slash. What would end in refusals for ever is named.
    fn base_url(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        match check_base_url(&text) {
            Ok(url) => Some(url),
            Err(mend) => {
                self.fault(name, mend);
                None
            }
        }
    }

    /// The models with a price that the first endpoint serves: all but the second model, where that is at another endpoint. An entry
    /// that cannot be read is a fault, because the model would be missing where stores choose.
    pub fn priced_models(
        &mut self,
        first: Option<&ModelSettings>,
        second: Option<&EndpointSettings>,
    ) -> Vec<PricedModel> {
        let Some(ModelSettings::Endpoint(first)) = first else {
            return Vec::new();
        };
        let is_elsewhere = |second: &&EndpointSettings| {
            (second.wire, &second.base_url) != (first.wire, &first.base_url) && second.model != first.model
        };
        let elsewhere = second.filter(is_elsewhere).map(|second| second.model.as_str());
        let table = self.text("MODEL_PRICES").unwrap_or_default();
        let mut priced: Vec<PricedModel> = Vec::new();
        for entry in table.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let read = entry.split_once('=').map(|(name, price)| (name.trim(), price.parse()));
            let Some((name, Ok(price))) = read.filter(|(name, _)| !name.is_empty()) else {
                self.fault(
                    "MODEL_PRICES",
                    format!("`{entry}` is not a model with its price, such as gpt-4o-mini=0.15/0.60"),
                );
                continue;
            };
            if Some(name) != elsewhere && priced.iter().all(|known| *known.name != *name) {
                priced.push(PricedModel {
                    name: name.into(),
                    price,
                });
            }
        }
        priced
    }

    /// The price of a model, for its budget.
    fn price(&mut self, variable: &str, model: Option<&str>) -> Option<Price> {
        let table = self.text("MODEL_PRICES").unwrap_or_default();
        let mut prices = table.split(',').filter_map(|entry| entry.trim().split_once('='));
        let price = prices
            .find(|(name, _)| Some(name.trim()) == model)
            .and_then(|(_, price)| price.parse().ok());
        if price.is_none() {
            self.fault(
                "MODEL_PRICES",
                format!("must name the price of {variable} for a million tokens in and out, such as gpt-4o-mini=0.15/0.60; budgets are counted in it"),
            );
        }
        price
    }
}

/// The URL without a final slash, or what is wrong with it.
fn check_base_url(text: &str) -> Result<String, String> {
    let example = "such as https://api.openai.com/v1";
    let url =
        url::Url::parse(text).map_err(|_| format!("is not a URL; it is where the provider's API begins, {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!(
            "must begin with https:// (or http:// on your own network), {example}"
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            "must not hold `?` or `#`; on Azure it is https://RESOURCE.openai.azure.com/openai/v1, without an api-version, and MODEL_DIALECT=azure"
                .to_owned(),
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or password; the key has a setting of its own".to_owned());
    }
    let path = url.path().trim_end_matches('/');
    for route in [
        "/chat/completions",
        "/completions",
        "/responses",
        "/messages",
        "/models",
    ] {
        if let Some(base) = path.strip_suffix(route) {
            return Err(format!(
                "must end before `{route}`: {}{base}",
                url.origin().ascii_serialization()
            ));
        }
    }
    if path.is_empty()
        && matches!(
            url.host_str(),
            Some("api.openai.com" | "api.anthropic.com" | "api.mistral.ai")
        )
    {
        return Err(format!("must end in /v1, {example}"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_that_would_be_refused_for_ever_is_named() {
        assert_eq!(
            check_base_url("https://api.openai.com/v1/").as_deref(),
            Ok("https://api.openai.com/v1")
        );
        assert_eq!(
            check_base_url("http://127.0.0.1:11434/v1").as_deref(),
            Ok("http://127.0.0.1:11434/v1")
        );
        for bad in [
            "not a url",
            "api.openai.com/v1",
            "ftp://api.openai.com/v1",
            "https://x.openai.azure.com/openai?api-version=2024-10-21",
            "https://api.openai.com/v1#x",
            "https://api.openai.com/v1/chat/completions",
            "https://api.openai.com",
        ] {
            assert!(check_base_url(bad).is_err(), "{bad}");
        }
        let with_user = format!("https://{}@llm.example/v1", ["user", "word"].join(":"));
        assert!(check_base_url(&with_user).is_err());
    }
}
